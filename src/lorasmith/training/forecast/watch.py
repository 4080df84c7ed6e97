"""Notes every operation of a block that runs on torch's meta device, where a tensor has a shape and a dtype but no numbers.

memory      a tensor is counted from the operation that makes it to the moment its last holder lets go of it; the highest sum is the peak
work        floating-point operations of every matrix product and convolution, by torch's own formulas (torch.utils.flop_counter);
            attention counts 4 n m d forward and 10 n m d backward, as the fused kernels compute it (Dao 2023,
            https://arxiv.org/abs/2307.08691, section 3.2). A frozen layer gives a gradient to its input alone
traffic     bytes that operations read and write, views aside
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from lorasmith.training.forecast.remembered import RememberedResults
from lorasmith.training.forecast.work import Product, TensorSpec, Work


class Watch(TorchDispatchMode):
    """Notes every operation within the block; meant for meta tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.products: dict[Product, float] = {}
        self.flops, self.attention_flops, self.traffic, self.operations = 0.0, 0.0, 0.0, 0
        self.live = self.peak = 0
        self._storages: dict[int, int] = {}
        self._results = RememberedResults()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = self._results(func, args, kwargs)
        made = [t for t in (out if isinstance(out, list | tuple) else (out,)) if isinstance(t, Tensor)]
        if func.is_view:
            return out
        given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        if count := flop_registry.get(func.overloadpacket):
            flops = count(*args, **kwargs, out_val=out)
            self.flops += flops
            product = Product(str(func), tuple(_spec(argument) for argument in args), flops)
            self.products[product] = self.products.get(product, 0.0) + flops
        self.operations += 1
        self.traffic += sum(t.nbytes for t in given) + sum(t.nbytes for t in made)
        for tensor in made:
            self.hold(tensor)
        return out

    def hold(self, tensor: Tensor) -> None:
        """Count a tensor's memory until it is freed."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key not in self._storages:
            self._storages[key] = storage.nbytes()
            self.live += storage.nbytes()
            self.peak = max(self.peak, self.live)
            weakref.finalize(storage, self._freed, key)

    def _freed(self, key: int) -> None:
        self.live -= self._storages.pop(key, 0)

    def work(self, kept: int = 0) -> Work:
        """What was noted so far."""
        return Work(self.flops, self.traffic, self.operations, self.peak, kept, self.attention_flops, self.products)

    @contextmanager
    def as_on_a_device(self) -> Iterator[None]:
        """Within the block code on the meta device finds what a real one has.

        Attention is counted as the fused kernels do it, where the meta device would take the slow way; and autocast can be asked for
        and switched off.
        """

        def attention(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> Tensor:
            found: Tensor = _Attention.apply(query, key, value, self)
            return found

        with ExitStack() as stack:
            stack.enter_context(_replaced(nn.functional, "scaled_dot_product_attention", attention))
            stack.enter_context(_replaced(torch, "is_autocast_enabled", lambda *_: False))
            stack.enter_context(_replaced(torch, "autocast", lambda *_, **__: nullcontext()))
            yield

    def attended(self, query: Tensor, key: Tensor, value: Tensor, products: int) -> None:
        """Count the products of an attention."""
        flops = products * query.shape[:-1].numel() * key.shape[-2] * (query.shape[-1] + value.shape[-1])
        self.flops += flops
        if query.shape[-2] == key.shape[-2]:
            self.attention_flops += flops


def _spec(argument: Any) -> Any:
    if isinstance(argument, Tensor):
        return TensorSpec(tuple(argument.shape), str(argument.dtype).removeprefix("torch."))
    return tuple(argument) if isinstance(argument, list) else argument


@contextmanager
def _replaced(owner: Any, name: str, other: Any) -> Iterator[None]:
    """Within the block `owner`'s `name` is `other`."""
    whole = getattr(owner, name)
    setattr(owner, name, other)
    try:
        yield
    finally:
        setattr(owner, name, whole)


class _Attention(torch.autograd.Function):
    """Shapes, memory and work of a fused attention: it keeps its inputs, its output and one number a row."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, watch: Watch) -> Tensor:
        out = query.new_empty((*query.shape[:-1], value.shape[-1]))
        rows = query.new_empty(query.shape[:-1], dtype=torch.float32)
        watch.attended(query, key, value, 2)
        ctx.save_for_backward(query, key, value, out, rows)
        ctx.watch = watch
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        query, key, value, _, _ = ctx.saved_tensors
        ctx.watch.attended(query, key, value, 5)
        return torch.empty_like(query), torch.empty_like(key), torch.empty_like(value), None
