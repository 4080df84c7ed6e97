"""Frozen weights of convolutions, laid out once as the CPU's library reads them.

torch computes convolutions on CPUs with oneDNN, which wants weights in blocks of channels that fit the vector registers. Given an
ordinary weight it makes those blocks in every call, and once more, transposed, for the gradient of the input. Where a picture is
small this takes most of a step: on a map of 4 x 4 with 1280 channels the weight has 700 times as many numbers as the map.
The weights of a base never change while a LoRA trains, so they can stay in blocks ("prepacked").

`PrepackedWeight` takes the place of a layer's weight and holds it twice: for the output, and turned round for the gradient of the
input, which is a convolution of the output's gradient as well. The ordinary form is not kept; what asks for it has it made.
So a base takes the memory of its convolutions once more.

Which blocks are best depends on the size of the map. From 320 channels on one layout serves all sizes; in narrow layers another size
may want others, and then both are kept, since oneDNN takes twenty times as long to change blocks as to convolve. Blocks are made when
a layer first meets a size, and what is computed with them depends on nothing but the numbers and the size.
"""

from __future__ import annotations

import platform
from collections.abc import Collection, Mapping
from typing import Any, Self, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.utils._pytree import tree_map_only

from lorasmith.errors import BaseModelError

Pair = tuple[int, int]

OPERATIONS = ("_reorder_convolution_weight", "_get_mkldnn_serialized_md", "_convolution_pointwise")
"""Of `torch.ops.mkldnn`: torch's own compiler uses them, and makes no promise about them."""
WIDE = 256
"""Channels. Where no convolution of a model has as many, its weights are so few that making blocks of them takes no time."""
LAYOUT_FROM = 112
"""The byte of oneDNN's memory descriptor from which it says how a tensor lies; before it are sizes, dtype, and padding of any value."""


class PrepackedWeight(Tensor):
    """The weight of a convolution with a stride of 1 in oneDNN's blocks. Made by `prepack`; it cannot be written and has no gradient."""

    packs: Packs

    @staticmethod
    def __new__(cls, packs: Packs) -> Self:
        made: Self = Tensor._make_wrapper_subclass(cls, packs.shape, dtype=packs.dtype, device=torch.device("cpu"))
        made.packs = packs
        return made

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"PrepackedWeight({tuple(self.shape)}, {self.dtype})"

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        if func is F.conv2d and len(args) > 1 and isinstance(args[1], cls) and not isinstance(args[0], cls):
            return _conv2d(*args, **kwargs)
        with torch._C.DisableTorchFunctionSubclass():  # results are what __torch_dispatch__ makes them
            return func(*args, **kwargs)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> Any:  # type: ignore[override]
        kwargs = kwargs or {}
        if func in (torch.ops.aten.detach.default, torch.ops.aten.clone.default):
            return cls(args[0].packs)
        for value, argument in zip(args, func._schema.arguments, strict=False):
            if argument.alias_info is not None and argument.alias_info.is_write and isinstance(value, cls):
                raise BaseModelError("The weights of a base that a LoRA trains on cannot be changed; open the base again to change them.")
        unpack = lambda weight: weight.packs.unpacked()  # noqa: E731
        return func(*tree_map_only(cls, unpack, args), **tree_map_only(cls, unpack, kwargs))


class Packs:
    """A weight [out, in, height, width] in blocks, for each layout that was wanted so far."""

    def __init__(self, weight: Tensor, padding: Pair) -> None:
        self.shape, self.dtype, self.padding = weight.shape, weight.dtype, padding
        self.padding_of_gradient = weight.shape[2] - 1 - padding[0], weight.shape[3] - 1 - padding[1]
        self._ordinary: Tensor | None = weight
        self._packed: dict[bytes, Tensor] = {}
        self._turned: dict[bytes, Tensor] = {}

    def __deepcopy__(self, memo: Any) -> Packs:
        return self  # nobody changes the numbers

    def unpacked(self) -> Tensor:
        """The weight in its ordinary form, bit for bit what was prepacked."""
        return self._ordinary if self._ordinary is not None else next(iter(self._packed.values())).to_dense()

    @property
    def nbytes(self) -> int:
        """What is held, in all forms."""
        ordinary = [] if self._ordinary is None else [self._ordinary]
        return (len(ordinary) + len(self._packed) + len(self._turned)) * self.shape.numel() * self.dtype.itemsize

    def for_input(self, x: Tensor) -> Tensor:
        """Blocks for an input of this size."""
        return self._for(self._packed, x, self.shape, self.padding, turned=False)

    def for_gradient(self, grad: Tensor) -> Tensor:
        """Blocks for an output's gradient of this size, of which they make the input's: in and out exchanged, the kernel reversed."""
        shape = torch.Size((self.shape[1], self.shape[0], *self.shape[2:]))
        return self._for(self._turned, grad, shape, self.padding_of_gradient, turned=True)

    def _for(self, kept: dict[bytes, Tensor], x: Tensor, shape: torch.Size, padding: Pair, turned: bool) -> Tensor:
        wanted = shape, self.dtype, padding, x.shape, torch.get_num_threads()
        if (layout := _LAYOUTS.get(wanted)) is None:
            # The layout follows from sizes alone: a weight of any numbers shows it.
            layout = _LAYOUTS[wanted] = _layout_of(_blocks(torch.empty(shape, dtype=self.dtype), padding, x.shape))
        if layout not in kept:
            weight = self.unpacked()
            kept[layout] = _blocks(weight.flip(2, 3).transpose(0, 1) if turned else weight, padding, x.shape)
            if self._packed and self._turned:
                self._ordinary = None
        return kept[layout]


_LAYOUTS: dict[Any, bytes] = {}
"""Which layout oneDNN wants of a weight, by all that this depends on."""


def prepack(weight: Tensor, padding: Pair) -> PrepackedWeight:
    """The weight [out, in, height, width] of a convolution with this padding, a stride of 1 and one group."""
    return PrepackedWeight(Packs(weight, padding))


def prepack_convolutions(module: nn.Module, read: Collection[nn.Module] = ()) -> None:
    """Prepack the weights of a module's frozen convolutions that are on an x86 CPU; see `convolutions_to_prepack`.

    Layers in `read` are left as they are: more than the convolution reads their weights.
    """
    if not prepacks():
        return
    for layer in convolutions_to_prepack(module):
        if layer not in set(read) and _is_plain(layer.weight):
            layer.weight = nn.Parameter(prepack(layer.weight.detach(), cast(Pair, layer.padding)), requires_grad=False)


def prepacks() -> bool:
    """Whether this computer's torch prepacks. ARM's layouts are others, and nobody has measured them; some versions of torch lack an operation."""
    has_operations = all(hasattr(torch.ops.mkldnn, name) for name in OPERATIONS)
    return torch.backends.mkldnn.is_available() and platform.machine() in ("x86_64", "AMD64") and has_operations


def dtypes() -> tuple[torch.dtype, ...]:
    """In which this CPU can have weights in blocks: bf16 takes instructions that older ones lack (AVX-512 BW, VL and DQ)."""
    has_bf16 = hasattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported") and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return (torch.float32, torch.bfloat16) if has_bf16 else (torch.float32,)


def convolutions_to_prepack(module: nn.Module) -> list[nn.Conv2d]:
    """The convolutions of a model that `prepack` is for: all that it can do, narrow ones too, or none where all are narrow."""
    found = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d) and _can_be_prepacked(layer)]
    return found if any(max(layer.in_channels, layer.out_channels) >= WIDE for layer in found) else []


def _can_be_prepacked(layer: nn.Conv2d) -> bool:
    """Whether `prepack` can do a layer. Those of 1 x 1 are products of matrices, where it gains nothing."""
    simple = layer.stride == layer.dilation == (1, 1) and layer.groups == 1 and layer.padding_mode == "zeros"
    if not simple or layer.kernel_size == (1, 1) or not isinstance(layer.padding, tuple):
        return False
    return all(padding < side for padding, side in zip(layer.padding, layer.kernel_size, strict=True))


def _is_plain(weight: Tensor) -> bool:
    """Whether a weight is frozen, and neither quantised, swapped nor prepacked already."""
    return type(weight) is nn.Parameter and not weight.requires_grad and weight.device.type == "cpu" and weight.dtype in dtypes()


# ---- oneDNN, by the operations that torch's own compiler has for frozen weights


def _blocks(weight: Tensor, padding: Pair, size: torch.Size) -> Tensor:
    """A weight in blocks for an input of this size."""
    packed: Tensor = torch.ops.mkldnn._reorder_convolution_weight(weight, padding, (1, 1), (1, 1), 1, list(size))
    return packed


def _layout_of(blocks: Tensor) -> bytes:
    return bytes(torch.ops.mkldnn._get_mkldnn_serialized_md(blocks).tolist()[LAYOUT_FROM:])


def _convolve(x: Tensor, blocks: Tensor, bias: Tensor | None, padding: Pair) -> Tensor:
    """`F.conv2d` with a weight in blocks; the output is channels-last."""
    y: Tensor = torch.ops.mkldnn._convolution_pointwise(x, blocks, bias, padding, (1, 1), (1, 1), 1, "none", [], "")
    return y


def _conv2d(
    input: Tensor, weight: PrepackedWeight, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Tensor:  # fmt: skip
    """`F.conv2d`. What a layer gives it besides is what its weight was prepacked for."""
    assert tuple(padding) == weight.packs.padding, "a weight is prepacked for one padding"
    y: Tensor = _Conv2d.apply(input, weight, bias)
    return y


class _Conv2d(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: PrepackedWeight, bias: Tensor | None) -> Tensor:
        ctx.packs = weight.packs
        return _convolve(x, ctx.packs.for_input(x), bias, ctx.packs.padding)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        need_x, _, need_bias = ctx.needs_input_grad
        grad_x = None
        if need_x:
            grad_x = _convolve(grad, ctx.packs.for_gradient(grad), None, ctx.packs.padding_of_gradient)
        return grad_x, None, grad.sum((0, 2, 3)) if need_bias else None
