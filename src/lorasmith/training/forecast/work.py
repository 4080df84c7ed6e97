"""What operations do and need, as data: floating-point operations, bytes moved, memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class TensorSpec:
    """A tensor without its numbers."""

    shape: tuple[int, ...]
    dtype: str
    """In torch: "float32"."""


@dataclass(frozen=True)
class Product:
    """A matrix product or convolution: the operation, and its arguments with a `TensorSpec` in the place of each tensor."""

    operation: str
    """In torch.ops: "aten.mm.default"."""
    arguments: tuple[Any, ...]
    flops: float

    def with_numbers(self, device: str) -> Callable[[], Any]:
        """The operation on random tensors of these shapes, ready to be run."""
        import torch

        operation: Any = torch.ops
        for name in self.operation.split("."):
            operation = getattr(operation, name)
        arguments = [_random(argument, device) for argument in self.arguments]
        return lambda: operation(*arguments)


def _random(argument: Any, device: str) -> Any:
    if isinstance(argument, TensorSpec):
        import torch

        return torch.rand(argument.shape, device=device).to(getattr(torch, argument.dtype))
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

    @property
    def as_data(self) -> dict[str, Any]:
        """For JSON; `of_data` reads it."""
        return {**vars(self), "products": [(asdict(product), flops) for product, flops in self.products.items()]}

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> Work:
        """Raises KeyError, TypeError or ValueError where something is not as `as_data` writes it."""
        products = {
            Product(product["operation"], tuple(map(_argument, product["arguments"])), product["flops"]): flops
            for product, flops in data["products"]
        }
        return cls(**{**data, "products": products})


def _argument(data: Any) -> Any:
    if isinstance(data, dict):
        return TensorSpec(tuple(data["shape"]), data["dtype"])
    return tuple(data) if isinstance(data, list) else data
