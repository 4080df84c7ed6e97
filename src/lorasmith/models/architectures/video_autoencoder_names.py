"""The original (Wan) names of the autoencoder for videos, which Qwen-Image and others use for pictures.

The original counts the layers of a side through, and the steps inside a residual block too; diffusers counts blocks, and the layers in each.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from lorasmith.models.take import Shapes, Take

_WHOLE = {"quant_conv": "conv1", "post_quant_conv": "conv2"}
_ENDS = {"conv_in": "conv1", "norm_out": "head.0", "conv_out": "head.2"}
_IN_RESIDUAL = {"norm1": "residual.0", "conv1": "residual.2", "norm2": "residual.3", "conv2": "residual.6", "conv_shortcut": "shortcut"}


def from_wan(shapes: Shapes, keys: Collection[str]) -> dict[str, Take]:
    """Where each tensor of diffusers' AutoencoderKLQwenImage is in a file with the original names."""
    resnets = 1 + max(int(found[1]) for name in shapes if (found := re.match(r"decoder\.up_blocks\.\d+\.resnets\.(\d+)\.", name)))
    return {name: Take(_original(name, resnets)) for name in shapes}


def _original(name: str, resnets: int) -> str:
    """One name; each block of the decoder has `resnets` residual blocks, and all but the last an upsampler after them."""
    module, _, kind = name.rpartition(".")
    match module.split("."):
        case [whole]:
            return f"{_WHOLE[whole]}.{kind}"
        case [side, end]:
            return f"{side}.{_ENDS[end]}.{kind}"
        case [side, "mid_block", "resnets", i, step]:
            return f"{side}.middle.{2 * int(i)}.{_IN_RESIDUAL[step]}.{kind}"
        case [side, "mid_block", "attentions", _, step]:
            return f"{side}.middle.1.{step}.{kind}"
        case [side, "down_blocks", i, *inside]:
            return f"{side}.downsamples.{i}.{_inside(inside)}.{kind}"
        case [side, "up_blocks", i, "resnets", j, *inside]:
            return f"{side}.upsamples.{int(i) * (resnets + 1) + int(j)}.{_inside(inside)}.{kind}"
        case [side, "up_blocks", i, "upsamplers", _, *inside]:
            return f"{side}.upsamples.{int(i) * (resnets + 1) + resnets}.{_inside(inside)}.{kind}"
    raise AssertionError(name)


def _inside(steps: list[str]) -> str:
    return ".".join(_IN_RESIDUAL.get(step, step) for step in steps)
