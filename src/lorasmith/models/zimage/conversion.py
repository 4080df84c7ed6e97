"""The original names of the Z-Image transformer, which keeps query, key and value in one layer."""

from __future__ import annotations

from collections.abc import Collection

from lorasmith.models.take import Shapes, Take, stacked

_BEGINNINGS = {"all_x_embedder.2-1.": "x_embedder.", "all_final_layer.2-1.": "final_layer."}
_ENDS = {"attention.to_out.0": "attention.out", "attention.norm_q": "attention.q_norm", "attention.norm_k": "attention.k_norm"}


def from_original(shapes: Shapes, keys: Collection[str]) -> dict[str, Take]:
    """Where each tensor of diffusers' Z-Image transformer is in a file with the original names."""
    takes: dict[str, Take] = {}
    for name in shapes:
        module, _, kind = name.rpartition(".")
        if module.endswith("attention.to_q"):
            attention = module.removesuffix("to_q")
            takes |= stacked(f"{attention}qkv.{kind}", shapes, [f"{attention}to_{one}.{kind}" for one in "qkv"])
        elif not module.endswith(("attention.to_k", "attention.to_v")):
            takes[name] = Take(_original(name))
    return takes


def _original(name: str) -> str:
    for ours, theirs in _BEGINNINGS.items():
        if name.startswith(ours):
            return theirs + name.removeprefix(ours)
    for ours, theirs in _ENDS.items():
        name = name.replace(f"{ours}.", f"{theirs}.")
    return name
