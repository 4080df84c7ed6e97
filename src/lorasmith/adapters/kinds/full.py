"""Full: the change itself, number for number; a fine-tune through the LoRA's door, with files as large as the layers.

    W' = W + s * diff        b' = b + s * diff_b        s = strength

`diff` has the shape of the weight, `diff_b` that of the bias; both start at zero, and there is no alpha. They are held in
fp32 and apart from W, so that on a base in half precision small steps are kept.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lorasmith.adapters.kinds.kind import Call, Kind, LayerSettings, Tensors, through_weight

DIFF, DIFF_B = "diff", "diff_b"


def start(weight_shape: torch.Size, has_bias: bool, settings: LayerSettings, generator: torch.Generator) -> dict[str, Tensor]:
    tensors = {DIFF: torch.zeros(weight_shape)}
    return tensors | {DIFF_B: torch.zeros(weight_shape[0])} if has_bias else tensors


def delta_weight(tensors: Tensors, alpha: float, weight: Tensor) -> Tensor:
    return tensors[DIFF].float()


def delta_bias(tensors: Tensors) -> Tensor | None:
    return tensors[DIFF_B].float() if DIFF_B in tensors else None


def forward(tensors: Tensors, alpha: float, call: Call) -> Tensor:
    bias = tensors.get(DIFF_B)
    return through_weight(lambda diff: diff, (tensors[DIFF],), call, None if bias is None else call.site.own(bias))


KIND = Kind(
    name="full",
    title="Full (diff)",
    options=frozenset({"module_dropout"}),
    endings=frozenset({DIFF, DIFF_B}),
    start=start,
    delta_weight=delta_weight,
    delta_bias=delta_bias,
    forward=forward,
    has_alpha=False,
    degree=lambda tensors: 1,
)
