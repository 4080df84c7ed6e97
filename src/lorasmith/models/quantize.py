"""A frozen base in 8 or 4 bits a weight, each weight dequantised for the moment in which it is used.

Training a LoRA reads the base's weights and never writes them, so they can be kept quantised; what is computed stays in fp32, bf16 or
fp16. Three packings:

    int8   each row of a weight W [out, ...] has one scale, its largest |w| over 127, and W = scale * q with whole numbers q.
           8 bits a weight. As LLM.int8() has it (Dettmers et al. 2022, https://arxiv.org/abs/2208.07339, section 2.1).
    fp8    as int8, but q is a floating-point number of 8 bits, e4m3 (Micikevicius et al. 2022, https://arxiv.org/abs/2209.05433), and the
           scale the row's largest |w| over 448, e4m3's largest number. q keeps three binary digits: a weight is off by 1/16 of itself at
           most, or by 1/458,752 of the row's largest where it is so small that digits are missing. 8 bits a weight. Files of ComfyUI
           have weights like this, with one scale a weight; those are taken as they are.
    nf4    the weight's numbers in blocks of 64, each divided by the block's largest |w|, and each quotient replaced by the nearest
           of 16 levels: the quantiles of a normal distribution, which trained weights resemble. 4.25 bits a weight.
           NormalFloat of QLoRA (Dettmers et al. 2023, https://arxiv.org/abs/2305.14314, section 3 and appendix E). The paper
           packs the blocks' scales once more, which saves 0.12 bits; here they are bf16.

`QuantizedWeight` takes the place of a layer's weight: it has the weight's shape, device and the dtype that it is computed in, so that
the layer is an ordinary Linear or Conv2d and takes any adapter. Whatever reads it gets the unpacked numbers. Autograd keeps the
packed ones: `F.linear` and `F.conv2d` unpack once for the output and once more for the gradient of the input, so that what is
unpacked is gone after each layer. The weight itself has no gradient and cannot be written.

Quantised are the linear layers and convolutions within the blocks of a denoiser and of T5: nearly all of their numbers. What comes
before and after the blocks (the picture's way in and out, the timestep's), norms, CLIP and the autoencoder stay as they are.
Convolutions tolerate 4 bits less well than linear layers and are few in the large models, so that nf4 packs them to int8.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.grad import conv2d_input
from torch.utils._pytree import tree_map_only

from lorasmith.errors import BaseModelError
from lorasmith.models.settings import Quantize

BLOCK = 64
PIECE = 1 << 16  # numbers that are packed at once
NF4_LEVELS = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip


# ---- the packings


def pack_int8(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Rows [n, m] as codes int8 [n, m] and scales float32 [n, 1]."""
    rows = rows.float()
    scales = rows.abs().amax(dim=1, keepdim=True) / 127
    return torch.div(rows, _not_zero(scales)).round_().to(torch.int8), scales


def unpack_int8(codes: Tensor, scales: Tensor, rows: Tensor) -> None:
    """Write the numbers into rows [n, m] of any dtype; they are multiplied in float32 and rounded once."""
    torch.mul(codes, scales, out=rows)


FP8 = torch.float8_e4m3fn


def pack_fp8(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Rows [n, m] as codes e4m3 [n, m] and scales float32 [n, 1]."""
    rows = rows.float()
    scales = rows.abs().amax(dim=1, keepdim=True) / torch.finfo(FP8).max
    return torch.div(rows, _not_zero(scales)).to(FP8), scales


def unpack_fp8(codes: Tensor, scales: Tensor, rows: Tensor) -> None:
    """Write the numbers into rows [n, m] of any dtype, all of which have e4m3's numbers; they are rounded once."""
    rows.copy_(codes).mul_(scales)


def pack_nf4(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Blocks [n, 64] as codes uint8 [n, 32], two numbers a byte, and scales bf16 [n, 1]."""
    rows = rows.float()
    scales = rows.abs().amax(dim=1, keepdim=True).to(torch.bfloat16)
    levels = torch.tensor(NF4_LEVELS, device=rows.device)
    between = (levels[1:] + levels[:-1]) / 2
    codes = torch.bucketize(rows / _not_zero(scales.float()), between, out_int32=True).to(torch.uint8)
    return codes[:, ::2] << 4 | codes[:, 1::2], scales


def unpack_nf4(codes: Tensor, scales: Tensor, blocks: Tensor) -> None:
    """Write the numbers into blocks [n, 64] of any dtype; they are multiplied in float32 and rounded once."""
    torch.mul(_pairs_of_levels(codes.device)[codes.int()].flatten(1), scales, out=blocks)


def _pairs_of_levels(device: torch.device) -> Tensor:
    """[256, 2] float32: the two numbers in a byte."""
    levels = torch.tensor(NF4_LEVELS, device=device)
    return torch.cartesian_prod(levels, levels)


def _not_zero(scales: Tensor) -> Tensor:
    return scales.clamp_min(torch.finfo(torch.float32).tiny)


@dataclass(frozen=True)
class Packing:
    """How numbers are packed and unpacked, in rows that share a scale: those of the weight, or blocks of `width`."""

    pack: Callable[[Tensor], tuple[Tensor, Tensor]]
    unpack: Callable[[Tensor, Tensor, Tensor], None]
    bits: int
    """Of a number."""
    scale_bytes: int
    width: int | None = None

    def bytes_of(self, shape: torch.Size) -> int:
        """Bytes of a packed weight of this shape."""
        width = self.width or shape[1:].numel()
        rows = math.ceil(shape.numel() / width)
        return rows * (width * self.bits // 8 + self.scale_bytes)


PackingName = Literal["int8", "fp8", "nf4"]
PACKINGS: dict[PackingName, Packing] = {
    "int8": Packing(pack_int8, unpack_int8, bits=8, scale_bytes=4),
    "fp8": Packing(pack_fp8, unpack_fp8, bits=8, scale_bytes=4),
    "nf4": Packing(pack_nf4, unpack_nf4, bits=4, scale_bytes=2, width=BLOCK),
}
assert {"none", *PACKINGS} == set(get_args(Quantize))


# ---- the weight


class QuantizedWeight(Tensor):
    """A packed weight that computes as if it were one of `dtype`. Made by `quantize_weight`."""

    codes: Tensor
    scales: Tensor
    packing: PackingName

    @staticmethod
    def __new__(cls, codes: Tensor, scales: Tensor, packing: PackingName, shape: torch.Size, dtype: torch.dtype) -> Self:
        made: Self = Tensor._make_wrapper_subclass(cls, shape, dtype=dtype, device=codes.device)
        made.codes, made.scales, made.packing = codes, scales, packing
        return made

    def unpacked(self, dtype: torch.dtype | None = None) -> Tensor:
        """The numbers as a plain tensor, in this weight's type or another."""
        unpack, width = PACKINGS[self.packing].unpack, self.rows_width
        made = torch.empty(len(self.codes), width, dtype=dtype or self.dtype, device=self.device)
        # On a CPU in pieces that stay in its caches; a GPU likes it whole.
        at_once = max(1, PIECE // width) if self.device.type == "cpu" else len(made)
        for first in range(0, len(made), at_once):
            rows = slice(first, first + at_once)
            unpack(self.codes[rows], self.scales[rows], made[rows])
        return made.flatten()[: self.shape.numel()].view(self.shape)

    @property
    def rows_width(self) -> int:
        """How many numbers share a scale."""
        return PACKINGS[self.packing].width or self.codes.shape[1]

    def with_tensors(self, change: Callable[[Tensor], Tensor], dtype: torch.dtype | None = None) -> QuantizedWeight:
        """The same weight with its codes and scales changed, each by `change`: moved, or copied."""
        return QuantizedWeight(change(self.codes), change(self.scales), self.packing, self.shape, dtype or self.dtype)

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"QuantizedWeight({self.packing}, {tuple(self.shape)}, {self.dtype}, {self.device})"

    # With these two torch moves it between devices as a whole.
    def __tensor_flatten__(self) -> tuple[list[str], Any]:
        return ["codes", "scales"], (self.packing, self.dtype)

    @classmethod
    def __tensor_unflatten__(cls, inner: Mapping[str, Tensor], kept: Any, size: torch.Size, stride: Any) -> QuantizedWeight:
        return cls(inner["codes"], inner["scales"], kept[0], size, kept[1])

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        if func is F.linear and _weight_of(args, kwargs, cls) is not None:
            return _linear(*args, **kwargs)
        if func is F.conv2d and _weight_of(args, kwargs, cls) is not None:
            return _conv2d(*args, **kwargs)
        with torch._C.DisableTorchFunctionSubclass():  # results are what __torch_dispatch__ makes them
            return func(*args, **kwargs)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> Any:  # type: ignore[override]
        kwargs = kwargs or {}
        if func is torch.ops.aten.detach.default:
            return args[0].with_tensors(lambda t: t)
        if func is torch.ops.aten.clone.default:
            return args[0].with_tensors(torch.clone)
        if func is torch.ops.aten._to_copy.default:
            device = kwargs.get("device")
            return args[0].with_tensors(lambda t: t.to(device, copy=True), kwargs.get("dtype"))
        for value, argument in zip(args, func._schema.arguments, strict=False):
            if argument.alias_info is not None and argument.alias_info.is_write and isinstance(value, cls):
                raise BaseModelError("The weights of a quantised base cannot be changed; open it with base.quantize 'none' for that.")
        return func(*tree_map_only(cls, cls.unpacked, args), **tree_map_only(cls, cls.unpacked, kwargs))


def quantize_weight(weight: Tensor, packing: PackingName, dtype: torch.dtype) -> QuantizedWeight:
    """A weight packed, to be computed with in `dtype`.

    It is packed a piece at a time: a large weight takes little memory beside it, and what is kept is not placed between
    what is not, which would leave holes as large as the base in the memory of the process.
    """
    way, flat = PACKINGS[packing], weight.flatten()
    width = way.width or flat.numel() // len(weight)
    count = math.ceil(flat.numel() / width)
    like = way.pack(flat.new_zeros(1, width))
    codes, scales = (one.new_empty(count, one.shape[1]) for one in like)
    at_once = max(1, PIECE // width)
    for first in range(0, count, at_once):
        piece = flat[first * width : (first + at_once) * width]
        rows = slice(first, first + at_once)
        codes[rows], scales[rows] = way.pack(F.pad(piece, (0, -piece.numel() % width)).view(-1, width))
    return QuantizedWeight(codes, scales, packing, weight.shape, dtype)


def scaled_fp8_weight(codes: Tensor, scales: Tensor, dtype: torch.dtype) -> QuantizedWeight:
    """A weight that is e4m3 numbers with a scale, or one for each row, already; its numbers stay as they are."""
    rows = scales.float().flatten().expand(len(codes)).contiguous()
    return QuantizedWeight(codes.flatten(1), rows[:, None], "fp8", codes.shape, dtype)


def _weight_of(args: tuple[Any, ...], kwargs: Mapping[str, Any], kind: type[QuantizedWeight]) -> QuantizedWeight | None:
    """The weight of a call of F.linear or F.conv2d, where it is packed and the input is not."""
    weight = args[1] if len(args) > 1 else kwargs["weight"]
    return weight if isinstance(weight, kind) and not (args and isinstance(args[0], kind)) else None


def _linear(input: Tensor, weight: QuantizedWeight, bias: Tensor | None = None) -> Tensor:
    out: Tensor = _Linear.apply(input, weight, bias)
    return out


def _conv2d(
    input: Tensor,
    weight: QuantizedWeight,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    out: Tensor = _Conv2d.apply(input, weight, bias, stride, padding, dilation, groups)
    return out


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: QuantizedWeight, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.dtype = x.dtype
        return F.linear(x, weight.unpacked(), bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (weight,) = ctx.saved_tensors
        need_x, _, need_bias = ctx.needs_input_grad
        grad_x = (grad @ weight.unpacked(grad.dtype)).to(ctx.dtype) if need_x else None
        return grad_x, None, grad.flatten(0, -2).sum(0) if need_bias else None


class _Conv2d(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: QuantizedWeight, bias: Tensor | None, *how: Any) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.shape, ctx.dtype, ctx.how = x.shape, x.dtype, how
        return F.conv2d(x, weight.unpacked(), bias, *how)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (weight,) = ctx.saved_tensors
        need_x, _, need_bias, *_ = ctx.needs_input_grad
        grad_x = None
        if need_x:
            grad_x = conv2d_input(ctx.shape, weight.unpacked(grad.dtype), grad, *ctx.how).to(ctx.dtype)
        return grad_x, None, grad.sum((0, 2, 3)) if need_bias else None, None, None, None, None


# ---- which weights


def packings_of(part: nn.Module, quantize: PackingName) -> dict[str, PackingName]:
    """The names of the weights of a part that are packed, and how: those of layers within its lists of blocks."""
    lists = tuple(f"{path}." for path, module in part.named_modules() if isinstance(module, nn.ModuleList))
    return {
        f"{path}.weight": "int8" if quantize == "nf4" and isinstance(module, nn.Conv2d) else quantize
        for path, module in part.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d) and path.startswith(lists)
    }
