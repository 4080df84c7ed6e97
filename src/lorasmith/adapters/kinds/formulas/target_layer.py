"""A layer of the base that a network's layer acts on, and one pass through it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BaseLayer = nn.Linear | nn.Conv2d


@dataclass(frozen=True)
class TargetLayer:
    """A frozen layer of the base, and which rows of the network's weight are its own.

    In most models a layer of the file is one layer of the model. Where a file's layer is several of the model's side by
    side (Flux: one `qkv` for `to_q`, `to_k`, `to_v`), their weights are stacked along the output: `siblings` has all of
    them in order, this one too, and this one's rows begin at `first_row`.
    """

    module: BaseLayer
    first_row: int = 0
    siblings: tuple[BaseLayer, ...] = ()

    @property
    def fused(self) -> bool:
        """Whether the file's layer stands for several."""
        return len(self.siblings) > 1

    @property
    def rows(self) -> slice:
        """This layer's rows of the file's weight."""
        return slice(self.first_row, self.first_row + self.module.weight.shape[0])

    def own(self, whole: Tensor) -> Tensor:
        """This layer's rows of a tensor over all rows."""
        return whole[self.rows] if self.fused else whole

    @property
    def whole_shape(self) -> torch.Size:
        """The shape of the weight over all rows."""
        weight = self.module.weight
        rows = sum(module.weight.shape[0] for module in self.siblings) if self.fused else weight.shape[0]
        return torch.Size((rows, *weight.shape[1:]))

    def whole_weight(self) -> Tensor:
        """The base's weight over all rows; a copy only where the layer is fused."""
        return torch.cat([module.weight for module in self.siblings]) if self.fused else self.module.weight

    def shape_only(self) -> Tensor:
        """A tensor on the meta device in the shape of `whole_weight`: enough for the kinds that do not need its values."""
        return torch.empty(self.whole_shape, device="meta")

    @property
    def has_bias(self) -> bool:
        """Whether every one of the fused layers has a bias."""
        return all(module.bias is not None for module in self.siblings or (self.module,))

    def base(self, x: Tensor) -> Tensor:
        """The frozen layer's output, bit for bit."""
        if isinstance(self.module, nn.Linear):
            return nn.Linear.forward(self.module, x)
        return nn.Conv2d.forward(self.module, x)

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
        """Whether the layer computes in fp32 or better, so that W + delta keeps a small delta."""
        weight = self.module.weight
        return weight.dtype in (torch.float32, torch.float64) and not torch.is_autocast_enabled(weight.device.type)


RankMask = Callable[[torch.Size, int], Tensor]
"""(shape of the projection into `rank` channels, axis of the rank) -> what to multiply it with; for the dropouts."""


@dataclass(frozen=True)
class Call:
    """One forward pass of one layer: input, layer, strength, and what the dropouts leave of the ranks."""

    x: Tensor
    target: TargetLayer
    strength: float = 1.0
    mask: RankMask | None = None
