"""Eight-bit weights in files: what the factors beside them are called, and which of them are read.

fp8 files come in two kinds: plain ones, whose numbers are the weights, and scaled ones, where each weight has a factor beside it that it is
multiplied by, one for the whole or one for each row. ComfyUI's older files call it `scale_weight` and its newer ones `weight_scale`; what
both have for the inputs (`scale_input`, `input_scale`) is for computing in eight bits, which is not done here. Factors for blocks of a
weight (mxfp8, and what others publish as `weight_scale_inv`) are not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from lorasmith.safetensors_header import Entry

SCALES = ("scale_weight", "weight_scale")
"""What the factor of an eight-bit weight is called, in place of "weight"."""
_OF_BLOCKS = ("weight_scale_inv", "weight_scale_2")


def is_eight_bit(entry: Entry) -> bool:
    """Whether a tensor has numbers of eight bits with a point."""
    return entry.dtype.startswith("F8")


def is_scaled(entries: Mapping[str, Entry], prefix: str) -> bool:
    """Whether the part of a file with this prefix has factors beside its weights."""
    return any(key.startswith(prefix) and key.endswith(tuple(f".{name}" for name in SCALES)) for key in entries)


def unread_scales(entries: Mapping[str, Entry]) -> str | None:
    """The first tensor that has factors of an eight-bit weight which are not read: those that are neither one nor one for each row."""
    for key, entry in entries.items():
        module, _, kind = key.rpartition(".")
        weight = entries.get(f"{module}.weight")
        if weight is None or not is_eight_bit(weight):
            continue
        numbers = prod(entry.shape)
        if kind in _OF_BLOCKS or (kind in SCALES and numbers != 1 and (numbers, entry.shape[0]) != (weight.shape[0], weight.shape[0])):
            return key
    return None
