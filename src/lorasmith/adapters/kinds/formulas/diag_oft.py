"""Diag-OFT: the layer's outputs are turned instead of added to; see `kinds.diag_oft`.

    W' = R W,  R = diag(R_1, ..., R_n),  each R_i a rotation of `block_size` neighbouring outputs

A rotation keeps norms and the angles between the rows that it turns, and so much of what the base knows. R_i comes from
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

from lorasmith.adapters.kinds.diag_oft import BLOCKS, RotationSettings
from lorasmith.adapters.kinds.formulas.formulas import Formulas, Tensors
from lorasmith.adapters.kinds.formulas.target_layer import Call
from lorasmith.adapters.kinds.formulas.through_weight import through_weight
from lorasmith.adapters.kinds.layer_settings import LayerSettings
from lorasmith.errors import AdapterError

DEFAULT_BLOCK_SIZE = 32


def block_size_for(out: int, most: int | None) -> int:
    """The largest size up to `most` that divides the outputs."""
    largest = min(out, DEFAULT_BLOCK_SIZE if most is None else most)
    return next(size for size in range(largest, 0, -1) if out % size == 0)


def start(weight_shape: torch.Size, has_bias: bool, settings: LayerSettings, generator: torch.Generator) -> dict[str, Tensor]:
    size = block_size_for(weight_shape[0], settings.own_as(RotationSettings).block_size)
    return {BLOCKS: torch.zeros(weight_shape[0] // size, size, size)}


def skew(blocks: Tensor, limit: float) -> Tensor:
    """Q = A - A^T, its norm over all blocks scaled back to `limit` where it is larger (0: no limit)."""
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
    check_outputs(tensors, weight)
    moved = turns(tensors, constraint, weight.shape[0])
    return (moved @ weight.float().reshape(*moved.shape[:2], -1)).view(weight.shape)


def check_outputs(tensors: Tensors, weight: Tensor) -> None:
    """Raises AdapterError where the blocks are made for another number of outputs."""
    outputs = tensors[BLOCKS].shape[-3] * tensors[BLOCKS].shape[-1]
    if outputs != weight.shape[0]:
        raise AdapterError(f"It is made for {outputs} outputs where the base has {weight.shape[0]}.")


def forward(tensors: Tensors, constraint: float, call: Call) -> Tensor:
    target, module = call.target, call.target.module
    size, out = tensors[BLOCKS].shape[-1], tensors[BLOCKS].shape[0] * tensors[BLOCKS].shape[1]
    rows = target.rows
    if target.fused and (rows.start % size or rows.stop % size):  # a block reaches over two layers: it needs both weights
        return through_weight(
            lambda blocks: delta_weight({BLOCKS: blocks}, constraint, target.whole_weight().detach()), (tensors[BLOCKS],), call
        )
    with torch.autocast(call.x.device.type, enabled=False):
        moved = turns(tensors, constraint, out)
    if target.fused:
        moved = moved[rows.start // size : rows.stop // size]
    y = target.base(call.x)
    plain = y if module.bias is None else y - target.along_channels(module.bias)
    moved = moved.to(y.dtype)
    if isinstance(module, nn.Linear):
        blocks = plain.reshape(-1, *moved.shape[:2]).transpose(0, 1)  # [blocks, places, size]
        added = (blocks @ moved.transpose(-1, -2)).transpose(0, 1).reshape(y.shape)
    else:
        added = (moved @ plain.reshape(len(y), *moved.shape[:2], -1)).view(y.shape)
    return y + call.strength * added


def from_rotations(rotations: Tensor) -> Tensor | None:
    """The blocks of which these R^T are made, by Cayley's transform backwards.

    None where they are no rotations, or turn something by half a circle, which no such blocks do.
    """
    if rotations.dim() != 3 or rotations.shape[-1] != rotations.shape[-2] or not rotations.numel():
        return None
    whole = rotations.double()
    eye = torch.eye(whole.shape[-1], dtype=whole.dtype)
    # fp16 keeps 11 binary digits of each of the block's products.
    if not (whole @ whole.transpose(-1, -2) - eye).abs().max() <= whole.shape[-1] * 2**-10:
        return None
    q, singular = torch.linalg.solve_ex(whole + eye, whole - eye, left=False)
    return None if singular.any() else (q / 2).to(torch.float32)


def to_file(tensors: Tensors, constraint: float) -> tuple[dict[str, Tensor], float]:
    """The constraint worked into the blocks: half of the scaled Q, whose Q is that again; alpha 0."""
    blocks = tensors[BLOCKS]
    if constraint > 0:
        out = blocks.shape[-3] * blocks.shape[-2]
        q = blocks - blocks.transpose(-1, -2)
        if q.norm() + 1e-8 > constraint * out:
            blocks = skew(blocks.float(), constraint * out) / 2
    return {**tensors, BLOCKS: blocks}, 0.0


FORMULAS = Formulas(start=start, delta_weight=delta_weight, forward=forward, to_file=to_file)
