"""Families of models that are not supported here, by the names and widths in their LoRA files.

Many transformers share the names of their blocks with Flux.1 (`double_blocks`, `transformer_blocks`). Taken for it, a file would be
reported as loading and be converted into one that nothing reads; so it is called by its name, and refused.

Marks and words of a title that a family in the registry has are no reason against a file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from lorasmith.models.families import FAMILIES
from lorasmith.models.lora_naming import NAMES

Shape = tuple[int, ...]
"""Shape of a layer's change, [out, in, ...]."""


@dataclass(frozen=True)
class _Mark:
    """What shows a family: a pattern that a layer's name contains (dots as underscores), with or without a rule about its shape."""

    title: str
    name: str
    fits: Callable[[Shape], bool] | None = None
    """None: the name suffices."""


def _wide(*widths: int) -> Callable[[Shape], bool]:
    """The layer's input is this wide."""
    return lambda shape: shape[1] in widths


def _wide_but_not(*widths: int) -> Callable[[Shape], bool]:
    """The layer's input is as wide as that of a model at full size, and is none of Flux.1's."""
    return lambda shape: shape[1] >= 1024 and shape[1] not in widths


_BLOCK = r"^main_transformer_blocks_\d+_"
"""A block of a transformer in diffusers' names; those of a U-Net are within `attentions` or `input_blocks`."""

_UNET = r"^main_((input|output)_blocks|middle_block|(down|up)_blocks|mid_block)_"

_MARKS = (
    _Mark("Krea 2", r"^main_blocks_\d+_(attn_(w[qkvo]|gate)|mlp_(gate|up|down))$|^main_(txtfusion|text_fusion)_|attn_to_gate$|_ff_(gate|up|down)$"),
    _Mark("FLUX.2 dev", r"(double|single)_stream_modulation|attn_to_qkv_mlp_proj|_ff(_context)?_linear_(in|out)$", _wide(6144, 18432, 24576)),
    _Mark("FLUX.2 dev", r"double_blocks_\d+_(img|txt)_(attn|mlp)_|single_blocks_\d+_", _wide(6144, 18432, 24576)),
    _Mark("HunyuanVideo", r"token_refiner|double_blocks_\d+_\w+_(fc[12]|mod_linear)$|single_blocks_\d+_modulation_linear$"),
    _Mark("HunyuanVideo", r"double_blocks_(19|[2-9]\d)_|single_(transformer_)?blocks_(3[89]|[4-9]\d)_"),
    _Mark("HunyuanVideo", r"^main_transformer_blocks_19_(ff|norm1)_", _wide(3072, 12288)),
    _Mark("HunyuanVideo 1.5", r"^main_(double|transformer)_blocks_\d+_(img_|txt_)?attn_", _wide(2048)),
    _Mark("HunyuanImage", r"^main_(double|single|transformer|single_transformer)_blocks_\d+_", _wide(3584)),
    _Mark("AuraFlow", r"joint_transformer_blocks_\d|(double|single)_layers_\d|single_transformer_blocks_\d+_(ff_linear_[123]|attn_to_out_0)"),
    _Mark("Stable Diffusion 3.5", r"joint_blocks_\d|context_block"),
    _Mark("Stable Diffusion 3.5", _BLOCK + r"(attn2?|ff|ff_context)_(?!.*norm)\w*(to_[qkv]|add_[qkv]_proj|net_0_proj)$", _wide(1536, 2432)),
    _Mark("Stable Diffusion 3.5", _BLOCK + r"attn_(to_out_0|to_add_out)$", _wide(1536, 2432)),
    _Mark("Stable Diffusion 3.5", _BLOCK + r"norm1(_context)?_linear$", _wide(1536, 2432)),
    _Mark("Stable Diffusion 3.5", _BLOCK + r"ff(_context)?_net_2$", _wide(6144, 9728)),
    _Mark("Qwen-Image", _BLOCK + r"(img|txt)_(mod_1|mlp_net_)"),
    _Mark("Qwen-Image", r"^main_transformer_blocks_[2-9]\d_attn_(to|add)_"),
    _Mark("HunyuanVideo or Qwen-Image", r"^main_transformer_blocks_19_attn_(to|add)_"),
    _Mark("Mochi", _BLOCK + r"attn1_add_[qkv]_proj"),
    _Mark("Sana", r"conv_(inverted|depth|point)$"),
    _Mark("PixArt", _BLOCK + r"attn[12]_to_[qkv]$", _wide(1152)),
    _Mark("PixArt", r"adaln_single|caption_projection"),
    _Mark("CogVideoX", _BLOCK + r"attn1_to_[qkv]$", _wide(1920, 3072)),
    _Mark("LTX-Video", _BLOCK + r"attn[12]_to_[qkv]$", _wide(4096)),
    _Mark("LTX-Video", _BLOCK + r"attn2_to_[kv]$", _wide(2048)),
    _Mark("LTX-Video or Anima", _BLOCK + r"attn[12]_to_[qkv]$", _wide(2048)),
    _Mark("HiDream", r"(double|single)_stream_blocks_\d"),
    _Mark("Wan", r"^main__?blocks_\d+_(self_attn_[qkvo]|cross_attn_(k_img|v_img|[qkvo])|ffn_[02])$"),
    _Mark("Wan", r"^main_blocks_\d+_attn[12]_to_[qkv]$", _wide(1536, 3072, 5120)),
    _Mark("Hunyuan-DiT", r"^main_blocks_\d+_(attn1_(to_[qkv]|Wqkv)|attn2_(to_[qkv]|q_proj|kv_proj))$", _wide(1408)),
    _Mark("Z-Image", r"layers_\d+_attention_(to_[qkv]|to_out_0|qkv|out)$", _wide(3840)),
    _Mark("NewBie", r"clip_text_pooled_proj"),
    _Mark("NewBie", r"^main_layers_(2[6-9]|3[0-5])_(attention_(qkv|out)|feed_forward_w[13])$", _wide(2304)),
    _Mark("NewBie", r"^main_layers_(2[6-9]|3[0-5])_adaLN_modulation_1$"),
    _Mark("Lumina-Next", r"layers_\d+_attention_w[qkvo]$"),
    _Mark("Stable Cascade", r"^other_"),
    _Mark("the refiner of Stable Diffusion XL", _UNET + r"\w+_attn2_to_[kv]$", _wide(1280)),
    _Mark("the refiner of Stable Diffusion XL", _UNET + r"\w+_attn1_to_[qkv]$", _wide(384, 768, 1536)),
    _Mark("Stable Video Diffusion", r"temporal_transformer_blocks_\d|time_stack_\d"),
    _Mark("AnimateDiff", r"motion_modules_\d"),
    _Mark("Anima", r"^main_(diffusion_model_)?blocks_\d+_((self|cross)_attn_([qkv]|output)_proj|mlp_layer[12])$"),
    _Mark("another transformer", r"^main_((double|single)|(single_)?transformer)_blocks_\d+_", _wide_but_not(3072, 12288, 15360)),
    _Mark("another transformer", r"diffusion_model_blocks_\d|^main_blocks_\d|^main_layers_\d|" + _BLOCK + "attn[12]_"),
)  # fmt: skip
_WORDS = {
    "flux2": "FLUX.2 dev", "flux-2": "FLUX.2 dev", "flux.2": "FLUX.2 dev",
    "hunyuan": "Hunyuan", "qwen": "Qwen-Image", "wan": "Wan", "lumina-next": "Lumina-Next",
    "pixart": "PixArt", "auraflow": "AuraFlow", "kolors": "Kolors", "cascade": "Stable Cascade", "hidream": "HiDream", "z-image": "Z-Image",
}  # fmt: skip


def other_family(shapes: Mapping[str, Shape | None]) -> str | None:
    """The title of the family that the layers are of by the first mark that fits; None where that is supported, or no mark fits.

    `shapes` has the names of the layers, begun with their part ("main_..."), with the shapes of their changes as far as they are known.
    """
    found = {
        number
        for name, shape in shapes.items()
        for number in _marks_in(name)
        if (fits := _MARKS[number].fits) is None or (shape is not None and fits(shape))
    }
    first = _MARKS[min(found)].title if found else None
    return None if first in _titles() else first


@lru_cache(NAMES)
def _marks_in(name: str) -> tuple[int, ...]:
    """The numbers of the marks whose pattern a name contains."""
    return tuple(number for number, mark in enumerate(_MARKS) if re.search(mark.name, name))


def other_family_in_words(version: str) -> str | None:
    """The title of the unsupported family that the metadata name; None where they name none of these."""
    supported = _titles()
    return next((title for word, title in _WORDS.items() if version.lower().startswith(word) and title not in supported), None)


def _titles() -> frozenset[str]:
    """The titles of the families in the registry."""
    return frozenset(family.title for family in FAMILIES.values())
