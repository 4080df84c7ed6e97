"""What the programs that draw with LoRA files read, and what they drop or draw wrongly: measured facts, as data.

What they do with a layer depends on how it is named, which is the family's own (`models.lora_naming.Consumers`), and on what it is made of:
each row of KINDS. The versions they were found with are in VERSIONS; rows that nobody has tried say so.
"""

from __future__ import annotations

import re

from lorasmith.models.families import FAMILIES
from lorasmith.models.lora_naming import LOADS, UNTRIED, Reading, Readings, drops, readings

CONSUMERS = tuple(readings())
VERSIONS = {"AUTOMATIC1111": "1.10.1", "Forge": "2025-06-26", "ComfyUI": "0.3.64", "diffusers": "0.42.1"}

_NO_DIFFUSERS = Reading("refused", "it stops at the first layer that is no plain LoRA (ValueError: keys have not been correctly renamed)")
_OUTPUT_DORA = "it takes a DoRA magnitude along the outputs as one along the inputs, or divides by the length of W alone"

KINDS: dict[str, Readings] = {
    "lora": readings(LOADS, LOADS, LOADS, LOADS),
    "lora in Tucker form": readings(LOADS, LOADS, LOADS, _NO_DIFFUSERS),
    "DoRA along the inputs": readings(LOADS, LOADS, LOADS, Reading("wrong", "it drops the DoRA magnitude and loads the rest as a plain LoRA")),
    "DoRA along the outputs": readings(
        Reading("wrong", "it always takes a DoRA magnitude along the inputs"), Reading("wrong", _OUTPUT_DORA), Reading("wrong", _OUTPUT_DORA),
        Reading("wrong", "it drops the DoRA magnitude and loads the rest as a plain LoRA"),
    ),
    "DoRA in one row": readings(
        UNTRIED, UNTRIED, Reading("wrong", "a DoRA magnitude without a second axis is spread along the wrong one, or stops the load"), UNTRIED
    ),
    "loha": readings(LOADS, LOADS, LOADS, _NO_DIFFUSERS),
    "lokr": readings(LOADS, LOADS, LOADS, _NO_DIFFUSERS),
    "lokr in Tucker form": readings(
        LOADS, Reading("refused", "it stops at a Tucker core on most convolutions (view size is not compatible)"),
        drops("it skips a Tucker core on most convolutions (view size is not compatible)"), _NO_DIFFUSERS,
    ),
    "glora": readings(drops("it knows the older layout of GLoRA only"), LOADS, LOADS, _NO_DIFFUSERS),
    "diag-oft": readings(LOADS, drops("it does not know OFT"), Reading("wrong", "the strength counts squared: right at strength 1 only"), _NO_DIFFUSERS),
    "diag-oft with a constraint": readings(
        LOADS, drops("it does not know OFT"), Reading("wrong", "it takes the constraint without the layer's width"), _NO_DIFFUSERS
    ),
    "rotation with rescale": readings(LOADS, drops("it does not know OFT"), Reading("wrong", "it ignores the rescale"), _NO_DIFFUSERS),
    "boft": readings(LOADS, drops("it does not know BOFT"), LOADS, _NO_DIFFUSERS),
    "boft without alpha": readings(LOADS, drops("it does not know BOFT"), drops("it needs an alpha to see a BOFT"), _NO_DIFFUSERS),
    "ia3": readings(LOADS, drops("it does not know (IA)^3"), drops("it does not know (IA)^3"), _NO_DIFFUSERS),
    "ia3 on a convolution": readings(
        drops("it stops at (IA)^3 on convolutions (size mismatch)"), drops("it does not know (IA)^3"), drops("it does not know (IA)^3"),
        _NO_DIFFUSERS,
    ),
    "full": readings(LOADS, LOADS, LOADS, _NO_DIFFUSERS),
    "norm": readings(LOADS, LOADS, LOADS, _NO_DIFFUSERS),
}  # fmt: skip
"""What a layer is made of -> program -> what it does."""

FORGE_LIMIT = 12
"""Forge ignores a file with more keys than this that it does not know ("LoRA version mismatch")."""


def naming(written: str, family: str) -> str:
    """The way of naming that a layer's keys are written in, by the key without its end."""
    if re.match(r"lora_te\d?_", written):
        rest = re.sub(r"^lora_te\d?_", "", written)
        if rest.startswith("encoder_block_"):
            return "kohya, T5"
        return "kohya, CLIP" if rest.startswith("text_model_") else "kohya, CLIP without text_model"
    original = FAMILIES[family].lora.original_path
    if written.startswith("lora_unet_"):
        is_original = original is not None and re.match(original, written.removeprefix("lora_unet_"))
        return "kohya, original path" if is_original else "kohya, diffusers path"
    for start in ("lora_transformer_", "lycoris_"):
        if written.startswith(start):
            return start
    if found := re.match(r"(?:model\.)?diffusion_model\.(.*)", written):
        return "diffusion_model., original path" if original is None or re.match(original, found[1]) else "another"
    if re.match(r"(unet|transformer|text_encoder|text_encoder_2)\.", written) and "processor" not in written:
        return "diffusers"
    return "another"


def rule_for(program: str, family: str, written: str, made_of: str, conv: bool = False) -> Reading:
    """What a program does with one layer: the first reason against it, by its name or by what it is made of."""
    consumers = FAMILIES[family].lora.consumers
    if program in consumers.without:
        return drops(f"it does not draw with {family}")
    by_name = consumers.by_naming.get(naming(written, family), {}).get(program, UNTRIED)
    unknown = consumers.unknown_names.get(program)
    if unknown and re.fullmatch(unknown, written):
        return drops("it does not find this layer under this name")
    kind = "ia3 on a convolution" if made_of == "ia3" and conv else made_of
    by_kind = consumers.kinds.get((program, kind)) or KINDS[kind][program]
    for rule in (by_name, by_kind):
        if rule.effect in ("refused", "dropped"):
            return rule
    return by_name if by_kind.effect == "loads" else by_kind


def ui_type(metadata: dict[str, str]) -> str | None:
    """The type that AUTOMATIC1111 shows and filters by ("SD1", "SD2", "SDXL"), as it reads the metadata; None without any."""
    if not metadata:
        return None
    if metadata.get("ss_base_model_version", "").startswith("sdxl_"):
        return "SDXL"
    return "SD2" if metadata.get("ss_v2") == "True" else "SD1"
