"""(IA)^3: one trained number a channel, which makes it louder or quieter (Liu et al. 2022, https://arxiv.org/abs/2205.05638).

    W' = W * (1 + w)        w over the rows of W (the outputs) or, with `on_input`, over its columns (the inputs)

The smallest network there is: a few kilobytes. It starts at w = 0 and wants a learning rate of 5e-3 to 1e-2. In the file
`weight` is [channels] (Conv2d: [1, channels, 1, 1]), and `on_input` is 0 or 1; there is no alpha.

Only AUTOMATIC1111 reads these names, and only on linear layers. As `diff`, W' - W written out, everyone but diffusers does.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lorasmith.adapters.kinds.kind import Call, Kind, LayerSettings, Tensors

WEIGHT, ON_INPUT = "weight", "on_input"


def start(weight_shape: torch.Size, has_bias: bool, settings: LayerSettings, generator: torch.Generator) -> dict[str, Tensor]:
    channels = weight_shape[1 if settings.on_input else 0]
    shape = (channels,) if len(weight_shape) == 2 else (1, channels, *(1 for _ in weight_shape[2:]))
    return {WEIGHT: torch.zeros(shape), ON_INPUT: torch.tensor(int(settings.on_input))}


def delta_weight(tensors: Tensors, alpha: float, weight: Tensor) -> Tensor:
    values = tensors[WEIGHT].float().flatten()
    across = [1 for _ in weight.shape[2:]]
    return weight.float() * (values.view(1, -1, *across) if on_input(tensors) else values.view(-1, 1, *across))


def forward(tensors: Tensors, alpha: float, call: Call) -> Tensor:
    x, site, module = call.x, call.site, call.site.module
    values = tensors[WEIGHT].flatten()
    y = site.base(x)
    if on_input(tensors):
        change = site.apply(x * site.along_channels(values).to(x.dtype), module.weight)
    else:
        bias = 0 if module.bias is None else site.along_channels(module.bias)
        change = (y - bias) * site.along_channels(site.own(values)).to(y.dtype)
    return y + call.strength * change


def on_input(tensors: Tensors) -> bool:
    return bool(tensors[ON_INPUT])


KIND = Kind(
    name="ia3",
    title="(IA)^3",
    options=frozenset({"on_input", "module_dropout"}),
    endings=frozenset({WEIGHT, ON_INPUT}),
    start=start,
    delta_weight=delta_weight,
    forward=forward,
    needs_weight=True,
    has_alpha=False,
    degree=lambda tensors: 1,
)
