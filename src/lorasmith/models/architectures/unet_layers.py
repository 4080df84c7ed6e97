"""The layers of a Stable Diffusion U-Net in LoRA files: what each is for, and its name and block in both ways of counting.

The original (LDM) model numbers its blocks through, diffusers counts levels and layers; see `unet_names`. Families differ in whose names
their files have. Paths here have underscores for dots.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
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
    down, up = (_children(getattr(unet, blocks, None)) for blocks in ("down_blocks", "up_blocks"))
    resnets = _children(getattr(down.get("0"), "resnets", None))
    return UnetShape(len(resnets) or 2, tuple(hasattr(block, "attentions") for block in up.values()))


def _children(module: nn.Module | None) -> dict[str, nn.Module]:
    return {} if module is None else dict(module.named_children())


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


def unet_layers(settings: Mapping[str, Any]) -> dict[str, int | None]:
    """The layers of a U-Net of diffusers, by its settings; see `LayerNames.all_layers`."""
    channels, layers, time = settings["block_out_channels"], settings["layers_per_block"], 4 * settings["block_out_channels"][0]
    depths = settings.get("transformer_layers_per_block", 1)
    depths = [depths] * len(channels) if isinstance(depths, int) else depths
    found: dict[str, int | None] = {"conv_in": settings["in_channels"], "conv_out": channels[0], "conv_norm_out": None}
    found |= {"time_embedding.linear_1": channels[0], "time_embedding.linear_2": time}
    if settings.get("addition_embed_type"):
        found |= {"add_embedding.linear_1": settings["projection_class_embeddings_input_dim"], "add_embedding.linear_2": time}
    cross, last = settings["cross_attention_dim"], len(channels) - 1
    for level, kind in enumerate(settings["down_block_types"]):
        width, block = channels[level], f"down_blocks.{level}"
        for i in range(layers):
            found |= _resnet(f"{block}.resnets.{i}", width, time, shortcut=i == 0 and level > 0 and channels[level - 1] != width)
            if kind.startswith("CrossAttn"):
                found |= _attention(f"{block}.attentions.{i}", width, cross, depths[level])
        if level < last:
            found[f"{block}.downsamplers.0.conv"] = width
    found |= _resnet("mid_block.resnets.0", channels[-1], time) | _attention("mid_block.attentions.0", channels[-1], cross, depths[-1])
    found |= _resnet("mid_block.resnets.1", channels[-1], time)
    for level, kind in enumerate(settings["up_block_types"]):
        width, block = channels[last - level], f"up_blocks.{level}"
        for i in range(layers + 1):
            found |= _resnet(f"{block}.resnets.{i}", width, time, shortcut=True)
            if kind.startswith("CrossAttn"):
                found |= _attention(f"{block}.attentions.{i}", width, cross, depths[last - level])
        if level < last:
            found[f"{block}.upsamplers.0.conv"] = width
    return found


def _resnet(path: str, width: int, time: int, shortcut: bool = False) -> dict[str, int | None]:
    found: dict[str, int | None] = {"norm1": None, "conv1": None, "time_emb_proj": time, "norm2": None, "conv2": width}
    return {f"{path}.{name}": size for name, size in (found | ({"conv_shortcut": None} if shortcut else {})).items()}


def _attention(path: str, width: int, cross: int, depth: int) -> dict[str, int | None]:
    inside: dict[str, int | None] = {"norm1": None, "norm2": None, "norm3": None, "ff.net.0.proj": width, "ff.net.2": 4 * width}
    inside |= {f"attn1.{name}": width for name in ("to_q", "to_k", "to_v", "to_out.0")}
    inside |= {"attn2.to_q": width, "attn2.to_k": cross, "attn2.to_v": cross, "attn2.to_out.0": width}
    found: dict[str, int | None] = {f"{path}.norm": None, f"{path}.proj_in": width, f"{path}.proj_out": width}
    return found | {f"{path}.transformer_blocks.{i}.{name}": size for i in range(depth) for name, size in inside.items()}


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
    all_layers=unet_layers,
)  # fmt: skip
"""Files with diffusers' names, as kohya's of U-Nets with four levels."""

LDM_NAMES = LayerNames(
    categories=DIFFUSERS_NAMES.categories, words=DIFFUSERS_NAMES.words, to_file=_as_ldm, to_module=_layers, block=block, shape_of=unet_shape,
    usual_shape=UnetShape(up_attention=(True, True, False)), all_layers=unet_layers,
)  # fmt: skip
"""Files with the original names, as kohya's of U-Nets with three levels."""
