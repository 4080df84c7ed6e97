"""The layers of a Stable Diffusion U-Net in LoRA files: what each is for, and its name and block in both ways of counting.

The original (LDM) model numbers its blocks through, diffusers counts levels and layers; see `unet_names`. Families differ in whose names
their files have. Paths here have underscores for dots.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lorasmith.models.architectures.unet_names import ENDS, IN_RESNET, ldm_module
from lorasmith.models.lora_naming import LayerNames, Place

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class UnetShape:
    """What the original names depend on: residual blocks a level, and which levels up have attention."""

    layers: int = 2
    up_attention: tuple[bool, ...] = (False, True, True, True)


def unet_shape(unet: nn.Module) -> UnetShape:
    """The shape of an opened U-Net of diffusers."""
    paths = [path for path, _ in unet.named_modules()]
    resnets = [path for path in paths if re.fullmatch(r"down_blocks\.0\.resnets\.\d+", path)]
    blocks = [match[1] for path in paths if (match := re.fullmatch(r"up_blocks\.(\d+)", path))]
    with_attention = {match[1] for path in paths if (match := re.match(r"up_blocks\.(\d+)\.attentions\.", path))}
    return UnetShape(layers=len(resnets) or 2, up_attention=tuple(block in with_attention for block in blocks))


_RESNET_BACK = {original.replace(".", "_"): ours for ours, original in IN_RESNET.items()}
_ENDS_BACK = {original.replace(".", "_"): ours.replace(".", "_") for ours, original in ENDS.items()}


def to_ldm(flat: str, shape: UnetShape) -> str:
    """The original's name of a layer; a name of the original's stays as it is."""
    attention_up = frozenset(block for block, has in enumerate(shape.up_attention) if has)
    try:
        return ldm_module(LDM_NAMES.dotted(flat), shape.layers, attention_up).replace(".", "_")
    except KeyError:
        return flat


def to_diffusers(flat: str, shape: UnetShape) -> str:
    """diffusers' name of a layer. The original's blocks are counted through: a level's layers, then its sampler."""
    level = shape.layers + 1
    if flat in _ENDS_BACK:
        return _ENDS_BACK[flat]
    if m := re.fullmatch(r"input_blocks_(\d+)_0_op", flat):
        return f"down_blocks_{int(m[1]) // level - 1}_downsamplers_0_conv"
    if m := re.fullmatch(r"output_blocks_(\d+)_[12]_conv", flat):
        return f"up_blocks_{int(m[1]) // level}_upsamplers_0_conv"
    if m := re.fullmatch(r"(input|output)_blocks_(\d+)_([01])_(\w+)", flat):
        number = int(m[2]) - (1 if m[1] == "input" else 0)
        kind = "resnets" if m[3] == "0" else "attentions"
        side = "down" if m[1] == "input" else "up"
        return f"{side}_blocks_{number // level}_{kind}_{number % level}_{_inside(kind, m[4])}"
    if m := re.fullmatch(r"middle_block_(\d+)_(\w+)", flat):
        kind = "attentions" if int(m[1]) % 2 else "resnets"
        return f"mid_block_{kind}_{int(m[1]) // 2}_{_inside(kind, m[2])}"
    return flat


def _inside(kind: str, inside: str) -> str:
    return _RESNET_BACK.get(inside, inside) if kind == "resnets" else inside


def block(flat: str, shape: UnetShape) -> str | None:
    """IN00 ..., MID, OUT00 ...: the original model's blocks, whichever names the file has."""
    found = re.search(r"(input|middle|output)_block(?:s_(\d+))?", to_ldm(flat, shape))
    if not found:
        return None
    return "MID" if found[1] == "middle" else f"{'IN' if found[1] == 'input' else 'OUT'}{int(found[2]):02d}"


def _as_diffusers(flat: str, shape: Any) -> Place:
    return Place(to_diffusers(flat, shape))


def _as_ldm(flat: str, shape: Any) -> Place:
    return Place(to_ldm(flat, shape))


def _layers(flat: str, shape: Any) -> tuple[str, ...]:
    return (to_diffusers(flat, shape),)


ORIGINAL_PATH = r"input_blocks|middle_block|output_blocks|time_embed[._]\d|label_emb|out[._]\d"
"""How a path of the original model begins."""

DIFFUSERS_NAMES = LayerNames(
    categories=(
        (r".*\.attn\d\.to_(q|k|v|out\.0)", "attention"),
        (r".*\.ff\.net\..*", "mlp"),
        (r".*attentions\.\d+\.proj_(in|out)", "frame"),
        (r".*(resnets|downsamplers|upsamplers)\..*", "convolution"),
        (r"(conv_in|conv_out|time_embedding\.linear_\d|add_embedding\.linear_\d)", "rest"),
    ),
    words=frozenset(
        ["down_blocks", "up_blocks", "mid_block", "resnets", "attentions", "downsamplers", "upsamplers", "transformer_blocks", "attn1", "attn2", "to_q", "to_k", "to_v", "to_out", "ff", "net", "proj", "proj_in", "proj_out", "norm", "norm1", "norm2", "norm3", "conv", "conv1", "conv2", "conv_in", "conv_out", "conv_norm_out", "conv_shortcut", "time_emb_proj", "time_embedding", "add_embedding", "linear_1", "linear_2", "input_blocks", "middle_block", "output_blocks", "in_layers", "emb_layers", "out_layers", "skip_connection", "op", "time_embed", "label_emb", "out"]
    ),
    to_file=_as_diffusers, to_module=_layers, block=block, shape_of=unet_shape, usual_shape=UnetShape(),
)  # fmt: skip
"""Files with diffusers' names, as kohya's of U-Nets with four levels."""

LDM_NAMES = LayerNames(
    categories=DIFFUSERS_NAMES.categories, words=DIFFUSERS_NAMES.words, to_file=_as_ldm, to_module=_layers, block=block, shape_of=unet_shape,
    usual_shape=UnetShape(up_attention=(True, True, False)),
)  # fmt: skip
"""Files with the original names, as kohya's of U-Nets with three levels."""
