"""LoRA: a small detour around a layer is trained instead of the layer; see `kinds.lora`.

A layer's weight W (out x in) stays frozen. Its change is written as a product of two thin matrices, so that only
rank * (in + out) parameters are trained instead of in * out:

    W' = W + s * up @ down          down: rank x in,   up: out x rank,   s = strength * alpha / rank

`down` starts random and `up` starts at zero, so at the start W' = W. Dividing by the rank keeps the size of a step about
the same when the rank is changed; alpha is the number that is written into the file.

Training never builds the product. The detour is computed directly,

    y = W x + b + s * up (down x)

which costs a few percent of the layer itself and, on a base in half precision, is also far more accurate: a change that
is small beside W would drown in the rounding of W + s * up @ down (40 % of the change lost at 1/10,000 of W in bf16).

A convolution has the same detour: `down` is a convolution with the layer's kernel, stride, padding and dilation into
`rank` channels, `up` a 1x1 convolution. Shapes are those of kohya's files:

    Linear       down [rank, in]         up [out, rank]
    Conv2d kxk   down [rank, in, k, k]   up [out, rank, 1, 1]

On convolutions this is known as LoCon (LyCORIS, Yeh et al. 2023, https://arxiv.org/abs/2309.14859). Wide kernels may be
split once more (Tucker): `down` mixes channels alone, a core `mid` has the kernel,

    Conv2d kxk   down [rank, in, 1, 1]   mid [rank, rank, k, k]   up [out, rank, 1, 1]
    change[o, i, y, x] = s * sum over p, q of up[o, p] mid[p, q, y, x] down[q, i]

With rs-scaling (Kalajdzievski 2023, https://arxiv.org/abs/2312.03732) s is alpha / sqrt(rank), so that a high rank still
learns. Files have no key for it: alpha * sqrt(rank) is written as the alpha, which has the same effect.

The trained factors may have another dtype than the base (fp32 over bf16): they are cast as they are used, the result has
the base's dtype, and their gradients come back in their own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lorasmith.adapters.kinds.formulas.detour import conv2d, linear
from lorasmith.adapters.kinds.formulas.formulas import Factors, Formulas, Tensors, as_weight
from lorasmith.adapters.kinds.formulas.target_layer import Call
from lorasmith.adapters.kinds.layer_settings import LayerSettings
from lorasmith.adapters.kinds.lora import DOWN, MID, UP, rank_of
from lorasmith.errors import AdapterError


def down_shape(weight_shape: Sequence[int], rank: int) -> tuple[int, ...]:
    """Shape of `down` for a layer whose weight has this shape ([out, in] or [out, in, k, k])."""
    return (rank, *weight_shape[1:])


def up_shape(weight_shape: Sequence[int], rank: int) -> tuple[int, ...]:
    """Shape of `up` for a layer whose weight has this shape ([out, in] or [out, in, k, k])."""
    return (weight_shape[0], rank, *(1 for _ in weight_shape[2:]))


def start(weight_shape: Sequence[int], rank: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """`(down, up)` as training begins, in fp32 on the CPU: `down` drawn from `generator`, `up` zero.

    `down` is Kaiming-uniform with a = sqrt(5), as in kohya's and the paper's code: uniform within 1 / sqrt(fan in).
    """
    shape = down_shape(weight_shape, rank)
    bound = 1 / math.sqrt(math.prod(shape[1:]))
    down = torch.empty(shape).uniform_(-bound, bound, generator=generator)
    return down, torch.zeros(up_shape(weight_shape, rank))


def delta_weight(down: Tensor, up: Tensor, scale: float) -> Tensor:
    """The change of the layer's weight, `scale * up @ down`, in the weight's shape and the factors' dtype."""
    product = up.flatten(1) @ down.flatten(1)
    return (scale * product).view(up.shape[0], *down.shape[1:])


def start_tensors(weight_shape: torch.Size, has_bias: bool, settings: LayerSettings, generator: torch.Generator) -> dict[str, Tensor]:
    """`down` (and the core of a Tucker split) random, `up` zero."""
    kernel = weight_shape[2:]
    if not settings.use_tucker or all(side == 1 for side in kernel):
        down, up = start(weight_shape, settings.rank, generator)
        return {DOWN: down, UP: up}
    ones = [1 for _ in kernel]
    down, up = start((*weight_shape[:2], *ones), settings.rank, generator)
    bound = 1 / math.sqrt(settings.rank * math.prod(kernel))
    mid = torch.empty(settings.rank, settings.rank, *kernel).uniform_(-bound, bound, generator=generator)
    return {DOWN: down, MID: mid, UP: up}


def whole_delta(tensors: Tensors, alpha: float, weight: Tensor) -> Tensor:
    """W' - W in fp32."""
    return as_weight(_product(tensors, alpha), weight)


def _product(tensors: Tensors, alpha: float) -> Tensor:
    down, up = tensors[DOWN].float(), tensors[UP].float()
    scale = alpha / rank_of(tensors)
    if MID in tensors:
        return scale * torch.einsum("op,pqyx,qi->oiyx", up.flatten(1), tensors[MID].float(), down.flatten(1))
    return delta_weight(down, up, scale)


def forward(tensors: Tensors, alpha: float, call: Call) -> Tensor:
    target, module, x = call.target, call.target.module, call.x
    scale = call.strength * alpha / rank_of(tensors)
    if MID in tensors:
        return target.base(x) + call.strength * added(tensors, alpha, call)
    down, up, mask = _down(tensors, call), target.own(tensors[UP]), call.mask
    if isinstance(module, nn.Linear):
        drawn = None if mask is None else mask(torch.Size((*x.shape[:-1], down.shape[0])), -1)
        return linear(x, module.weight, module.bias, down, up, scale, drawn)
    padding = cast("tuple[int, int]", module.padding)
    mask_of = None if mask is None else lambda shape: mask(shape, 1)
    return conv2d(x, module.weight, module.bias, down, up, scale, _pair(module.stride), padding, _pair(module.dilation), mask_of)


def added(tensors: Tensors, alpha: float, call: Call) -> Tensor:
    """The detour alone, at strength 1."""
    target, x = call.target, call.x
    up = target.own(tensors[UP]).to(x.dtype)
    if MID in tensors:
        small = target.apply(F.conv2d(x, tensors[DOWN].to(x.dtype)), tensors[MID].to(x.dtype))
    else:
        small = target.apply(x, _down(tensors, call).to(x.dtype))
    if call.mask is not None:
        small = small * call.mask(small.shape, target.channel_axis).to(small.dtype)
    scale = alpha / rank_of(tensors)
    return scale * (F.linear(small, up) if isinstance(target.module, nn.Linear) else F.conv2d(small, up.view(*up.shape[:2], 1, 1)))


def _down(tensors: Tensors, call: Call) -> Tensor:
    """`down` with the kernel that some files leave out or flatten into the input."""
    return tensors[DOWN].reshape(rank_of(tensors), *call.target.module.weight.shape[1:])


def _pair(value: tuple[int, ...]) -> tuple[int, int]:
    return value[0], value[1]


def norm(tensors: Tensors, alpha: float) -> Tensor:
    """||up @ down|| from the small products of the factors with themselves."""
    if MID in tensors:
        return _product(tensors, alpha).norm()
    down, up = tensors[DOWN].double().flatten(1), tensors[UP].double().flatten(1)
    squared = ((up.t() @ up) * (down @ down.t())).sum().clamp_min(0)
    return (alpha / rank_of(tensors) * squared.sqrt()).float()


def unscaled_factors(tensors: Tensors) -> Factors:
    """`up` and `down` in fp64 without alpha / rank; a Tucker core is multiplied out on the input's side, which is exact.

    Raises:
        AdapterError: the shapes do not go together.
    """
    up, down = tensors[UP].double().flatten(1), tensors[DOWN].double()
    if MID in tensors:
        down = torch.einsum("mnhw,ni->mihw", tensors[MID].double(), down.flatten(1))
    if up.shape[1] != down.shape[0]:
        raise AdapterError(f"Its lora_up has rank {up.shape[1]} and its lora_down {down.shape[0]}: the file is damaged.")
    return up, down.flatten(1), tuple(down.shape[1:])


def factors(tensors: Tensors, alpha: float, weight: Tensor | None) -> Factors:
    left, right, kernel = unscaled_factors(tensors)
    return alpha / left.shape[1] * left, right, kernel


FORMULAS = Formulas(
    start=start_tensors,
    delta_weight=whole_delta,
    forward=forward,
    added=added,
    factors=factors,
    norm=norm,
    degree=len,
)
