"""A frozen layer with LoRA's detour around it, y = W x + b + scale * up (down x), and its gradients.

Written out by hand because autograd would keep, per layer, the scaled detour and the sum beside x, and would walk the
frozen layer and the detour separately. These keep x and the small projection `down x`, add the detour into the fresh
output, and compute only the gradients that are asked for. The frozen layer's output comes from the very same call as
without a detour, so that `up` = 0 changes no bit. On a GPU such small products take less time than it takes to ask for them,
so each cast and each multiplication by 1 that is left out counts: the factors are cast once, and kept so for the gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

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


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, down: Tensor, up: Tensor, scale: float, mask: Tensor | None
    ) -> Tensor:
        y = F.linear(x, weight, bias)
        rows = x.reshape(-1, x.shape[-1]).to(y.dtype)
        ctx.scale, ctx.shape, ctx.dtypes = scale, x.shape, (x.dtype, down.dtype, up.dtype)
        down, up = down.to(y.dtype), up.to(y.dtype)
        small = _mix(down, rows)
        if mask is not None:
            mask = mask.to(y.dtype)
            small = small.mul_(mask)
        _add_mix(y.view(-1, y.shape[-1]), up, small, scale)
        ctx.save_for_backward(rows, small, weight, down, up, mask)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        grad_x, *others = _backward(ctx, grad.reshape(-1, grad.shape[-1]))
        return None if grad_x is None else grad_x.view(ctx.shape), *others, None, None


class _PointwiseConv(torch.autograd.Function):
    """A 1x1 convolution is a matrix product per pixel, and several times faster as one than as a thin convolution."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, down: Tensor, up: Tensor, scale: float, mask_of: MaskOf | None
    ) -> Tensor:
        y = F.conv2d(x, weight, bias)
        ctx.scale, ctx.dtypes = scale, (x.dtype, down.dtype, up.dtype)
        x, down, up = x.to(y.dtype), down.to(y.dtype), up.to(y.dtype)
        small = _mix(down.flatten(1), x)
        small, mask = _masked(small, mask_of)
        _add_mix(y, up.flatten(1), small, scale)
        ctx.save_for_backward(x, small, weight, down, up, mask)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return *_backward(ctx, grad), None, None


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
        ctx.scale, ctx.dtypes = scale, (x.dtype, down.dtype, up.dtype)
        ctx.how = (stride, padding, dilation, False, (0, 0), 1)
        x, down, up = x.to(y.dtype), down.to(y.dtype), up.to(y.dtype)
        small = F.conv2d(x, down, None, stride, padding, dilation)
        small, mask = _masked(small, mask_of)
        _add_mix(y, up.flatten(1), small, scale)
        ctx.save_for_backward(x, small, weight, down, up, mask)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, small, weight, down, up, mask = ctx.saved_tensors
        need_x, need_weight, need_bias, need_down, need_up, *_ = ctx.needs_input_grad
        dtype_of_x, _, dtype_of_up = ctx.dtypes
        grad_x = grad_weight = grad_bias = grad_down = grad_up = None
        if need_x or need_weight or need_bias:
            bias_sizes = [weight.shape[0]] if need_bias else None
            needs = [need_x, need_weight, need_bias]
            grad_x, grad_weight, grad_bias = _conv_backward(grad, x, weight.to(grad.dtype), bias_sizes, *ctx.how, needs)
        if need_x or need_down:
            grad_small = _times(ctx.scale, _mix(up.flatten(1).t(), grad))
            if mask is not None:
                grad_small *= mask
            detour_x, grad_down, _ = _conv_backward(grad_small, x, down, None, *ctx.how, [need_x, need_down, False])
        if grad_x is not None:
            grad_x = grad_x.add_(detour_x).to(dtype_of_x)
        if need_up:
            grad_up = _times(ctx.scale, _pairs(grad, small).to(dtype_of_up)).view(up.shape)
        return grad_x, grad_weight, grad_bias, grad_down, grad_up, None, None, None, None, None


def _masked(small: Tensor, mask_of: MaskOf | None) -> tuple[Tensor, Tensor | None]:
    if mask_of is None:
        return small, None
    mask = mask_of(small.shape).to(small.dtype)
    return small * mask, mask


_conv_backward = torch.ops.aten.convolution_backward.default


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    """Gradients of x, weight, bias, down, up from that of y = W x + b + scale * up (down x), at every place of x."""
    x, small, weight, down, up, mask = ctx.saved_tensors
    need_x, need_weight, need_bias, need_down, need_up, *_ = ctx.needs_input_grad
    dtype_of_x, dtype_of_down, dtype_of_up = ctx.dtypes
    grad_x = grad_weight = grad_bias = grad_down = grad_up = None
    if need_x or need_down:
        grad_small = _mix(up.flatten(1).t(), grad)
        if mask is not None:
            grad_small *= mask
    if need_x:
        grad_x = _mix(weight.flatten(1).to(grad.dtype).t(), grad)
        _add_mix(grad_x, down.flatten(1).t(), grad_small, ctx.scale)
        grad_x = grad_x.to(dtype_of_x)
    if need_weight:
        grad_weight = _pairs(grad, x).view(weight.shape)
    if need_bias:
        grad_bias = grad.sum([i for i in range(grad.dim()) if i != 1])
    if need_down:
        grad_down = _times(ctx.scale, _pairs(grad_small, x).to(dtype_of_down)).view(down.shape)
    if need_up:
        grad_up = _times(ctx.scale, _pairs(grad, small).to(dtype_of_up)).view(up.shape)
    return grad_x, grad_weight, grad_bias, grad_down, grad_up


def _times(scale: float, fresh: Tensor) -> Tensor:
    """`scale` times a tensor that nobody else has, in place."""
    return fresh if scale == 1 else fresh.mul_(scale)


# The three matrix products of all layers, on rows [places, channels] (Linear) and on images [batch, channels, height,
# width]. In channels-last memory an image's pixels are rows already; otherwise each image is a matrix of columns.


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
