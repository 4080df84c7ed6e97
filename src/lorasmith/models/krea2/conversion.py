"""The original names of the Krea 2 transformer. A block's six modulation vectors are one row of numbers in its files."""

from __future__ import annotations

import re
from collections.abc import Collection

from lorasmith.models.krea2.names import ENDS, INSIDE, OTHERS, STACKS
from lorasmith.models.take import Shapes, Take


def from_original(shapes: Shapes, keys: Collection[str]) -> dict[str, Take]:
    """Where each tensor of diffusers' Krea 2 transformer is in a file with the original names."""
    return {name: Take(_original(name), any_shape=name.endswith("scale_shift_table")) for name in shapes}


def _original(name: str) -> str:
    module, _, kind = name.rpartition(".")
    for stack, theirs in STACKS.items():
        if found := re.fullmatch(rf"{re.escape(stack)}\.(\d+)\.(.+)", name):
            inside = found[2].removesuffix(f".{kind}")
            return f"{theirs}.{found[1]}.{OTHERS[found[2]] if found[2] in OTHERS else f'{INSIDE[inside]}.{kind}'}"
    return OTHERS[name] if name in OTHERS else f"{ENDS[module]}.{kind}"
