"""Full: the change itself, number for number; see `kinds.full`.

    W' = W + s * diff        b' = b + s * diff_b        s = strength

`diff` has the shape of the weight, `diff_b` that of the bias; both start at zero, and there is no alpha. They are held in
fp32 and apart from W, so that on a base in half precision small steps are kept.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lorasmith.adapters.kinds.formulas.formulas import Formulas, Tensors, as_weight
from lorasmith.adapters.kinds.formulas.target_layer import Call
from lorasmith.adapters.kinds.formulas.through_weight import through_weight
from lorasmith.adapters.kinds.full import DIFF, DIFF_B
from lorasmith.adapters.kinds.layer_settings import LayerSettings


def start(weight_shape: torch.Size, has_bias: bool, settings: LayerSettings, generator: torch.Generator) -> dict[str, Tensor]:
    tensors = {DIFF: torch.zeros(weight_shape)}
    return tensors | {DIFF_B: torch.zeros(weight_shape[0])} if has_bias else tensors


def delta_weight(tensors: Tensors, alpha: float, weight: Tensor) -> Tensor:
    return as_weight(tensors[DIFF].float(), weight)


def delta_bias(tensors: Tensors) -> Tensor | None:
    return tensors[DIFF_B].float() if DIFF_B in tensors else None


def forward(tensors: Tensors, alpha: float, call: Call) -> Tensor:
    bias, shape = tensors.get(DIFF_B), call.target.whole_shape
    own_bias = None if bias is None else call.target.own(bias)
    return through_weight(lambda diff: diff.reshape(shape), (tensors[DIFF],), call, own_bias)


FORMULAS = Formulas(start=start, delta_weight=delta_weight, delta_bias=delta_bias, forward=forward)
