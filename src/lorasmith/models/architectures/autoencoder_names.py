"""The original (LDM) names of the autoencoder, and the names that diffusers itself gave its attention in earlier years.

The original numbers the decoder's levels from the last to be computed, and keeps query, key and value as 1x1 convolutions where
diffusers has linear layers: the same numbers with two dimensions of one more.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from lorasmith.models.take import Shapes, Take

_IN_MIDDLE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
_EARLIER = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
_ATTENTION = re.compile(r"((?:en|de)coder\.mid_block\.attentions\.0)\.(group_norm|to_q|to_k|to_v|to_out\.0)\.(weight|bias)")


def from_ldm(shapes: Shapes, keys: Collection[str]) -> dict[str, Take]:
    """Where each tensor of an autoencoder of diffusers is in a file with the original names."""
    levels = 1 + max(int(name.split(".")[2]) for name in shapes if name.startswith("decoder.up_blocks."))
    return {name: Take(_original(name, levels)) for name in shapes}


def _original(name: str, levels: int) -> str:
    if match := _ATTENTION.fullmatch(name):
        return f"{match[1].split('.')[0]}.mid.attn_1.{_IN_MIDDLE_ATTENTION[match[2]]}.{match[3]}"
    match name.split("."):
        case ["encoder", "down_blocks", level, "resnets", i, *inside]:
            found = f"encoder.down.{level}.block.{i}.{'.'.join(inside)}"
        case ["encoder", "down_blocks", level, "downsamplers", "0", *inside]:
            found = f"encoder.down.{level}.downsample.{'.'.join(inside)}"
        case ["decoder", "up_blocks", level, "resnets", i, *inside]:
            found = f"decoder.up.{levels - 1 - int(level)}.block.{i}.{'.'.join(inside)}"
        case ["decoder", "up_blocks", level, "upsamplers", "0", *inside]:
            found = f"decoder.up.{levels - 1 - int(level)}.upsample.{'.'.join(inside)}"
        case [side, "mid_block", "resnets", i, *inside]:
            found = f"{side}.mid.block_{int(i) + 1}.{'.'.join(inside)}"
        case _:
            found = name.replace("conv_norm_out", "norm_out")
    return found.replace("conv_shortcut", "nin_shortcut")


def from_diffusers(shapes: Shapes, keys: Collection[str]) -> dict[str, Take]:
    """Where each tensor is in a file of diffusers, of today or of the years with `query`, `key` and `value`."""
    takes = {}
    for name in shapes:
        match = _ATTENTION.fullmatch(name)
        earlier = f"{match[1]}.{_EARLIER[match[2]]}.{match[3]}" if match and match[2] in _EARLIER else name
        takes[name] = Take(name if name in keys else earlier)
    return takes
