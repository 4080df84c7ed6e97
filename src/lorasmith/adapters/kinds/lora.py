"""LoRA: train a small detour around a layer instead of the layer (Hu et al. 2021, https://arxiv.org/abs/2106.09685).

A layer's weight W (out x in) stays frozen. Its change is written as a product of two thin matrices, so that only
rank * (in + out) numbers are trained instead of in * out:

    W' = W + s * up @ down          down: rank x in,   up: out x rank,   s = strength * alpha / rank

`down` starts random and `up` starts at zero, so at the start W' = W. Dividing by the rank keeps the size of a step about
the same when the rank is changed; alpha is the dial that is written into the file.

Training never builds the product. The detour is walked directly,

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
learns. A file has no word for it: alpha * sqrt(rank) is written as its alpha, which says the same.

The trained factors may have another dtype than the base (fp32 over bf16): they are cast as they are used, the result has
the base's dtype, and their gradients come back in their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from lorasmith.adapters.kinds.kind import Call, Kind, LayerSettings, Tensors

# ---- shapes, the start, the product


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


# ---- layers with the detour

MaskOf = Callable[[torch.Size], Tensor]


def linear(x: Tensor, weight: Tensor, bias: Tensor | None, down: Tensor, up: Tensor, scale: float, mask: Tensor | None = None) -> Tensor:
    """`F.linear(x, weight, bias)` plus the detour; x [..., in] -> [..., out].

    `mask`, in a shape that broadcasts to [..., rank], multiplies `down x`: dropout.
    """
    if mask is not None:
        mask = mask.expand(*x.shape[:-1], down.shape[0]).reshape(-1, down.shape[0])
    return _Linear.apply(x, weight, bias, down, up, scale, mask)


def conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    down: Tensor,
    up: Tensor,
    scale: float,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
    mask: MaskOf | None = None,
) -> Tensor:
    """`F.conv2d` (one group, zero padding) plus the detour; x [batch, in, height, width].

    `mask` gets the shape of `down x` and gives what to multiply it with: dropout.
    """
    pointwise = weight.shape[2:] == (1, 1) and stride == (1, 1) and padding == (0, 0)
    if pointwise:
        return _PointwiseConv.apply(x, weight, bias, down, up, scale, mask)
    return _Conv.apply(x, weight, bias, down, up, scale, stride, padding, dilation, mask)


# Written out by hand because autograd would keep, per layer, the scaled detour and the sum beside x, and would walk the
# frozen layer and the detour separately. These keep x and the small projection `down x`, add the detour into the fresh
# output, and compute only the gradients that are asked for. The frozen layer's output comes from the very same call as
# without a detour, so that `up` = 0 changes no bit.


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, down: Tensor, up: Tensor, scale: float, mask: Tensor | None
    ) -> Tensor:
        y = F.linear(x, weight, bias)
        rows = x.reshape(-1, x.shape[-1]).to(y.dtype)
        small = _mix(down.to(y.dtype), rows)
        if mask is not None:
            mask = mask.to(y.dtype)
            small = small.mul_(mask)
        _add_mix(y.view(-1, y.shape[-1]), up.to(y.dtype), small, scale)
        ctx.save_for_backward(rows, small, weight, down, up, mask)
        ctx.scale, ctx.shape, ctx.dtype = scale, x.shape, x.dtype
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        grad_x, *others = _backward(grad.reshape(-1, grad.shape[-1]), ctx.saved_tensors, ctx.scale, ctx.needs_input_grad)
        return None if grad_x is None else grad_x.view(ctx.shape).to(ctx.dtype), *others, None, None


class _PointwiseConv(torch.autograd.Function):
    """A 1x1 convolution is a matrix product per pixel, and several times faster as one than as a thin convolution."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, down: Tensor, up: Tensor, scale: float, mask_of: MaskOf | None
    ) -> Tensor:
        y = F.conv2d(x, weight, bias)
        ctx.dtype = x.dtype
        x = x.to(y.dtype)
        small = _mix(down.flatten(1).to(y.dtype), x)
        small, mask = _masked(small, mask_of)
        _add_mix(y, up.flatten(1).to(y.dtype), small, scale)
        ctx.save_for_backward(x, small, weight, down, up, mask)
        ctx.scale = scale
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        grad_x, *others = _backward(grad, ctx.saved_tensors, ctx.scale, ctx.needs_input_grad)
        return None if grad_x is None else grad_x.to(ctx.dtype), *others, None, None


class _Conv(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        down: Tensor,
        up: Tensor,
        scale: float,
        stride: tuple[int, int],
        padding: tuple[int, int],
        dilation: tuple[int, int],
        mask_of: MaskOf | None,
    ) -> Tensor:
        y = F.conv2d(x, weight, bias, stride, padding, dilation)
        ctx.dtype = x.dtype
        x = x.to(y.dtype)
        small = F.conv2d(x, down.to(y.dtype), None, stride, padding, dilation)
        small, mask = _masked(small, mask_of)
        _add_mix(y, up.flatten(1).to(y.dtype), small, scale)
        ctx.save_for_backward(x, small, weight, down, up, mask)
        ctx.scale, ctx.how = scale, (stride, padding, dilation, False, (0, 0), 1)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, small, weight, down, up, mask = ctx.saved_tensors
        need_x, need_weight, need_bias, need_down, need_up, *_ = ctx.needs_input_grad
        dtype, scale = grad.dtype, ctx.scale
        grad_x = grad_weight = grad_bias = grad_down = grad_up = None
        if need_x or need_weight or need_bias:
            bias_sizes = [weight.shape[0]] if need_bias else None
            needs = [need_x, need_weight, need_bias]
            grad_x, grad_weight, grad_bias = _conv_backward(grad, x, weight.to(dtype), bias_sizes, *ctx.how, needs)
        if need_x or need_down:
            grad_small = _mix(up.flatten(1).to(dtype).t(), grad).mul_(scale)
            if mask is not None:
                grad_small *= mask
            detour_x, grad_down, _ = _conv_backward(grad_small, x, down.to(dtype), None, *ctx.how, [need_x, need_down, False])
        if grad_x is not None:
            grad_x = grad_x.add_(detour_x).to(ctx.dtype)
        if need_up:
            grad_up = _pairs(grad, small).to(up.dtype).mul_(scale).view(up.shape)
        return grad_x, grad_weight, grad_bias, grad_down, grad_up, None, None, None, None, None


def _masked(small: Tensor, mask_of: MaskOf | None) -> tuple[Tensor, Tensor | None]:
    if mask_of is None:
        return small, None
    mask = mask_of(small.shape).to(small.dtype)
    return small * mask, mask


_conv_backward = torch.ops.aten.convolution_backward.default


def _backward(grad: Tensor, saved: tuple[Any, ...], scale: float, needs: Sequence[bool]) -> tuple[Tensor | None, ...]:
    """Gradients of x, weight, bias, down, up from that of y = W x + b + scale * up (down x), at every place of x."""
    x, small, weight, down, up, mask = saved
    need_x, need_weight, need_bias, need_down, need_up, *_ = needs
    dtype = grad.dtype
    grad_x = grad_weight = grad_bias = grad_down = grad_up = None
    if need_x or need_down:
        grad_small = _mix(up.flatten(1).to(dtype).t(), grad)
        if mask is not None:
            grad_small *= mask
    if need_x:
        grad_x = _mix(weight.flatten(1).to(dtype).t(), grad)
        _add_mix(grad_x, down.flatten(1).to(dtype).t(), grad_small, scale)
    if need_weight:
        grad_weight = _pairs(grad, x).view(weight.shape)
    if need_bias:
        grad_bias = grad.sum([i for i in range(grad.dim()) if i != 1])
    if need_down:
        grad_down = _pairs(grad_small, x).to(down.dtype).mul_(scale).view(down.shape)
    if need_up:
        grad_up = _pairs(grad, small).to(up.dtype).mul_(scale).view(up.shape)
    return grad_x, grad_weight, grad_bias, grad_down, grad_up


# The three matrix products of all layers, on rows [places, channels] (Linear) and on images [batch, channels, height,
# width]. In channels-last memory an image's pixels are rows as they lie; otherwise each image is a matrix of columns.


def _mix(matrix: Tensor, x: Tensor) -> Tensor:
    """`matrix` applied to the channels at every place of `x`, in the memory layout of `x`."""
    if x.dim() == 2:
        return x @ matrix.t()
    if _is_channels_last(x):
        batch, _, height, width = x.shape
        return (_pixel_rows(x) @ matrix.t()).view(batch, height, width, -1).permute(0, 3, 1, 2)
    return torch.bmm(_per_image(matrix, x), x.flatten(2)).unflatten(2, x.shape[2:])


def _add_mix(y: Tensor, matrix: Tensor, x: Tensor, scale: float) -> None:
    """Add `scale` times `matrix` applied to the channels of `x` to `y`, in place."""
    if y.dim() == 2:
        y.addmm_(x, matrix.t(), alpha=scale)
    elif _is_channels_last(y):
        y.permute(0, 2, 3, 1).view(-1, y.shape[1]).addmm_(_pixel_rows(x), matrix.t(), alpha=scale)
    else:
        y.view(*y.shape[:2], -1).baddbmm_(_per_image(matrix, x), x.flatten(2), alpha=scale)


def _pairs(a: Tensor, b: Tensor) -> Tensor:
    """Sum over all places of the products of a channel of `a` and one of `b`: [channels of a, channels of b]."""
    if a.dim() == 2:
        return a.t() @ b
    if _is_channels_last(a):
        return _pixel_rows(a).t() @ _pixel_rows(b)
    return torch.bmm(a.flatten(2), b.flatten(2).transpose(1, 2)).sum(0)


def _is_channels_last(image: Tensor) -> bool:
    return not image.is_contiguous() and image.is_contiguous(memory_format=torch.channels_last)


def _pixel_rows(image: Tensor) -> Tensor:
    """[batch, channels, height, width] as [pixels, channels]; shares memory where the image is channels-last."""
    return image.permute(0, 2, 3, 1).reshape(-1, image.shape[1])


def _per_image(matrix: Tensor, images: Tensor) -> Tensor:
    """One matrix for each image of the batch, sharing memory."""
    return matrix.expand(images.shape[0], -1, -1)


# ---- the kind

DOWN, UP, MID = "lora_down.weight", "lora_up.weight", "lora_mid.weight"


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


def starting_alpha(settings: LayerSettings, tensors: Tensors) -> float:
    """The alpha of the file: with rs-scaling the one that, divided by the rank, gives alpha / sqrt(rank)."""
    return settings.alpha * math.sqrt(settings.rank) if settings.rs_lora else settings.alpha


def rank_of(tensors: Tensors) -> int:
    return tensors[DOWN].shape[0]


def change(tensors: Tensors, alpha: float, weight: Tensor) -> Tensor:
    """W' - W in fp32."""
    down, up = tensors[DOWN].float(), tensors[UP].float()
    scale = alpha / rank_of(tensors)
    if MID in tensors:
        return scale * torch.einsum("op,pqyx,qi->oiyx", up.flatten(1), tensors[MID].float(), down.flatten(1))
    return delta_weight(down, up, scale)


def forward(tensors: Tensors, alpha: float, call: Call) -> Tensor:
    site, module, x = call.site, call.site.module, call.x
    scale = call.strength * alpha / rank_of(tensors)
    down, up = tensors[DOWN], site.own(tensors[UP])
    if MID in tensors:
        return site.base(x) + call.strength * added(tensors, alpha, call)
    mask = call.mask
    if isinstance(module, nn.Linear):
        drawn = None if mask is None else mask(torch.Size((*x.shape[:-1], down.shape[0])), -1)
        return linear(x, module.weight, module.bias, down, up, scale, drawn)
    padding = cast("tuple[int, int]", module.padding)
    mask_of = None if mask is None else lambda shape: mask(shape, 1)
    return conv2d(x, module.weight, module.bias, down, up, scale, _pair(module.stride), padding, _pair(module.dilation), mask_of)


def added(tensors: Tensors, alpha: float, call: Call) -> Tensor:
    """The detour alone, at strength 1."""
    site, x = call.site, call.x
    down, up = tensors[DOWN].to(x.dtype), site.own(tensors[UP]).to(x.dtype)
    small = site.apply(F.conv2d(x, down), tensors[MID].to(x.dtype)) if MID in tensors else site.apply(x, down)
    if call.mask is not None:
        small = small * call.mask(small.shape, site.channel_axis).to(small.dtype)
    scale = alpha / rank_of(tensors)
    return scale * (F.linear(small, up) if isinstance(site.module, nn.Linear) else F.conv2d(small, up))


def _pair(value: tuple[int, ...]) -> tuple[int, int]:
    return value[0], value[1]


def norm(tensors: Tensors, alpha: float) -> Tensor:
    """||up @ down|| from the small products of the factors with themselves."""
    if MID in tensors:
        shape = (tensors[UP].shape[0], tensors[DOWN].shape[1], *tensors[MID].shape[2:])
        return change(tensors, alpha, torch.empty(shape, device="meta")).norm()
    down, up = tensors[DOWN].double().flatten(1), tensors[UP].double().flatten(1)
    squared = ((up.t() @ up) * (down @ down.t())).sum().clamp_min(0)
    return (alpha / rank_of(tensors) * squared.sqrt()).float()


KIND = Kind(
    name="lora",
    title="LoRA (on convolutions: LoCon)",
    options=frozenset({"rank", "alpha", "rs_lora", "dora", "use_tucker", "dropout", "rank_dropout", "module_dropout"}),
    endings=frozenset({DOWN, UP, MID}),
    start=start_tensors,
    starting_alpha=starting_alpha,
    delta_weight=change,
    forward=forward,
    added=added,
    rank=rank_of,
    degree=len,
    own_norm=norm,
)
