"""GLoRA: LoRA that also reworks the weight's input side; see `kinds.glora`.

    W' = W + s * (W a1 a2 + b1 b2)          s = strength * alpha / rank

b1 b2 is a LoRA; a1 a2 is a low-rank change of what W is given, W (x + s a1 a2 x). Shapes of the file:

    Linear       a2 [rank, in]         a1 [in, rank]         b2 [rank, in]         b1 [out, rank]
    Conv2d kxk   a2 [rank, in, 1, 1]   a1 [in, rank, 1, 1]   b2 [rank, in, k, k]   b1 [out, rank, 1, 1]

It starts with a2 and b2 at zero. W a1 is only [out, rank], so on linear layers the whole is a LoRA of twice the rank with
up = [W a1, b1] and down = [a2; b2], computed as such; on a convolution W a1 is a convolution from `rank` channels.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lorasmith.adapters.kinds.formulas.detour import linear
from lorasmith.adapters.kinds.formulas.formulas import Factors, Formulas, Tensors, as_weight
from lorasmith.adapters.kinds.formulas.target_layer import Call
from lorasmith.adapters.kinds.glora import A1, A2, B1, B2, rank_of
from lorasmith.adapters.kinds.layer_settings import LayerSettings


def start(weight_shape: torch.Size, has_bias: bool, settings: LayerSettings, generator: torch.Generator) -> dict[str, Tensor]:
    out, width, *kernel = weight_shape
    ones, bound = [1 for _ in kernel], 1 / math.sqrt(settings.rank)
    return {
        A1: torch.empty(width, settings.rank, *ones).uniform_(-bound, bound, generator=generator),
        A2: torch.zeros(settings.rank, width, *ones),
        B1: torch.empty(out, settings.rank, *ones).uniform_(-bound, bound, generator=generator),
        B2: torch.zeros(settings.rank, width, *kernel),
    }


def delta_weight(tensors: Tensors, alpha: float, weight: Tensor) -> Tensor:
    a1, a2, b1, b2 = (tensors[name].float().flatten(1) for name in (A1, A2, B1, B2))
    plain = as_weight(b1 @ b2, weight)
    reworked = torch.einsum("oi...,ij->oj...", weight.float(), a1)
    reworked = torch.einsum("oj...,ji->oi...", reworked, a2)
    return alpha / rank_of(tensors) * (reworked + plain)


def factors(tensors: Tensors, alpha: float, weight: Tensor | None) -> Factors | None:
    """The LoRA of twice the rank that a linear layer's GLoRA equals; None on a convolution, or without the weight."""
    if weight is None or weight.dim() != 2:
        return None
    a1, a2, b1, b2 = (tensors[suffix].double() for suffix in (A1, A2, B1, B2))
    left = torch.cat([weight.double() @ a1, b1], dim=1)
    return alpha / rank_of(tensors) * left, torch.cat([a2, b2]), tuple(weight.shape[1:])


def forward(tensors: Tensors, alpha: float, call: Call) -> Tensor:
    x, target, module = call.x, call.target, call.target.module
    scale = alpha / rank_of(tensors)
    a1, a2, b1, b2 = tensors[A1], tensors[A2], target.own(tensors[B1]), tensors[B2]
    weight = module.weight.detach()
    if isinstance(module, nn.Linear):
        up = torch.cat([weight @ a1.to(weight.dtype), b1.to(weight.dtype)], dim=1)
        down = torch.cat([a2, b2])
        mask = None if call.mask is None else call.mask(torch.Size((*x.shape[:-1], down.shape[0])), -1)
        return linear(x, module.weight, module.bias, down, up, call.strength * scale, mask)
    # W a1 at each place of the kernel, as a convolution over W: so that autograd keeps a quantised W quantised.
    from_ranks = F.conv2d(weight, a1.flatten(1).t().to(weight.dtype)[:, :, None, None])
    small = F.conv2d(x, a2.to(x.dtype)), target.apply(x, b2.to(x.dtype))
    if call.mask is not None:
        small = small[0] * call.mask(small[0].shape, 1).to(x.dtype), small[1] * call.mask(small[1].shape, 1).to(x.dtype)
    added = target.apply(small[0], from_ranks) + F.conv2d(small[1], b1.to(small[1].dtype))
    return target.base(x) + call.strength * scale * added


FORMULAS = Formulas(start=start, delta_weight=delta_weight, forward=forward, factors=factors, degree=lambda tensors: 2)
