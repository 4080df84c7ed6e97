"""What the records of families with a U-Net and CLIP text encoders have in common, as values to build on."""

from __future__ import annotations

from lorasmith.captions.style import CaptionStyle
from lorasmith.models.architectures.unet_consumers import ATTENTION_OF_DIFFUSERS, CLIP_NORMS, SHORT_CLIP, UNET_NAMINGS
from lorasmith.models.family import BlockRow
from lorasmith.models.lora_naming import LOADS, Consumers, Reading, readings

SENTENCES = CaptionStyle(
    "sentences",
    "The plain bases of this family were trained on sentences; only bases that were fine-tuned on tags (anime) understand tags better.",
    "Keep tags for an anime base; for a plain one let a captioner describe the pictures.",
    strict=False,
)

FOUR_LEVELS = Consumers(
    by_naming=UNET_NAMINGS | {
        "kohya, CLIP without text_model": readings(SHORT_CLIP, SHORT_CLIP, SHORT_CLIP, LOADS),
        "kohya, original path": readings(LOADS, LOADS, LOADS, Reading("refused", "it knows the original names for SDXL only (ValueError)")),
    },
    unknown_names={"AUTOMATIC1111": r"lora_unet_(conv_norm_out|out_0)", "ComfyUI": f"{ATTENTION_OF_DIFFUSERS}|{CLIP_NORMS}", "Forge": CLIP_NORMS},
    mixed_styles=False,
    common_alpha=r"_attn\d_to_",
    alphas_refused_by_diffusers=frozenset({"diffusers"}),
)  # fmt: skip
THREE_LEVELS = Consumers(
    by_naming=UNET_NAMINGS
    | {"kohya, CLIP without text_model": readings(SHORT_CLIP, SHORT_CLIP, SHORT_CLIP, Reading("refused", SHORT_CLIP.reason))},
    unknown_names={
        "AUTOMATIC1111": r"lora_unet_(up_blocks_0_upsamplers_0_conv|add_embedding_linear_[12]|conv_norm_out)|lora_te_.*",
        "ComfyUI": f"{ATTENTION_OF_DIFFUSERS}|{CLIP_NORMS}",
        "Forge": CLIP_NORMS,
    },
    mixed_styles=False,
    common_alpha=r"_attn\d_to_",
    alphas_refused_by_diffusers=frozenset({"diffusers"}),
)


def _numbered(name: str, numbers: range | tuple[int, ...]) -> tuple[str, ...]:
    return tuple(f"{name}{number:02d}" for number in numbers)


_MIDDLE = tuple(f"lora_unet_middle_block_{layer}_*" for layer in range(3))
FOUR_LEVEL_ROW = BlockRow(
    12, 1, (*_numbered("IN", range(12)), "MID", *_numbered("OUT", range(12))),
    frozenset({*_numbered("IN", (1, 2, 4, 5, 7, 8)), "MID", *_numbered("OUT", range(3, 12))}),
)  # fmt: skip
THREE_LEVEL_ROW = BlockRow(
    9, 3, (*_numbered("IN", range(9)), *_MIDDLE, *_numbered("OUT", range(9))),
    frozenset({*_numbered("IN", (4, 5, 7, 8)), _MIDDLE[1], *_numbered("OUT", range(6))}), spare=1,
)  # fmt: skip
