"""LoKr: the change as a Kronecker product; see `kinds.lokr`.

    W' = W + s * kron(w1, w2)          w1 [a, c],  w2 [b, d] or [b, d, k, k],  a * b = out,  c * d = in

Each number of w1 scales one tile of W's size / (a * c), and all tiles are the same w2. `factor` is the size of w1: a and c
are the factor where it divides the layer, else the largest divisor up to it; -1 asks for the squarest split, which makes
the smallest files. w2 is itself a low-rank product w2_a @ w2_b, unless `full_matrix` is set or the rank is not under half
of its longer side; w1 is one with `decompose_both`. s is alpha / rank, and 1 where both are whole, as all programs have it.

    w1_a [a, rank]   w1_b [rank, c]        w2_a [b, rank]   w2_b [rank, d] or [rank, d * k * k]

It starts with w2 (or w2_b) at zero. The product is never built: input channels taken as a grid [c, d], the layer is w2 along
d, then w1 along c, at a small part of the cost.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lorasmith.adapters.kinds.formulas.formulas import Formulas, Tensors, as_weight
from lorasmith.adapters.kinds.formulas.target_layer import Call
from lorasmith.adapters.kinds.layer_settings import LayerSettings
from lorasmith.adapters.kinds.lokr import T2, W1, W1A, W1B, W2, W2A, W2B, LokrSettings, rank


def split(size: int, factor: int) -> tuple[int, int]:
    """`size` as a product of two, the smaller first; see above for what `factor` asks."""
    if factor > 0 and size % factor == 0:
        smaller, larger = sorted((factor, size // factor))
        return smaller, larger
    most = min(math.isqrt(size), factor if factor > 0 else size)
    smaller = next(n for n in range(most, 0, -1) if size % n == 0)
    return smaller, size // smaller


def start(weight_shape: torch.Size, has_bias: bool, settings: LayerSettings, generator: torch.Generator) -> dict[str, Tensor]:
    own = settings.own_as(LokrSettings)
    out, width, *kernel = weight_shape
    (a, b), (c, d) = split(out, own.factor), split(width, own.factor)
    size = settings.rank
    tensors: dict[str, Tensor] = {}
    if own.decompose_both and not own.full_matrix and size < max(a, c) / 2:
        tensors |= {W1A: _drawn((a, size), generator), W1B: _drawn((size, c), generator)}
    else:
        tensors |= {W1: _drawn((a, c), generator)}
    if own.full_matrix or size >= max(b, d) / 2:
        return tensors | {W2: torch.zeros(b, d, *kernel)}
    return tensors | {W2A: _drawn((b, size), generator), W2B: torch.zeros(size, d * math.prod(kernel))}


def _drawn(shape: tuple[int, int], generator: torch.Generator) -> Tensor:
    bound = 1 / math.sqrt(shape[1])
    return torch.empty(shape).uniform_(-bound, bound, generator=generator)


def scale_of(tensors: Tensors, alpha: float) -> float:
    size = rank(tensors)
    return 1.0 if size is None else alpha / size


def factors(tensors: Tensors, kernel: torch.Size) -> tuple[Tensor, Tensor]:
    """w1 [a, c] and w2 [b, d, *kernel], put together."""
    w1 = tensors[W1] if W1 in tensors else tensors[W1A] @ tensors[W1B]
    if W2 in tensors:
        return w1, tensors[W2]
    if T2 in tensors:
        return w1, torch.einsum("pqyx,pb,qd->bdyx", tensors[T2], tensors[W2A], tensors[W2B])
    w2 = tensors[W2A] @ tensors[W2B].flatten(1)
    return w1, w2.view(w2.shape[0], -1, *kernel)


def delta_weight(tensors: Tensors, alpha: float, weight: Tensor) -> Tensor:
    w1, w2 = factors({name: value.float() for name, value in tensors.items()}, weight.shape[2:])
    product = torch.kron(w1.view(*w1.shape, *(1 for _ in weight.shape[2:])), w2.contiguous())
    return as_weight(scale_of(tensors, alpha) * product, weight)


def forward(tensors: Tensors, alpha: float, call: Call) -> Tensor:
    return call.target.base(call.x) + call.strength * added(tensors, alpha, call)


def added(tensors: Tensors, alpha: float, call: Call) -> Tensor:
    x, target = call.x, call.target
    w1, w2 = factors(tensors, target.module.weight.shape[2:])
    w1, w2 = (scale_of(tensors, alpha) * w1).to(x.dtype), w2.to(x.dtype)
    b = w2.shape[0]
    first, rows = 0, target.rows
    if target.fused:  # only the tiles that reach into this layer's rows
        first = rows.start // b
        w1 = w1[first : -(-rows.stop // b)]
    (a, c), d = w1.shape, w2.shape[1]
    if isinstance(target.module, nn.Linear):
        tiles = F.linear(x.unflatten(-1, (c, d)), w2)  # [..., c, b]
        y = F.linear(tiles.transpose(-1, -2), w1).transpose(-1, -2).flatten(-2)  # [..., a * b]
    else:
        tiles = target.apply(x.unflatten(1, (c, d)).flatten(0, 1), w2)  # [batch * c, b, height, width]
        height, width = tiles.shape[2:]
        y = (w1 @ tiles.view(-1, c, b * height * width)).view(-1, a * b, height, width)
    if not target.fused:
        return y
    axis = target.channel_axis % y.dim()
    return y.narrow(axis, rows.start - first * b, rows.stop - rows.start)


FORMULAS = Formulas(start=start, delta_weight=delta_weight, forward=forward, added=added, degree=len)
