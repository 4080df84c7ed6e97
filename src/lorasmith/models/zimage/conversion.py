"""The original names of the Z-Image transformer, which keeps query, key and value in one layer."""

from __future__ import annotations

from collections.abc import Collection

from lorasmith.models.architectures import next_dit_names
from lorasmith.models.take import Shapes, Take

_BEGINNINGS = {"all_x_embedder.2-1.": "x_embedder.", "all_final_layer.2-1.": "final_layer."}


def from_original(shapes: Shapes, keys: Collection[str]) -> dict[str, Take]:
    """Where each tensor of diffusers' Z-Image transformer is in a file with the original names."""
    return next_dit_names.from_original(shapes, _original)


def _original(name: str) -> str:
    for ours, theirs in _BEGINNINGS.items():
        if name.startswith(ours):
            return theirs + name.removeprefix(ours)
    return name
