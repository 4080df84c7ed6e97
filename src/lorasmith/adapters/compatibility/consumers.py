"""What the programs that draw with LoRA files read, and what they drop or draw wrongly: measured facts, as data.

Each row of NAMES says for a way of naming, each row of KINDS for what a layer is made of, what AUTOMATIC1111, Forge, ComfyUI
and diffusers do with it. The versions they were found with are in VERSIONS; rows that nobody has tried say so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

CONSUMERS = ("AUTOMATIC1111", "Forge", "ComfyUI", "diffusers")
VERSIONS = {"AUTOMATIC1111": "1.10.1", "Forge": "2025-06-26", "ComfyUI": "0.3.64", "diffusers": "0.42.1"}
FAMILIES = {"AUTOMATIC1111": ("sd1", "sd2", "sdxl")}
"""Which families a program draws with, where that is not all."""

Effect = Literal["loads", "dropped", "wrong", "refused", "untried"]
"""dropped: the layer has no effect. wrong: it is drawn otherwise than trained. refused: the whole file is not loaded."""


@dataclass(frozen=True)
class Rule:
    """What a program does, and why."""

    effect: Effect
    reason: str = ""


YES = Rule("loads")
UNTRIED = Rule("untried", "not tried with this program")


def _row(automatic1111: Rule, forge: Rule, comfyui: Rule, diffusers: Rule) -> dict[str, Rule]:
    return dict(zip(CONSUMERS, (automatic1111, forge, comfyui, diffusers), strict=True))


def _no(reason: str) -> Rule:
    return Rule("dropped", reason)


_NO_DIFFUSERS = Rule("refused", "it stops at the first layer that is no plain LoRA (ValueError: keys have not been correctly renamed)")
_OUTPUT_DORA = "it takes a DoRA magnitude along the outputs as one along the inputs, or divides by the length of W alone"

KINDS: dict[str, dict[str, Rule]] = {
    "lora": _row(YES, YES, YES, YES),
    "lora in Tucker form": _row(YES, YES, YES, _NO_DIFFUSERS),
    "DoRA along the inputs": _row(YES, YES, YES, Rule("wrong", "it drops the DoRA magnitude and loads the rest as a plain LoRA")),
    "DoRA along the outputs": _row(
        Rule("wrong", "it always takes a DoRA magnitude along the inputs"), Rule("wrong", _OUTPUT_DORA), Rule("wrong", _OUTPUT_DORA),
        Rule("wrong", "it drops the DoRA magnitude and loads the rest as a plain LoRA"),
    ),
    "DoRA in one row": _row(
        UNTRIED, UNTRIED, Rule("wrong", "a DoRA magnitude without a second axis is spread along the wrong one, or stops the load"), UNTRIED
    ),
    "loha": _row(YES, YES, YES, _NO_DIFFUSERS),
    "lokr": _row(YES, YES, YES, _NO_DIFFUSERS),
    "lokr in Tucker form": _row(
        YES, Rule("refused", "it stops at a Tucker core on most convolutions (view size is not compatible)"),
        _no("it skips a Tucker core on most convolutions (view size is not compatible)"), _NO_DIFFUSERS,
    ),
    "glora": _row(_no("it knows the older layout of GLoRA only"), YES, YES, _NO_DIFFUSERS),
    "diag-oft": _row(YES, _no("it does not know OFT"), Rule("wrong", "the strength counts squared: right at strength 1 only"), _NO_DIFFUSERS),
    "diag-oft with a constraint": _row(
        YES, _no("it does not know OFT"), Rule("wrong", "it takes the constraint without the layer's width"), _NO_DIFFUSERS
    ),
    "rotation with rescale": _row(YES, _no("it does not know OFT"), Rule("wrong", "it ignores the rescale"), _NO_DIFFUSERS),
    "boft": _row(YES, _no("it does not know BOFT"), YES, _NO_DIFFUSERS),
    "boft without alpha": _row(YES, _no("it does not know BOFT"), _no("it needs an alpha to see a BOFT"), _NO_DIFFUSERS),
    "ia3": _row(YES, _no("it does not know (IA)^3"), _no("it does not know (IA)^3"), _NO_DIFFUSERS),
    "ia3 on a convolution": _row(
        _no("it stops at (IA)^3 on convolutions (size mismatch)"), _no("it does not know (IA)^3"), _no("it does not know (IA)^3"),
        _NO_DIFFUSERS,
    ),
    "full": _row(YES, YES, YES, _NO_DIFFUSERS),
    "norm": _row(YES, YES, YES, _NO_DIFFUSERS),
}  # fmt: skip
"""What a layer is made of -> program -> what it does."""

_DOTS = "it knows names with underscores only (kohya's)"
_OF_DIFFUSERS = "names of diffusers mean nothing to it: convert the file (lorasmith lora convert)"
_SHORT_CLIP = "it needs text_model_ in the names of the text encoder"

NAMES: dict[tuple[str, str], dict[str, Rule]] = {
    # (way of naming, family or "sd" for both 1.x and 2.x) -> program -> what it does
    ("kohya, diffusers path", "sd"): _row(YES, YES, YES, YES),
    ("kohya, original path", "sd"): _row(YES, YES, YES, _no("it knows the original names for SDXL only")),
    ("kohya, original path", "sdxl"): _row(YES, YES, YES, YES),
    ("kohya, diffusers path", "sdxl"): _row(YES, YES, YES, YES),
    ("kohya, original path", "flux"): _row(YES, YES, YES, YES),
    ("kohya, diffusers path", "flux"): _row(UNTRIED, UNTRIED, UNTRIED, UNTRIED),
    ("kohya, CLIP", "any"): _row(YES, YES, YES, YES),
    ("kohya, CLIP without text_model", "any"): _row(_no(_SHORT_CLIP), _no(_SHORT_CLIP), _no(_SHORT_CLIP), _no(_SHORT_CLIP)),
    ("kohya, T5", "flux"): _row(YES, YES, YES, _no("it loads no LoRA into T5")),
    ("diffusers", "sd"): _row(_no(_OF_DIFFUSERS), Rule("refused", _OF_DIFFUSERS), _no(_OF_DIFFUSERS), YES),
    ("diffusers", "sdxl"): _row(_no(_OF_DIFFUSERS), Rule("refused", _OF_DIFFUSERS), _no(_OF_DIFFUSERS), YES),
    ("diffusers", "flux"): _row(_no(_OF_DIFFUSERS), YES, YES, YES),
    ("lora_transformer_", "flux"): _row(UNTRIED, UNTRIED, YES, UNTRIED),
    ("lycoris_", "any"): _row(_no("it does not know lycoris_"), YES, YES, _no("it does not know lycoris_")),
    ("diffusion_model., original path", "any"): _row(_no(_DOTS), UNTRIED, YES, UNTRIED),
}
"""How a layer is called -> program -> what it does. What is not here nobody has tried."""

_NOT_IN_AUTOMATIC1111 = re.compile(r"lora_unet_(conv_norm_out|out_0)")
_NOT_IN_AUTOMATIC1111_SDXL = re.compile(r"lora_unet_(up_blocks_0_upsamplers_0_conv|add_embedding_linear_[12]|conv_norm_out)")

FORGE_LIMIT = 12
"""Forge ignores a file with more keys than this that it does not know ("LoRA version mismatch")."""


def naming(written: str) -> str:
    """The way of naming that a layer's keys are written in, told by the key without its end."""
    if re.match(r"lora_te\d?_", written):
        rest = re.sub(r"^lora_te\d?_", "", written)
        if rest.startswith("encoder_block_"):
            return "kohya, T5"
        return "kohya, CLIP" if rest.startswith("text_model_") else "kohya, CLIP without text_model"
    if written.startswith("lora_unet_"):
        original = re.match(r"lora_unet_(input_blocks|middle_block|output_blocks|time_embed_|label_emb|out_\d|double_|single_blocks|"
                            r"img_|txt_|time_in|vector_in|guidance_in|final_layer)", written)  # fmt: skip
        return "kohya, original path" if original else "kohya, diffusers path"
    for start in ("lora_transformer_", "lycoris_"):
        if written.startswith(start):
            return start
    if re.match(r"(model\.)?diffusion_model\.(input_|middle_|output_|double_|single_|img_|txt_|out\.|time_|label_|final_)", written):
        return "diffusion_model., original path"
    if re.match(r"(unet|transformer|text_encoder|text_encoder_2)\.", written) and "processor" not in written:
        return "diffusers"
    return "another"


def rule_for(program: str, family: str, written: str, made_of: str, conv: bool = False) -> Rule:
    """What a program does with one layer: the first reason against it, by its name or by what it is made of."""
    if program in FAMILIES and family not in FAMILIES[program]:
        return _no(f"it does not draw with {family}")
    way = naming(written)
    group = "sd" if family in ("sd1", "sd2") else family
    by_name = (NAMES.get((way, group)) or NAMES.get((way, "any")) or {}).get(program, UNTRIED)
    if program == "AUTOMATIC1111":
        special = _NOT_IN_AUTOMATIC1111_SDXL if family == "sdxl" else _NOT_IN_AUTOMATIC1111
        if special.fullmatch(written):
            return _no("it does not find this layer under this name")
    kind = "ia3 on a convolution" if made_of == "ia3" and conv else made_of
    by_kind = KINDS[kind][program]
    if program == "diffusers" and family == "flux" and kind == "lokr":
        by_kind = _no("it finds no LoRA in the file and says nothing")
    for rule in (by_name, by_kind):
        if rule.effect in ("refused", "dropped"):
            return rule
    return by_name if by_kind.effect == "loads" else by_kind


def ui_type(metadata: dict[str, str]) -> str | None:
    """The type that AUTOMATIC1111 shows and filters by ("SD1", "SD2", "SDXL"), told by metadata; None without any."""
    if not metadata:
        return None
    if metadata.get("ss_base_model_version", "").startswith("sdxl_"):
        return "SDXL"
    return "SD2" if metadata.get("ss_v2") == "True" else "SD1"
