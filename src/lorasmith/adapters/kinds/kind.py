"""What every network kind has in common: its settings for one layer, the layer's place in the model, the kind itself.

A kind says how the change of a layer's weight, W' - W, is written with fewer (or other) numbers than W has. It is a row
of pure functions over named tensors; the names are those of the LoRA file without the layer's name:

    kind.start(weight_shape, has_bias, settings, generator)   the trained tensors as training begins; W' = W
    kind.delta_weight(tensors, alpha, weight)                 W' - W in fp32 at strength 1
    kind.forward(tensors, alpha, call)                        the layer's output at any strength, the cheap way

`alpha` is the number that a file carries beside the tensors. For most kinds the change is multiplied by alpha / rank;
for the rotations (diag-oft, boft) it is the constraint instead.

Strength s means the same everywhere, and the same as in the UIs: W + s (W' - W).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

Tensors = Mapping[str, Tensor]
BaseLayer = nn.Linear | nn.Conv2d


@dataclass(frozen=True, kw_only=True)
class LayerSettings:
    """Everything that one layer's network depends on. `kind` is a key of KINDS; which of the rest matter, it says."""

    kind: str = "lora"
    rank: int = 16
    alpha: float = 16.0
    rs_lora: bool = False
    dora: bool = False
    use_tucker: bool = False
    factor: int = -1
    full_matrix: bool = False
    decompose_both: bool = False
    block_size: int | None = None
    constraint: float = 0.0
    on_input: bool = False
    rank_step: int = 1
    dropout: float = 0.0
    rank_dropout: float = 0.0
    module_dropout: float = 0.0


# ---- the layer's place in the model


@dataclass(frozen=True)
class Site:
    """A frozen layer of the base, and which rows of the network's weight are its own.

    In most models a layer of the file is one layer of the model. Where a file's layer is several of the model's side by
    side (Flux: one `qkv` for `to_q`, `to_k`, `to_v`), their weights are stacked along the output: `together` has all of
    them in order, and this one's rows begin at `first_row`.
    """

    module: BaseLayer
    first_row: int = 0
    together: tuple[BaseLayer, ...] = ()

    @property
    def fused(self) -> bool:
        return len(self.together) > 1

    @property
    def rows(self) -> slice:
        return slice(self.first_row, self.first_row + self.module.weight.shape[0])

    def own(self, whole: Tensor) -> Tensor:
        """This layer's rows of a tensor over all rows."""
        return whole[self.rows] if self.fused else whole

    def whole_weight(self) -> Tensor:
        """The base's weight over all rows; a copy only where several layers stand together."""
        return torch.cat([module.weight for module in self.together]) if self.fused else self.module.weight

    def base(self, x: Tensor) -> Tensor:
        """The frozen layer's output, bit for bit."""
        if isinstance(self.module, nn.Linear):
            return nn.Linear.forward(self.module, x)
        return nn.Conv2d.forward(self.module, x)

    @property
    def whole_shape(self) -> Tensor:
        """A tensor on the meta device in the shape of `whole_weight`: enough for the kinds that do not need its values."""
        weight = self.module.weight
        rows = sum(module.weight.shape[0] for module in self.together) if self.fused else weight.shape[0]
        return torch.empty(rows, *weight.shape[1:], device="meta")

    def apply(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """The layer's operation (its stride, padding, dilation) with another weight."""
        if isinstance(self.module, nn.Linear):
            return F.linear(x, weight, bias)
        return F.conv2d(x, weight, bias, self.module.stride, self.module.padding, self.module.dilation)

    @property
    def channel_axis(self) -> int:
        """Which axis of an input or an output holds the channels."""
        return -1 if isinstance(self.module, nn.Linear) else 1

    def along_channels(self, values: Tensor) -> Tensor:
        """One number a channel, in a shape that multiplies an input or an output."""
        return values.view(-1) if isinstance(self.module, nn.Linear) else values.view(-1, 1, 1)

    @property
    def exact(self) -> bool:
        """Whether the layer computes in fp32 or better, so that W + change keeps a small change."""
        weight = self.module.weight
        return weight.dtype in (torch.float32, torch.float64) and not torch.is_autocast_enabled(weight.device.type)


RankMask = Callable[[torch.Size, int], Tensor]
"""(shape of the projection into `rank` channels, axis of the rank) -> what to multiply it with; for the dropouts."""


@dataclass(frozen=True)
class Call:
    """One forward pass of one layer: input, place, strength, and what the dropouts leave of the ranks."""

    x: Tensor
    site: Site
    strength: float = 1.0
    mask: RankMask | None = None


# ---- the kind


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A network kind. See the head of this file; a layer's file tensors are `start`'s and, where `has_alpha`, `alpha`."""

    name: str
    title: str
    options: frozenset[str]
    """The fields of LayerSettings that change something."""
    endings: frozenset[str]
    """All names that its tensors can have in a file, `alpha` and `dora_scale` aside."""
    start: Callable[[torch.Size, bool, LayerSettings, torch.Generator], dict[str, Tensor]]
    delta_weight: Callable[[Tensors, float, Tensor], Tensor]
    """(tensors, alpha, base weight) -> W' - W in fp32. A weight on the meta device serves where not `needs_weight`."""
    forward: Callable[[Tensors, float, Call], Tensor]
    needs_weight: bool = False
    """Whether the change depends on the values of the base weight, and not on its shape alone."""
    added: Callable[[Tensors, float, Call], Tensor] | None = None
    """(W' - W) applied to x at strength 1: what DoRA goes around. None where it makes no sense."""
    delta_bias: Callable[[Tensors], Tensor | None] = lambda tensors: None
    has_alpha: bool = True
    starting_alpha: Callable[[LayerSettings, Tensors], float] = lambda settings, tensors: settings.alpha
    to_file: Callable[[Tensors, float], tuple[dict[str, Tensor], float]] = lambda tensors, alpha: (dict(tensors), alpha)
    """What is written for the tensors and alpha, where that is another form of the same change."""
    rank: Callable[[Tensors], int | None] = lambda tensors: None
    """Ranks that the tensors have; None where there are none. A missing alpha is the rank."""
    degree: Callable[[Tensors], int] | None = None
    """Of how many of its tensors the change is a product, so that each scaled by c ** (1 / degree) scales the change by c."""
    own_norm: Callable[[Tensors, float], Tensor] | None = None
    """The Frobenius norm of the change, where there is a cheaper way than building it."""
    ranked: tuple[str, ...] = field(default=())
    """Tensors whose first axis is the rank, the one to thin out first; for rank dropout where `forward` takes no mask."""

    def norm(self, tensors: Tensors, alpha: float, weight: Tensor) -> Tensor:
        """The Frobenius norm of W' - W, a scalar in fp32."""
        return self.delta_weight(tensors, alpha, weight).norm() if self.own_norm is None else self.own_norm(tensors, alpha)


# ---- the general way: through the changed weight


def through_weight(delta: Callable[..., Tensor], tensors: tuple[Tensor, ...], call: Call, bias: Tensor | None = None) -> Tensor:
    """The output of a layer whose change is built as a whole: `delta(*tensors)` is W' - W over all rows, in fp32.

    Only the input and the tensors are kept for the gradient; the change is built again when that is computed. `bias` is
    added to the layer's own. On a layer that computes in half precision the change goes its own way and is never added
    to W, in whose rounding a small one would drown.
    """
    site, strength = call.site, call.strength
    own_bias = site.module.bias
    if bias is not None:
        own_bias = strength * bias if own_bias is None else own_bias + strength * bias
        own_bias = own_bias.to(site.module.weight.dtype)
    if site.module.weight.requires_grad:
        change = strength * site.own(delta(*tensors))
        return site.apply(call.x, site.module.weight, own_bias) + site.apply(call.x, change.to(call.x.dtype))
    return _ThroughWeight.apply(call.x, own_bias, delta, site, strength, *tensors)


class _ThroughWeight(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, bias: Tensor | None, delta: Callable[..., Tensor], site: Site, strength: float, *tensors: Tensor
    ) -> Tensor:
        weight = site.module.weight
        ctx.exact = site.exact
        with torch.autocast(weight.device.type, enabled=False):
            change = strength * site.own(delta(*tensors))
        if ctx.exact:
            y = site.apply(x, weight + change.to(weight.dtype), bias)
        else:
            y = site.apply(x, weight, bias)
            y += site.apply(x, change.to(y.dtype))
        ctx.save_for_backward(x, *tensors)
        ctx.delta, ctx.site, ctx.strength = delta, site, strength
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, *tensors = ctx.saved_tensors
        site, strength, dtype = ctx.site, ctx.strength, grad.dtype
        need_x, need_bias = ctx.needs_input_grad[:2]
        needed = [i for i in range(len(tensors)) if ctx.needs_input_grad[5 + i]]
        with torch.enable_grad():
            leaves = [tensor.detach().requires_grad_(i in needed) for i, tensor in enumerate(tensors)]
            change = strength * site.own(ctx.delta(*leaves))
        weight, changed = site.module.weight.detach(), change.detach()
        parts = [weight + changed.to(weight.dtype)] if ctx.exact else [weight, changed]
        grad_x = grad_weight = grad_bias = None
        for part in parts:
            of_x, of_weight = _gradients(site, grad, x.to(dtype), part.to(dtype), need_x, bool(needed) and part is parts[-1])
            grad_x = of_x if grad_x is None else grad_x.add_(of_x) if of_x is not None else None
            grad_weight = of_weight if of_weight is not None else grad_weight
        if need_bias:
            channels = site.channel_axis % grad.dim()
            grad_bias = grad.sum([i for i in range(grad.dim()) if i != channels])
        found: list[Tensor | None] = [None] * len(tensors)
        if needed and grad_weight is not None:
            for i, value in zip(
                needed, torch.autograd.grad(change, [leaves[i] for i in needed], grad_weight.to(change.dtype)), strict=True
            ):
                found[i] = value
        return None if grad_x is None else grad_x.to(x.dtype), grad_bias, None, None, None, *found


def _gradients(site: Site, grad: Tensor, x: Tensor, weight: Tensor, need_x: bool, need_weight: bool) -> tuple[Tensor | None, Tensor | None]:
    """Gradients of x and of the weight of one application of the layer."""
    module = site.module
    if isinstance(module, nn.Linear):
        of_x = grad @ weight if need_x else None
        return of_x, grad.reshape(-1, grad.shape[-1]).t() @ x.reshape(-1, x.shape[-1]) if need_weight else None
    how = (module.stride, module.padding, module.dilation, False, (0, 0), 1)
    of_x, of_weight, _ = torch.ops.aten.convolution_backward.default(grad, x, weight, None, *how, [need_x, need_weight, False])
    return of_x, of_weight
