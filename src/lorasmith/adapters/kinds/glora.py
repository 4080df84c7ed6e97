"""GLoRA: LoRA that also reworks the weight's input side (Chavan et al. 2023, https://arxiv.org/abs/2306.07967, in the form
that LyCORIS gave it).

    W' = W + s * (W a1 a2 + b1 b2)          s = strength * alpha / rank

b1 b2 is a LoRA; a1 a2 is a low-rank change of what W is given, W (x + s a1 a2 x). Shapes of the file:

    Linear       a2 [rank, in]         a1 [in, rank]         b2 [rank, in]         b1 [out, rank]
    Conv2d kxk   a2 [rank, in, 1, 1]   a1 [in, rank, 1, 1]   b2 [rank, in, k, k]   b1 [out, rank, 1, 1]

It starts with a2 and b2 at zero. W a1 is only [out, rank], so on linear layers the whole is a LoRA of twice the rank with
up = [W a1, b1] and down = [a2; b2], walked as such; on a convolution W a1 is a convolution from `rank` channels.

Not every reader knows these names; `as_lora` writes a linear layer's as the LoRA that it equals, which all read.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lorasmith.adapters.kinds import lora
from lorasmith.adapters.kinds.kind import Call, Kind, LayerSettings, Tensors

A1, A2, B1, B2 = "a1.weight", "a2.weight", "b1.weight", "b2.weight"


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
    reworked = torch.einsum("oi...,ij->oj...", weight.float(), a1)
    reworked = torch.einsum("oj...,ji->oi...", reworked, a2)
    return alpha / rank_of(tensors) * (reworked + (b1 @ b2).view(weight.shape))


def as_lora(tensors: Tensors, alpha: float, weight: Tensor) -> tuple[dict[str, Tensor], float]:
    """The tensors and alpha of the LoRA of twice the rank that a linear layer's GLoRA equals."""
    assert weight.dim() == 2, "only a linear layer's GLoRA is a LoRA"
    up = torch.cat([weight.float() @ tensors[A1].float(), tensors[B1].float()], dim=1)
    down = torch.cat([tensors[A2], tensors[B2]]).float()
    return {lora.DOWN: down, lora.UP: up}, 2 * alpha


def forward(tensors: Tensors, alpha: float, call: Call) -> Tensor:
    x, site, module = call.x, call.site, call.site.module
    scale = alpha / rank_of(tensors)
    a1, a2, b1, b2 = tensors[A1], tensors[A2], site.own(tensors[B1]), tensors[B2]
    weight = module.weight.detach()
    if isinstance(module, nn.Linear):
        up = torch.cat([weight @ a1.to(weight.dtype), b1.to(weight.dtype)], dim=1)
        down = torch.cat([a2, b2])
        mask = None if call.mask is None else call.mask(torch.Size((*x.shape[:-1], down.shape[0])), -1)
        return lora.linear(x, module.weight, module.bias, down, up, call.strength * scale, mask)
    # W a1 at each place of the kernel, as a convolution over W: so that autograd keeps a packed W packed.
    from_ranks = F.conv2d(weight, a1.flatten(1).t().to(weight.dtype)[:, :, None, None])
    small = F.conv2d(x, a2.to(x.dtype)), site.apply(x, b2.to(x.dtype))
    if call.mask is not None:
        small = small[0] * call.mask(small[0].shape, 1).to(x.dtype), small[1] * call.mask(small[1].shape, 1).to(x.dtype)
    change = site.apply(small[0], from_ranks) + F.conv2d(small[1], b1.to(small[1].dtype))
    return site.base(x) + call.strength * scale * change


def rank_of(tensors: Tensors) -> int:
    return tensors[A2].shape[0]


KIND = Kind(
    name="glora",
    title="GLoRA",
    options=frozenset({"rank", "alpha", "rs_lora", "dropout", "rank_dropout", "module_dropout"}),
    endings=frozenset({A1, A2, B1, B2}),
    start=start,
    starting_alpha=lambda settings, tensors: settings.alpha * math.sqrt(settings.rank) if settings.rs_lora else settings.alpha,
    delta_weight=delta_weight,
    forward=forward,
    needs_weight=True,
    rank=rank_of,
    degree=lambda tensors: 2,
)
