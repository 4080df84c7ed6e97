"""The general way through a layer: the changed weight is built as a whole, used, and dropped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from lorasmith.adapters.kinds.formulas.target_layer import Call, TargetLayer


def through_weight(build: Callable[..., Tensor], tensors: tuple[Tensor, ...], call: Call, bias: Tensor | None = None) -> Tensor:
    """The output of a layer whose change is built as a whole: `build(*tensors)` is W' - W over all rows, in fp32.

    Only the input and the tensors are kept for the gradient; the change is built again when that is computed. `bias` is
    added to the layer's own. On a layer that computes in half precision the change is applied apart from W and never added
    to W, in whose rounding a small one would drown. A compiler decides by itself what to keep, and cannot look into what is built again.
    """
    target, strength = call.target, call.strength
    own_bias = target.module.bias
    if bias is not None:
        own_bias = strength * bias if own_bias is None else own_bias + strength * bias
        own_bias = own_bias.to(target.module.weight.dtype)
    if target.module.weight.requires_grad or torch.compiler.is_compiling():
        delta = strength * target.own(build(*tensors))
        return target.apply(call.x, target.module.weight, own_bias) + target.apply(call.x, delta.to(call.x.dtype))
    return _ThroughWeight.apply(call.x, own_bias, build, target, strength, *tensors)


class _ThroughWeight(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, bias: Tensor | None, build: Callable[..., Tensor], target: TargetLayer, strength: float, *tensors: Tensor
    ) -> Tensor:
        weight = target.module.weight
        ctx.exact = target.exact
        with torch.autocast(weight.device.type, enabled=False):
            delta = strength * target.own(build(*tensors))
        if ctx.exact:
            y = target.apply(x, weight + delta.to(weight.dtype), bias)
        else:
            y = target.apply(x, weight, bias)
            y += target.apply(x, delta.to(y.dtype))
        ctx.save_for_backward(x, *tensors)
        ctx.build, ctx.target, ctx.strength = build, target, strength
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, *tensors = ctx.saved_tensors
        target, strength, dtype = ctx.target, ctx.strength, grad.dtype
        need_x, need_bias = ctx.needs_input_grad[:2]
        needed = [i for i in range(len(tensors)) if ctx.needs_input_grad[5 + i]]
        with torch.enable_grad():
            leaves = [tensor.detach().requires_grad_(i in needed) for i, tensor in enumerate(tensors)]
            delta = strength * target.own(ctx.build(*leaves))
        weight, changed = target.module.weight.detach(), delta.detach()
        parts = [weight + changed.to(weight.dtype)] if ctx.exact else [weight, changed]
        grad_x = grad_weight = grad_bias = None
        for part in parts:
            of_x, of_weight = _gradients(target, grad, x.to(dtype), part.to(dtype), need_x, bool(needed) and part is parts[-1])
            grad_x = of_x if grad_x is None else grad_x.add_(of_x) if of_x is not None else None
            grad_weight = of_weight if of_weight is not None else grad_weight
        if need_bias:
            channels = target.channel_axis % grad.dim()
            grad_bias = grad.sum([i for i in range(grad.dim()) if i != channels])
        found: list[Tensor | None] = [None] * len(tensors)
        if needed and grad_weight is not None:
            for i, value in zip(needed, torch.autograd.grad(delta, [leaves[i] for i in needed], grad_weight.to(delta.dtype)), strict=True):
                found[i] = value
        return None if grad_x is None else grad_x.to(x.dtype), grad_bias, None, None, None, *found


def _gradients(
    target: TargetLayer, grad: Tensor, x: Tensor, weight: Tensor, need_x: bool, need_weight: bool
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients of x and of the weight of one application of the layer."""
    module = target.module
    if isinstance(module, nn.Linear):
        of_x = grad @ weight if need_x else None
        return of_x, grad.reshape(-1, grad.shape[-1]).t() @ x.reshape(-1, x.shape[-1]) if need_weight else None
    how = (module.stride, module.padding, module.dilation, False, (0, 0), 1)
    of_x, of_weight, _ = torch.ops.aten.convolution_backward.default(grad, x, weight, None, *how, [need_x, need_weight, False])
    return of_x, of_weight
