"""What the programs that generate with LoRA files do with a layer: by how it is named, and by its form.

How layers are named is the family's own (`models.lora_naming.Consumers`); a layer's form is its kind's (`adapters.kinds.programs.Form`).
"""

from __future__ import annotations

import re

from lorasmith.adapters.kinds.programs import Form
from lorasmith.models.families import FAMILIES
from lorasmith.models.lora_naming import UNTRIED, Reading, drops

FORGE_LIMIT = 12
"""Forge ignores a file with more keys than this that it does not know ("LoRA version mismatch")."""


def naming(written: str, family: str) -> str:
    """The way of naming that a layer's keys are written in, by the key without its end."""
    if re.match(r"lora_te\d?_", written):
        rest = re.sub(r"^lora_te\d?_", "", written)
        if rest.startswith(("encoder_block_", "encoder_final_layer_norm")):
            return "kohya, T5"
        return "kohya, CLIP" if rest.startswith("text_model_") else "kohya, CLIP without text_model"
    if written.startswith("text_encoders."):
        return "ComfyUI, text encoders"
    if written.startswith("base_model.model."):
        return "peft"
    if re.match(r"(double|single)_blocks\.\d+\.processor\.", written):
        return "XLabs"
    if re.match(r"unet\..*\.processor\b", written):
        return "diffusers, old processors"
    if re.match(r"(down_blocks|up_blocks|mid_block)\.", written):
        return "diffusers, oldest processors" if ".processor." in written else "diffusers, without unet."
    original = FAMILIES[family].lora.original_path
    if written.startswith("lora_unet_"):
        is_original = original is not None and re.match(original, written.removeprefix("lora_unet_"))
        return "kohya, original path" if is_original else "kohya, diffusers path"
    if written.startswith("oft_unet_"):
        is_original = original is not None and re.match(original, written.removeprefix("oft_unet_"))
        return "kohya's OFT, original path" if is_original else "kohya's OFT, diffusers path"
    for start in ("lora_transformer_", "lycoris_"):
        if written.startswith(start):
            return start
    if found := re.match(r"(?:model\.)?diffusion_model\.(.*)", written):
        return "diffusion_model., original path" if original is None or re.match(original, found[1]) else "another"
    if re.match(r"(unet|transformer|text_encoder|text_encoder_2)\.", written) and "processor" not in written:
        return "diffusers"
    return "another"


def rule_for(program: str, family: str, written: str, form: Form) -> Reading:
    """What a program does with one layer: the first reason against it, by its name or by its form."""
    consumers = FAMILIES[family].lora.consumers
    if program in consumers.without:
        return drops(f"it has no {FAMILIES[family].title}")
    by_name = consumers.by_naming.get(naming(written, family), {}).get(program, UNTRIED)
    refused = consumers.refused_names.get(program)
    if refused and re.fullmatch(refused, written):
        return Reading("refused", "it stops at this name: convert the file (lorasmith lora convert)")
    unknown = consumers.unknown_names.get(program)
    if unknown and re.fullmatch(unknown, written):
        return drops("it does not find this layer under this name")
    by_form = consumers.kinds.get((program, form.name)) or form.programs[program]
    for rule in (by_name, by_form):
        if rule.effect in ("refused", "dropped"):
            return rule
    return by_name if by_form.effect == "loads" else by_form


def ui_type(metadata: dict[str, str]) -> str | None:
    """The type that AUTOMATIC1111 shows and filters by ("SD1", "SD2", "SDXL"), as it reads the metadata; None without any."""
    if not metadata:
        return None
    if metadata.get("ss_base_model_version", "").startswith("sdxl_"):
        return "SDXL"
    return "SD2" if metadata.get("ss_v2") == "True" else "SD1"
