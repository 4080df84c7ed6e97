"""The original names of the Lumina 2 transformer."""

from __future__ import annotations

import re
from collections.abc import Collection

from lorasmith.models.architectures import next_dit_names
from lorasmith.models.lumina2.names import CAPTION_NORM, ENDS, INSIDE, NORMS, STACKS
from lorasmith.models.take import Shapes, Take


def from_original(shapes: Shapes, keys: Collection[str]) -> dict[str, Take]:
    """Where each tensor of diffusers' Lumina 2 transformer is in a file with the original names."""
    return next_dit_names.from_original(shapes, _original)


def _original(name: str) -> str:
    module, _, kind = name.rpartition(".")
    if found := re.fullmatch(rf"((?:{'|'.join(STACKS)})\.\d+)\.(.+)", module):
        inside = (INSIDE | NORMS).get(found[2]) or re.sub(r"^attn\.", "attention.", found[2])
        return f"{found[1]}.{inside}.{kind}"
    return f"{(ENDS | CAPTION_NORM)[module]}.{kind}"
