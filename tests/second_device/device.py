"""A device of the tests' own, which computes on the CPU and takes nothing from the CPU's memory, as a GPU does.

    register_device()
    module.to(DEVICE)
    module(pixels.to(DEVICE))       # the CPU's numbers, bit for bit
    module(pixels)                  # RuntimeError: two devices

Its tensors hold one of the CPU each. An operation is done on those; one that is given tensors of both devices is refused as on a GPU, but
for numbers (no axis), for copies, and for places to look up, which may be the CPU's.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

from lorasmith.models.device import DeviceKind

DEVICE = "second"

aten = torch.ops.aten
MIXES = {
    aten.copy_.default, aten._to_copy.default, aten.index.Tensor, aten.index_put.default, aten.index_put_.default,
    aten._index_put_impl_.default,
}  # fmt: skip
"""Operations that a GPU does with tensors of the CPU beside its own."""


class Held(torch.Tensor):
    """A tensor of the device; `on_cpu` has its numbers."""

    on_cpu: torch.Tensor

    @staticmethod
    def __new__(cls, on_cpu: torch.Tensor) -> Held:
        held = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, on_cpu.shape, strides=on_cpu.stride(), storage_offset=on_cpu.storage_offset(), dtype=on_cpu.dtype, device=f"{DEVICE}:0"
        )
        held.on_cpu = on_cpu
        return held

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if any(kind not in (Held, torch.Tensor, torch.nn.Parameter) for kind in types):
            return NotImplemented  # such as weights of swapped blocks, which know what to do
        leaves, spec = tree_flatten((args, kwargs or {}))
        tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
        held = [tensor for tensor in tensors if isinstance(tensor, Held)]
        strangers = [tensor for tensor in tensors if not isinstance(tensor, Held) and tensor.dim()]
        if strangers and func not in MIXES:
            raise RuntimeError(f"{func} is given tensors of two devices: {held[0].shape} of {DEVICE} and {strangers[0].shape} of the CPU.")
        if func is aten._fused_sdp_choice.default:
            return 0  # by plain products
        plain_args, plain_kwargs = tree_unflatten([_plain(leaf) for leaf in leaves], spec)
        out = func(*plain_args, **plain_kwargs)
        asked = (kwargs or {}).get("device")
        if (asked is not None and torch.device(asked).type != DEVICE) or (func is aten.copy_.default and not isinstance(args[0], Held)):
            return out
        known = {id(tensor.on_cpu): tensor for tensor in held}
        assert all(tensor.shape == tensor.on_cpu.shape for tensor in held), f"{func} has changed the size of what it was given"
        return tree_map(lambda one: known[id(one)] if id(one) in known else Held(one) if isinstance(one, torch.Tensor) else one, out)

    @property
    def data(self) -> torch.Tensor:  # type: ignore[override]
        return super().data

    @data.setter
    def data(self, other: Held) -> None:
        torch.Tensor.data.__set__(self, other)  # type: ignore[attr-defined]
        self.on_cpu = other.on_cpu

    def tolist(self) -> Any:
        return self.on_cpu.tolist()

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        return f"Held({self.on_cpu!r})"


def _plain(leaf: Any) -> Any:
    if isinstance(leaf, Held):
        return leaf.on_cpu
    return torch.device("cpu") if isinstance(leaf, torch.device) and leaf.type == DEVICE else leaf


class _Module(_DummyBackendModule):
    """What torch asks of a device."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]


@cache
def register_device() -> None:
    """Have torch know the device, for as long as the process runs."""
    _setup_privateuseone_for_python_backend(DEVICE, _Module())
    every, library = torch.library.Library("_", "IMPL"), torch.library.Library("aten", "IMPL")
    every.fallback(lambda func, *args, **kwargs: Held.__torch_dispatch__(func, (), args, kwargs), "PrivateUse1")
    for name in ("empty.memory_format", "empty_strided", "arange", "arange.start", "arange.start_step", "eye", "eye.m"):
        library.impl(name, _made(name), "PrivateUse1")
    library.impl("_copy_from", _copy_from, "PrivateUse1")
    _kept.extend((every, library))


def _copy_from(source: torch.Tensor, to: torch.Tensor, non_blocking: bool = False) -> torch.Tensor:
    _plain(to).copy_(_plain(source))
    return to


_kept: list[torch.library.Library] = []
"""Of what was registered: it is gone when nobody holds it."""


def _made(name: str) -> Any:
    """All that torch makes on a device begins with one of these; what fits an empty tensor to its numbers is made at once."""
    packet, _, overload = name.partition(".")
    on_cpu = getattr(getattr(aten, packet), overload or "default")

    def make(*args: Any, **kwargs: Any) -> Held:
        return Held(on_cpu(*args, **{**kwargs, "device": "cpu", "pin_memory": False}))  # a GPU's memory cannot be pinned

    return make


class SecondDevice(DeviceKind):
    """As the program sees it."""

    def count(self) -> int:
        return 1

    def free_bytes(self) -> int:
        return 1 << 34

    def peak_bytes(self) -> None:
        return None

    def synchronize(self) -> None:
        """All is done at once."""

    def empty_cache(self) -> None:
        """Nothing is kept."""

    def has_bf16(self) -> bool:
        return True

    def shown(self) -> str:
        return "the tests' own device"


SECOND = SecondDevice(DEVICE, "a second device", "")
