"""The original names of NextDiT transformers (Lumina 2, and Z-Image after it), which keep query, key and value in one layer."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from lorasmith.models.take import Shapes, Take, stacked

_IN_ATTENTION = {"to_out.0": "out", "norm_q": "q_norm", "norm_k": "k_norm"}


def from_original(shapes: Shapes, original: Callable[[str], str]) -> dict[str, Take]:
    """Where each tensor of diffusers' transformer is in a file; `original` has a name's place there, but for what is inside attention."""
    takes: dict[str, Take] = {}
    for name in shapes:
        module, _, kind = name.rpartition(".")
        if module.endswith(".to_q"):
            attention = module.removesuffix("to_q")
            takes |= stacked(original(f"{attention}qkv.{kind}"), shapes, [f"{attention}to_{one}.{kind}" for one in "qkv"])
        elif not module.endswith((".to_k", ".to_v")):
            for ours, theirs in _IN_ATTENTION.items():
                module = re.sub(rf"(?<=\.){re.escape(ours)}$", theirs, module)
            takes[name] = Take(original(f"{module}.{kind}" if module else kind))
    return takes


def block(flat: str, shape: Any = None) -> str | None:
    """LAYER00 ..."""
    found = re.match(r"layers_(\d+)_", flat)
    return f"LAYER{int(found[1]):02d}" if found else None
