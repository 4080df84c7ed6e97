"""What operations do and need, as data: floating-point operations, bytes moved, memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch


@dataclass(frozen=True)
class TensorSpec:
    """A tensor without its numbers."""

    shape: tuple[int, ...]
    dtype: torch.dtype


@dataclass(frozen=True)
class Product:
    """A matrix product or convolution: the operation, and its arguments with a `TensorSpec` in the place of each tensor."""

    operation: Any
    arguments: tuple[Any, ...]
    flops: float

    def with_numbers(self, device: str) -> Callable[[], Any]:
        """The operation on random tensors of these shapes, ready to be run."""
        arguments = [_random(argument, device) for argument in self.arguments]
        return lambda: self.operation(*arguments)


def _random(argument: Any, device: str) -> Any:
    if isinstance(argument, TensorSpec):
        return torch.rand(argument.shape, device=device).to(argument.dtype)
    return list(argument) if isinstance(argument, tuple) else argument


@dataclass(frozen=True)
class Work:
    """What some operations do and need. Memory is beside that of weights."""

    flops: float
    traffic: float
    """Bytes read and written."""
    operations: int
    peak: int
    """Bytes of all live tensors at the worst moment."""
    kept: int = 0
    """Bytes kept from the forward pass for the backward."""
    attention_flops: float = 0.0
    """Those of `flops` that grow with the square of the picture's area."""
    products: Mapping[Product, float] = field(default_factory=dict)
    """Each product with its FLOPs in all."""

    def scaled(self, area: float, batch: float = 1.0) -> Work:
        """The same for pictures with `area` times the area, `batch` times as many of them; attention over a picture grows with its square.

        The count of operations stays as it is.
        """
        linear, attention = (self.flops - self.attention_flops) * area * batch, self.attention_flops * area * area * batch
        size = area * batch
        return Work(linear + attention, self.traffic * size, self.operations, int(self.peak * size), int(self.kept * size), attention)

    def __add__(self, other: Work) -> Work:
        """One after the other."""
        return Work(
            self.flops + other.flops, self.traffic + other.traffic, self.operations + other.operations, max(self.peak, other.peak),
            max(self.kept, other.kept), self.attention_flops + other.attention_flops,
            {product: self.products.get(product, 0.0) + other.products.get(product, 0.0) for product in {**self.products, **other.products}},
        )  # fmt: skip
