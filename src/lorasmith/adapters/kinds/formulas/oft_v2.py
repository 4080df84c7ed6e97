"""OFTv2: the layer's inputs are turned; see `kinds.oft_v2`.

In the file `oft_R.weight` has a row for each block, the numbers above the diagonal of an antisymmetric Q. R is Cayley's transform of it,
(I + Q) (I - Q)^-1, by the first five terms of its Neumann series:

    R = I + 2 Q + 2 Q^2 + 2 Q^3 + Q^4          (the last term counts once, as in both trainers)

One row is for all blocks. With `oft_R.scaled_oft` (OneTrainer) the numbers are divided by the root of how many a block has.
"""

from __future__ import annotations

import math
from typing import Any, NoReturn

import torch
from torch import Tensor

from lorasmith.adapters.kinds.formulas.formulas import Formulas, Tensors
from lorasmith.adapters.kinds.formulas.target_layer import Call
from lorasmith.adapters.kinds.formulas.through_weight import through_weight
from lorasmith.adapters.kinds.oft_v2 import BLOCKS, SCALED
from lorasmith.errors import AdapterError


def refuse(*_: Any) -> NoReturn:
    raise AdapterError("OFTv2 is read from files, and not trained here.", code="adapter.not_trained")


def turns(tensors: Tensors) -> Tensor:
    """R - I of each block, [blocks, block size, block size]."""
    numbers = tensors[BLOCKS].float()
    count = numbers.shape[1]
    if SCALED in tensors:
        numbers = numbers / math.sqrt(count)
    size = (1 + math.isqrt(1 + 8 * count)) // 2
    if size * (size - 1) // 2 != count:
        raise AdapterError(f"Its rows have {count} numbers, which no antisymmetric block has above its diagonal: the file is damaged.")
    rows, columns = torch.triu_indices(size, size, 1, device=numbers.device)
    upper = numbers.new_zeros(len(numbers), size, size)
    upper[:, rows, columns] = numbers
    q = upper - upper.transpose(-1, -2)
    square = q @ q
    return 2 * q + 2 * square + 2 * square @ q + square @ square


def delta_weight(tensors: Tensors, alpha: float, weight: Tensor) -> Tensor:
    moved = turns(tensors)
    inputs, size = weight[0].numel(), moved.shape[-1]
    if inputs % size or len(moved) not in (1, inputs // size):
        raise AdapterError(f"It is made for {len(moved) * size} inputs where the base has {inputs}.")
    blocks = weight.float().reshape(len(weight), inputs // size, 1, size)  # [out, blocks, 1, size]
    return (blocks @ moved.transpose(-1, -2)).reshape(weight.shape)


def forward(tensors: Tensors, alpha: float, call: Call) -> Tensor:
    names = tuple(tensors)
    weight = call.target.whole_weight().detach()
    return through_weight(lambda *values: delta_weight(dict(zip(names, values, strict=True)), alpha, weight), tuple(tensors.values()), call)


FORMULAS = Formulas(start=refuse, delta_weight=delta_weight, forward=forward)
