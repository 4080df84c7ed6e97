"""Block swap: the frozen weights of some of a denoiser's blocks are kept in the host's memory and copied to the device when they are used.

    blocks    0 1 2 3 4 5 6 7 8 9      of ten, 1, 5 and 8 are swapped: while 1 to 4 compute, 5 is copied

sd-scripts and musubi-tuner have it as `blocks_to_swap`. A weight of a swapped block is a `SwappedWeight`: it has the shape and dtype of
the weight and says that it is on the device, but its numbers are in the host's memory, pinned where that helps, those of a block in one piece.
Whatever reads it gets the copy on the device. Autograd keeps the `SwappedWeight` and not the copy, so that the backward pass reads it
again, with gradient checkpointing or without. The operations are those of a base without swapping, and so are their results, bit for bit.
Trained weights, norms and biases stay on the device.

On the device there are two slots, each as large as the largest block. When the first weight of a block is read, the block that will
be next is copied into the other slot, on a stream of its own: the copy waits for what is still computed from that slot, and
what is computed from the copy waits for it. Which block is next is learnt from the order in which they were read before, forward and
backward, so that no model has to say how it runs; in the first step each block is copied when it is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from lorasmith.errors import BaseModelError, SettingsError
from lorasmith.models.device import has_streams
from lorasmith.models.quantize import QuantizedWeight

ALIGNMENT = 512
"""Bytes: a weight begins where an allocation of its own would, so that kernels find what they would find without swapping."""
SLOTS = 2
"""Copies on the device at once."""


# ---- which blocks

Block = TypeVar("Block")


def repeated_blocks(denoiser: Any) -> dict[str, nn.Module]:
    """The blocks that a denoiser repeats, by their paths: those of the classes that diffusers names for it.

    Of Cosmos it names none, but says which of its blocks must not be split over devices; those are the ones.
    """
    classes = denoiser._repeated_blocks or denoiser._no_split_modules or ()
    return {path: module for path, module in denoiser.named_modules() if type(module).__name__ in classes}


def swapped_weights(denoiser: nn.Module, count: int) -> dict[str, list[str]]:
    """The names of the weights of `count` blocks by the paths of the blocks, see `swapped_blocks`."""
    return dict(swapped_blocks(list(swappable_weights(repeated_blocks(denoiser)).items()), count))


def swappable_weights(blocks: Mapping[str, nn.Module]) -> dict[str, list[str]]:
    """The names of the weights that are swapped with each block, by the paths of the blocks."""
    return {path: [f"{path}.{name}" for name, weight in block.named_parameters() if weight.dim() > 1] for path, block in blocks.items()}


def swapped_blocks(blocks: Sequence[Block], count: int) -> list[Block]:
    """`count` of a model's blocks, spread evenly over it.

    Raises SettingsError (`settings.too_few_blocks`) where there are fewer.
    """
    if count > len(blocks):
        raise SettingsError(
            f"training.blocks_to_swap is {count}, but this base has {len(blocks)} blocks to swap. Set it to {len(blocks)} or less.",
            code="settings.too_few_blocks", setting="training.blocks_to_swap", value=count, most=len(blocks),
        )  # fmt: skip
    return [blocks[(2 * k + 1) * len(blocks) // (2 * count)] for k in range(count)]


# ---- the weights


class SwappedWeight(Tensor):
    """A weight in the host's memory that computes as if it were on the device; a part of a `SwappedBlock`."""

    host: Tensor
    block: SwappedBlock

    @staticmethod
    def __new__(cls, host: Tensor, block: SwappedBlock) -> Self:
        made: Self = Tensor._make_wrapper_subclass(cls, host.size(), strides=host.stride(), dtype=host.dtype, device=block.swap.device)
        made.host, made.block = host, block
        return made

    def on_device(self) -> Tensor:
        """The weight on the device; its memory is another block's soon."""
        copy = self.block.swap.copy_of(self.block).view(self.dtype)
        return copy.as_strided(self.host.size(), self.host.stride(), self.host.storage_offset())

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"SwappedWeight({self.block.path}, {tuple(self.shape)}, {self.dtype}, {self.device})"

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> Any:  # type: ignore[override]
        kwargs = kwargs or {}
        done = func.decompose(*args, **kwargs)  # what is made of other operations may be a view or a copy
        if done is not NotImplemented:
            return done
        if func.is_view and isinstance(args[0], cls):  # autograd may keep it, so it is a view of what is on the host
            block = args[0].block
            return tree_map_only(Tensor, lambda view: cls(view, block), func(args[0].host, *args[1:], **kwargs))
        for value, argument in zip(args, func._schema.arguments, strict=False):
            if argument.alias_info is not None and argument.alias_info.is_write and isinstance(value, cls):
                raise BaseModelError("The weights of swapped blocks cannot be changed; open the base without swapping for that.")
        return func(*tree_map_only(cls, cls.on_device, args), **tree_map_only(cls, cls.on_device, kwargs))


def is_swapped(weight: Tensor) -> bool:
    """Whether a weight is a swapped block's, quantised or not."""
    return isinstance(weight.codes if isinstance(weight, QuantizedWeight) else weight, SwappedWeight)


class SwappedBlock:
    """The weights of one block, in one piece of the host's memory."""

    def __init__(self, path: str, weights: Mapping[str, Tensor], swap: BlockSwap):
        self.path, self.swap = path, swap
        size = sum(_room(plain) for weight in weights.values() for plain in _plain_tensors(weight))
        self.host = torch.empty(size, dtype=torch.uint8, pin_memory=swap.has_streams)
        self._filled = 0
        self.weights = {
            name: weight.with_tensors(self._place) if isinstance(weight, QuantizedWeight) else self._place(weight)
            for name, weight in weights.items()
        }

    def _place(self, tensor: Tensor) -> SwappedWeight:
        """A tensor, moved to where the one before it ends."""
        place = self.host[self._filled : self._filled + tensor.nbytes].view(tensor.dtype).view(tensor.shape)
        self._filled += _room(tensor)
        return SwappedWeight(place.copy_(tensor), self)


def _plain_tensors(weight: Tensor) -> list[Tensor]:
    return [weight.codes, weight.scales] if isinstance(weight, QuantizedWeight) else [weight]


def _room(tensor: Tensor) -> int:
    return -(-tensor.nbytes // ALIGNMENT) * ALIGNMENT


# ---- the copies


@dataclass
class _Slot:
    """Memory on the device for one block."""

    memory: Tensor
    block: SwappedBlock | None = None
    copied: torch.Event | None = None
    """When the copy is there, on a device that works beside the host."""


class BlockSwap:
    """The copies of swapped blocks on a device: of the one that is read, and of the one that is probably next."""

    def __init__(self, device: torch.device | str):
        self.device = torch.empty(0, device=device).device
        self.blocks: list[SwappedBlock] = []
        self._slots: list[_Slot] = []  # the first is the one that is read
        self.has_streams = has_streams(self.device.type)
        self._stream = torch.Stream(self.device) if self.has_streams else None
        self._before: SwappedBlock | None = None
        self._next: dict[tuple[SwappedBlock | None, SwappedBlock | None], SwappedBlock] = {}

    def add(self, path: str, weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Take in the weights of a block; returns what stands in their place."""
        self.blocks.append(SwappedBlock(path, weights, self))
        return self.blocks[-1].weights

    def copy_of(self, block: SwappedBlock) -> Tensor:
        """The bytes of a block on the device, which are there when what is computed next comes to them."""
        if not self._slots:
            largest = max(len(each.host) for each in self.blocks)
            self._slots = [_Slot(torch.empty(largest, dtype=torch.uint8, device=self.device)) for _ in range(SLOTS)]
        if self._slots[0].block is not block:
            self._turn_to(block)
        return self._slots[0].memory

    def _turn_to(self, block: SwappedBlock) -> None:
        """Have `block` in the first slot, and the one that came after it the last time on its way into the other."""
        left = self._slots[0].block
        self._slots.reverse()
        if self._slots[0].block is not block:
            self._copy(block, self._slots[0])
        if (copied := self._slots[0].copied) is not None:
            torch.accelerator.current_stream(self.device).wait_event(copied)
        self._next[self._before, left] = block
        self._before = left
        following = self._next.get((left, block))
        if following is not None and self._slots[1].block is not following:
            self._copy(following, self._slots[1])

    def _copy(self, block: SwappedBlock, slot: _Slot) -> None:
        slot.block = block
        if self._stream is None:
            slot.memory[: len(block.host)].copy_(block.host)
            return
        self._stream.wait_stream(torch.accelerator.current_stream(self.device))  # what reads the block before it in this slot
        with self._stream:
            slot.memory[: len(block.host)].copy_(block.host, non_blocking=True)
        slot.copied = self._stream.record_event()


def swap_blocks(module: nn.Module, blocks: Mapping[str, Iterable[str]], device: torch.device | str) -> None:
    """Make weights of a module, by their names and the paths of their blocks, swapped ones that compute on `device`."""
    swap = BlockSwap(device)
    for path, names in blocks.items():
        for name, weight in swap.add(path, {name: module.get_parameter(name).data for name in names}).items():
            owner, _, own = name.rpartition(".")
            setattr(module.get_submodule(owner), own, nn.Parameter(weight, requires_grad=False))
