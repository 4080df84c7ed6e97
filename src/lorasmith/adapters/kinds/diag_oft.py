"""Diag-OFT: turn the layer's outputs instead of adding to them (Qiu et al. 2023, https://arxiv.org/abs/2306.07280).

    W' = R W,  R = diag(R_1, ..., R_n),  each R_i a rotation of `block_size` neighbouring outputs

A rotation keeps lengths and the angles between the rows that it turns, and so much of what the base knows. R_i comes from
any square matrix A_i by Cayley's transform, with Q antisymmetric:

    Q = A - A^T        R^T = (I + Q) (I - Q)^-1        (the file's convention: rows of R^T are the columns that LyCORIS keeps)

In the file `oft_blocks` is A, [blocks, block size, block size]; A starts at zero, which is no turn. `constraint` c (COFT)
keeps ||Q|| over all blocks within c * out: further Q are scaled back to it. Readers disagree about a constraint in the
file (its alpha), so it is worked into the blocks when they are written, and alpha is 0, which all understand.

Turning happens after the frozen layer, block by block on its output: tokens * out * block size multiplications.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lorasmith.adapters.kinds.kind import Call, Kind, LayerSettings, Tensors, through_weight

BLOCKS = "oft_blocks"
DEFAULT_BLOCK_SIZE = 32


def block_size_for(out: int, wanted: int | None) -> int:
    """The largest size up to `wanted` that divides the outputs."""
    most = min(out, DEFAULT_BLOCK_SIZE if wanted is None else wanted)
    return next(size for size in range(most, 0, -1) if out % size == 0)


def start(weight_shape: torch.Size, has_bias: bool, settings: LayerSettings, generator: torch.Generator) -> dict[str, Tensor]:
    size = block_size_for(weight_shape[0], settings.block_size)
    return {BLOCKS: torch.zeros(weight_shape[0] // size, size, size)}


def skew(blocks: Tensor, limit: float) -> Tensor:
    """Q = A - A^T, its norm over all blocks scaled back to `limit` where it is longer (0: no limit)."""
    q = blocks - blocks.transpose(-1, -2)
    if limit <= 0:
        return q
    norm = q.norm() + 1e-8
    return torch.where(norm > limit, q * (limit / norm), q)


def turn(q: Tensor) -> Tensor:
    """(I + Q) (I - Q)^-1 - I = 2 Q (I - Q)^-1, without the loss of taking the difference."""
    eye = torch.eye(q.shape[-1], dtype=q.dtype, device=q.device)
    return 2 * torch.linalg.solve(eye - q, q, left=False)


def turns(tensors: Tensors, constraint: float, out: int) -> Tensor:
    """R - I of each block, as it is applied to columns of outputs."""
    return turn(skew(tensors[BLOCKS].float(), constraint * out)).transpose(-1, -2)


def delta_weight(tensors: Tensors, constraint: float, weight: Tensor) -> Tensor:
    moved = turns(tensors, constraint, weight.shape[0])
    return (moved @ weight.float().reshape(*moved.shape[:2], -1)).view(weight.shape)


def forward(tensors: Tensors, constraint: float, call: Call) -> Tensor:
    site, module = call.site, call.site.module
    size, out = tensors[BLOCKS].shape[-1], tensors[BLOCKS].shape[0] * tensors[BLOCKS].shape[1]
    rows = site.rows
    if site.fused and (rows.start % size or rows.stop % size):  # a block reaches over two layers: it needs both weights
        return through_weight(
            lambda blocks: delta_weight({BLOCKS: blocks}, constraint, site.whole_weight().detach()), (tensors[BLOCKS],), call
        )
    with torch.autocast(call.x.device.type, enabled=False):
        moved = turns(tensors, constraint, out)
    if site.fused:
        moved = moved[rows.start // size : rows.stop // size]
    y = site.base(call.x)
    plain = y if module.bias is None else y - site.along_channels(module.bias)
    moved = moved.to(y.dtype)
    if isinstance(module, nn.Linear):
        blocks = plain.reshape(-1, *moved.shape[:2]).transpose(0, 1)  # [blocks, places, size]
        change = (blocks @ moved.transpose(-1, -2)).transpose(0, 1).reshape(y.shape)
    else:
        change = (moved @ plain.reshape(len(y), *moved.shape[:2], -1)).view(y.shape)
    return y + call.strength * change


def to_file(tensors: Tensors, constraint: float) -> tuple[dict[str, Tensor], float]:
    """The constraint worked into the blocks: half of the scaled Q, whose Q is that again; alpha 0."""
    blocks = tensors[BLOCKS]
    if constraint > 0:
        out = blocks.shape[-3] * blocks.shape[-2]
        q = blocks - blocks.transpose(-1, -2)
        if q.norm() + 1e-8 > constraint * out:
            blocks = skew(blocks.float(), constraint * out) / 2
    return {BLOCKS: blocks}, 0.0


KIND = Kind(
    name="diag-oft",
    title="Diag-OFT",
    options=frozenset({"block_size", "constraint", "module_dropout"}),
    endings=frozenset({BLOCKS}),
    start=start,
    starting_alpha=lambda settings, tensors: settings.constraint,
    delta_weight=delta_weight,
    forward=forward,
    needs_weight=True,
    to_file=to_file,
)
