"""(IA)^3: one trained number a channel; see `kinds.ia3`.

    W' = W * (1 + w)        w over the rows of W (the outputs) or, with `on_input`, over its columns (the inputs)

It starts at w = 0. In the file `weight` is [channels] (Conv2d: [1, channels, 1, 1]), and `on_input` is 0 or 1; there is no alpha.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lorasmith.adapters.kinds.formulas.formulas import Formulas, Tensors
from lorasmith.adapters.kinds.formulas.target_layer import Call
from lorasmith.adapters.kinds.ia3 import ON_INPUT, WEIGHT, Ia3Settings
from lorasmith.adapters.kinds.layer_settings import LayerSettings


def start(weight_shape: torch.Size, has_bias: bool, settings: LayerSettings, generator: torch.Generator) -> dict[str, Tensor]:
    of_inputs = settings.own_as(Ia3Settings).on_input
    channels = weight_shape[1 if of_inputs else 0]
    shape = (channels,) if len(weight_shape) == 2 else (1, channels, *(1 for _ in weight_shape[2:]))
    return {WEIGHT: torch.zeros(shape), ON_INPUT: torch.tensor(int(of_inputs), device="cpu")}


def on_input(tensors: Tensors) -> bool:
    return bool(tensors[ON_INPUT])


def delta_weight(tensors: Tensors, alpha: float, weight: Tensor) -> Tensor:
    values = tensors[WEIGHT].float().flatten()
    across = [1 for _ in weight.shape[2:]]
    return weight.float() * (values.view(1, -1, *across) if on_input(tensors) else values.view(-1, 1, *across))


def forward(tensors: Tensors, alpha: float, call: Call) -> Tensor:
    x, target, module = call.x, call.target, call.target.module
    values = tensors[WEIGHT].flatten()
    y = target.base(x)
    if on_input(tensors):
        added = target.apply(x * target.along_channels(values).to(x.dtype), module.weight)
    else:
        bias = 0 if module.bias is None else target.along_channels(module.bias)
        added = (y - bias) * target.along_channels(target.own(values)).to(y.dtype)
    return y + call.strength * added


FORMULAS = Formulas(start=start, delta_weight=delta_weight, forward=forward)
