"""BOFT: the outputs are turned in several stages of a butterfly; see `kinds.boft`.

    W' = R_m ... R_1 W        each R_i turns blocks of b outputs that are 2^(i-1) * b / 2 apart

The rotations are those of diag-oft, by Cayley's transform from A - A^T, here R = (I + Q) (I - Q)^-1. In stage i the outputs
are first shuffled so that halves of neighbouring groups come to lie together, then turned in blocks of b neighbours, then
shuffled back. With n = out / b blocks, a power of two, m = log2(n) + 1 stages reach from any output to any other; so b
must be out / 2^k, and even. `block_size` is the most that b may be; without one it is the least from 8 up.

In the file `oft_blocks` is A, [m, n, b, b], starting at zero. `constraint` c keeps ||Q|| over all stages within c * out,
and is worked into the blocks when they are written: alpha is 0 (see diag-oft).
"""

from __future__ import annotations

import torch
from torch import Tensor

from lorasmith.adapters.kinds.diag_oft import BLOCKS, RotationSettings
from lorasmith.adapters.kinds.formulas import diag_oft
from lorasmith.adapters.kinds.formulas.formulas import Formulas, Tensors
from lorasmith.adapters.kinds.formulas.target_layer import Call
from lorasmith.adapters.kinds.formulas.through_weight import through_weight
from lorasmith.adapters.kinds.layer_settings import LayerSettings
from lorasmith.errors import AdapterError


def block_sizes(out: int) -> list[int]:
    """All even sizes that fit this many outputs, from small to large."""
    sizes, size = [], out
    while size % 2 == 0:
        sizes.append(size)
        size //= 2
    return sizes[::-1]


def block_size_for(out: int, most: int | None) -> int:
    """The largest size up to `most`; without one the smallest from 8 up.

    Raises:
        AdapterError: none fits.
    """
    sizes = block_sizes(out)
    if not sizes:
        raise AdapterError(f"BOFT needs an even number of outputs, and a layer has {out}: leave it out with a rule, or use diag-oft.")
    if most is None:
        return next((size for size in sizes if size >= 8), sizes[-1])
    fitting = [size for size in sizes if size <= most]
    if not fitting:
        raise AdapterError(
            f"BOFT cannot split a layer of {out} outputs into blocks of up to {most}: give a block_size of {sizes[0]} or more."
        )
    return fitting[-1]


def start(weight_shape: torch.Size, has_bias: bool, settings: LayerSettings, generator: torch.Generator) -> dict[str, Tensor]:
    size = block_size_for(weight_shape[0], settings.own_as(RotationSettings).block_size)
    blocks = weight_shape[0] // size
    return {BLOCKS: torch.zeros(blocks.bit_length(), blocks, size, size)}


def delta_of(y: Tensor, moved: Tensor) -> Tensor:
    """R_m ... R_1 y - y for y [..., out], from R_i - I [m, blocks, b, b].

    The change is carried apart from y, so that in half precision a small one is not lost in y's rounding.
    """
    size = moved.shape[-1]
    delta = torch.zeros_like(y)
    for stage, blocks in enumerate(moved):
        apart = 2**stage * size // 2
        shuffled = (y + delta).unflatten(-1, (-1, 2, apart)).transpose(-1, -2).reshape(-1, *blocks.shape[:2]).transpose(0, 1)
        turned = (shuffled @ blocks.transpose(-1, -2)).transpose(0, 1).reshape(*y.shape)
        delta = delta + turned.unflatten(-1, (-1, apart, 2)).transpose(-1, -2).reshape(y.shape)
    return delta


def turns(tensors: Tensors, constraint: float) -> Tensor:
    """R - I of every stage and block."""
    blocks = tensors[BLOCKS]
    return diag_oft.turn(diag_oft.skew(blocks.float(), constraint * blocks.shape[1] * blocks.shape[2]))


def delta_weight(tensors: Tensors, constraint: float, weight: Tensor) -> Tensor:
    diag_oft.check_outputs(tensors, weight)
    columns = weight.float().flatten(1).t()
    return delta_of(columns, turns(tensors, constraint)).t().reshape(weight.shape)


def forward(tensors: Tensors, constraint: float, call: Call) -> Tensor:
    target, module = call.target, call.target.module
    # The butterfly mixes the rows of all fused layers. Elsewhere it may as well turn the weight as the outputs: the cheaper of both.
    places = call.x.numel() // call.x.shape[target.channel_axis]
    if target.fused or (target.exact and places > 2 * module.weight[0].numel()):
        # The weight is fetched each time, so that neither a copy over all rows nor an unpacked one is kept for the gradient.
        return through_weight(
            lambda blocks: delta_weight({BLOCKS: blocks}, constraint, target.whole_weight().detach()), (tensors[BLOCKS],), call
        )
    y = target.base(call.x)
    plain = y if module.bias is None else y - target.along_channels(module.bias)
    with torch.autocast(y.device.type, enabled=False):
        moved = turns(tensors, constraint).to(y.dtype)
    axis = target.channel_axis
    added = delta_of(plain.movedim(axis, -1), moved).movedim(-1, axis)
    return y + call.strength * added


FORMULAS = Formulas(start=start, delta_weight=delta_weight, forward=forward, to_file=diag_oft.to_file)
