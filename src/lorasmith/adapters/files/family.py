"""Which family of base models a file was made for."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from lorasmith.adapters.kinds import kind_of
from lorasmith.errors import AdapterError
from lorasmith.models.families import FAMILIES, in_words

_OTHERS = re.compile(r"joint_blocks_\d|context_block|diffusion_model_blocks_\d|main_blocks_\d|main_layers_\d")
"""Names of layers in families that are not supported yet."""


def guess_family(layers: Mapping[str, Mapping[str, Tensor]], metadata: Mapping[str, str]) -> str:
    """The family that a file was made for, from the names of its layers, the widths of its tensors, and its metadata.

    What each family is recognised by is in its record (`models.lora_naming.LoraMarks`). Of two that fit, the later in the registry has
    more layers of its own, and is taken.

    Raises:
        AdapterError: nothing in it shows the family.
    """
    flat = {name.replace(".", "_"): tensors for name, tensors in layers.items()}
    names = "\n".join(flat)
    marks = {name: family.lora.marks for name, family in reversed(FAMILIES.items())}
    version = metadata.get("ss_base_model_version", "") + metadata.get("modelspec.architecture", "")
    for name, mark in marks.items():
        if mark.certain and re.search(mark.certain, names):
            return name
    if _OTHERS.search(names):
        raise AdapterError(f"The file was made for another family of models than {in_words()}.", code="lora.unknown_family")
    for name, mark in marks.items():
        if any(piece in version for piece in mark.versions):
            return name
    cross_attention, text_encoder = _width_of(flat, r"attn2_to_[kv]$"), _width_of(flat, r"self_attn_[qkv]_proj$")
    for name, mark in marks.items():
        if cross_attention is not None and cross_attention == mark.cross_attention:
            return name
    for name, mark in marks.items():
        if text_encoder is not None and text_encoder == mark.text_encoder:
            return name
    for name, mark in marks.items():
        if mark.likely and re.search(mark.likely, names):
            return name
    raise AdapterError(
        f"Nothing in the file shows which family of models it was made for: give it ({', '.join(FAMILIES)}).", code="lora.unknown_family"
    )


def _width_of(layers: Mapping[str, Mapping[str, Tensor]], pattern: str) -> int | None:
    """Input channels of the first layer with such a name whose tensors show them."""
    for name, tensors in layers.items():
        if re.search(pattern, name) and (width := _input_width(tensors)) is not None:
            return width
    return None


def _input_width(tensors: Mapping[str, Tensor]) -> int | None:
    """Input channels of a linear layer, where the tensors show them."""
    try:
        shape = kind_of(tensors).shape
    except AdapterError:
        return None
    return None if shape is None else shape(tensors)[1]
