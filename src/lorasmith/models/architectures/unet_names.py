"""The original (LDM) names of a Stable Diffusion U-Net.

The original model numbers its blocks through: `input_blocks.0` is the first convolution, then come, level by level, the
residual blocks (each with its attention, where the level has one) and the downsampler; `output_blocks` mirror that with one
residual block more a level, the upsampler being the last thing in its level's last block. diffusers counts levels and layers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from lorasmith.models.take import Shapes, Take

ENDS = {
    "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2", "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2", "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2",
}  # fmt: skip
IN_RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0", "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}  # fmt: skip


def ldm_module(path: str, layers: int, levels_with_attention_up: frozenset[int]) -> str:
    """The original name of a module of the U-Net, from its path in diffusers (`down_blocks.1.resnets.0.conv1`).

    `layers`: residual blocks a level on the way down; `levels_with_attention_up`: the up blocks that have attention.
    Raises KeyError where no module has that name.
    """
    if path in ENDS:
        return ENDS[path]
    match path.split("."):
        case ["down_blocks", b, "resnets", i, inside]:
            return f"input_blocks.{int(b) * (layers + 1) + int(i) + 1}.0.{IN_RESNET[inside]}"
        case ["down_blocks", b, "attentions", i, *inside]:
            return f"input_blocks.{int(b) * (layers + 1) + int(i) + 1}.1.{'.'.join(inside)}"
        case ["down_blocks", b, "downsamplers", "0", "conv"]:
            return f"input_blocks.{(int(b) + 1) * (layers + 1)}.0.op"
        case ["mid_block", "resnets", i, inside]:
            return f"middle_block.{2 * int(i)}.{IN_RESNET[inside]}"
        case ["mid_block", "attentions", "0", *inside]:
            return f"middle_block.1.{'.'.join(inside)}"
        case ["up_blocks", b, "resnets", i, inside]:
            return f"output_blocks.{int(b) * (layers + 1) + int(i)}.0.{IN_RESNET[inside]}"
        case ["up_blocks", b, "attentions", i, *inside]:
            return f"output_blocks.{int(b) * (layers + 1) + int(i)}.1.{'.'.join(inside)}"
        case ["up_blocks", b, "upsamplers", "0", "conv"]:
            place = 2 if int(b) in levels_with_attention_up else 1
            return f"output_blocks.{int(b) * (layers + 1) + layers}.{place}.conv"
    raise KeyError(path)


def ldm_modules(paths: Iterable[str]) -> Mapping[str, str]:
    """The original name of every module of one U-Net, by its path in diffusers; the U-Net's shape follows from the paths."""
    paths = list(paths)
    layers = 1 + max((int(p.split(".")[3]) for p in paths if p.startswith("down_blocks.0.resnets.")), default=1)
    with_attention = frozenset(int(p.split(".")[1]) for p in paths if p.startswith("up_blocks.") and ".attentions." in p)
    return {path: ldm_module(path, layers, with_attention) for path in paths}


def from_ldm(shapes: Shapes, keys: Collection[str]) -> dict[str, Take]:
    """Where each tensor of a U-Net of diffusers is in a file with the original names."""
    modules = ldm_modules({name.rpartition(".")[0] for name in shapes})
    return {name: Take(f"{modules[name.rpartition('.')[0]]}.{name.rpartition('.')[2]}") for name in shapes}
