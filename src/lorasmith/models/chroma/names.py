"""The original names of the Chroma transformer: those of Flux.1's blocks, and of the network that computes their modulation (the approximator)."""

from __future__ import annotations

from collections.abc import Collection

from lorasmith.models.architectures.double_stream_names import from_bfl
from lorasmith.models.take import Shapes, Take

APPROXIMATOR = "distilled_guidance_layer"
LINEAR = {"linear_1": "in_layer", "linear_2": "out_layer"}
"""In a layer of the approximator: diffusers' name -> the original's."""


def from_original(shapes: Shapes, keys: Collection[str]) -> dict[str, Take]:
    """Where each tensor of diffusers' Chroma transformer is in a file with the original names."""
    own = [name for name in shapes if name.startswith(f"{APPROXIMATOR}.")]
    return {
        **from_bfl({name: shape for name, shape in shapes.items() if name not in own}, keys),
        **{name: Take(_original(name)) for name in own},
    }


def _original(name: str) -> str:
    match name.split("."):
        case [approximator, "layers", layer, linear, kind]:
            return f"{approximator}.layers.{layer}.{LINEAR[linear]}.{kind}"
        case [approximator, "norms", layer, "weight"]:
            return f"{approximator}.norms.{layer}.scale"
        case _:
            return name
