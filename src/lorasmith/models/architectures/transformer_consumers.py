"""What the programs that generate images with LoRA files make of names for transformers; a family says where it differs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lorasmith.models.lora_naming import LOADS, Consumers, Reading, Readings, drops, readings

UNKNOWN = drops("it does not know these names: convert the file (lorasmith lora convert)")
NOBODY = readings(UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN)
NOBODY_AND_FORGE_REFUSES = readings(UNKNOWN, Reading("refused", UNKNOWN.reason), UNKNOWN, UNKNOWN)
EVERYBODY = readings(forge=LOADS, comfyui=LOADS, diffusers=LOADS)
NATIVE = "diffusion_model., original path"
"""The way of naming that is written for most of these families."""
DIFFUSERS_FINDS_NO_LOKR = {("diffusers", "lokr"): drops("it finds no LoRA in the file and says nothing")}
"""Of transformers with double and single blocks."""
NORMS_WITHOUT_DOTS = dict.fromkeys(("ComfyUI", "Forge"), r"lora_unet_\w+_((query|key)_norm|norms_\d+)(_scale)?")
"""Names that they make of a layer's weight, and the norms of these transformers call theirs a scale."""


def of_transformer(by_naming: Mapping[str, Readings], nobody: Readings = NOBODY, **differs: Any) -> Consumers:
    """The readers of a family with a transformer, which AUTOMATIC1111 does not have; `nobody` is what they do with names that none knows.

    `differs` are the other fields of `Consumers`.
    """
    return Consumers({NATIVE: EVERYBODY, "peft": nobody, "another": nobody, **by_naming}, without=("AUTOMATIC1111",), **differs)
