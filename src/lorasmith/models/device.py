"""The devices that can compute, one record each, and which one to take.

    choose_device("auto")                    # "cuda" where there is a GPU, else what there is
    DEVICES[device].free_bytes()             # of its memory

What differs between them is asked here and nowhere else. AMD's cards are `cuda` too, since torch's ROCm builds call them so. torch is
imported when a device is asked for something.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lorasmith.errors import SettingsError
from lorasmith.registry import nearest, register

BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})
"""Instructions with which CPUs multiply in bf16; without them it is emulated."""
GPU_NODES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd", "/dev/dxg", "/dev/dri")
"""What Linux has where there is a GPU, perhaps for the screen alone."""
WIDE = 256
"""Channels from which products in bf16 save more than everything else costs."""


@dataclass(frozen=True)
class DeviceKind:
    """A kind of device: its name in torch, what it is called, and what it can do."""

    name: str
    title: str
    """With its article."""
    missing: str
    """What to do where torch sees none."""
    streams: bool = False
    """Whether it copies out of pinned memory, on streams of its own, while it computes."""
    backend: str = ""
    """What its processes exchange gradients with; "" where one process is all it can."""
    own_memory: bool = True
    """Whether it has memory beside the computer's."""
    float64: bool = True
    """Whether it computes in double precision."""
    graphs: bool = False
    """Whether what is computed can be recorded, and started as a whole."""
    context_bytes: int = 0
    """What torch takes on it before the first tensor: its kernels, and the workspaces of its libraries."""

    @property
    def torch(self) -> Any:
        """torch's module of it."""
        import torch

        return torch.get_device_module(self.name)

    def count(self) -> int:
        """How many of them torch sees."""
        return int(self.torch.device_count()) if self.torch.is_available() else 0

    def free_bytes(self) -> int:
        """Free memory on the present one."""
        return int(self.torch.mem_get_info()[0])

    def peak_bytes(self) -> int | None:
        """The most memory that this process's tensors have taken on it."""
        return int(self.torch.max_memory_allocated())

    def synchronize(self) -> None:
        """Wait until everything is computed."""
        self.torch.synchronize()

    def empty_cache(self) -> None:
        """Give memory back that no tensor uses any more."""
        self.torch.empty_cache()

    def has_bf16(self) -> bool:
        """Whether it computes in bf16 by itself."""
        return bool(self.torch.is_bf16_supported())

    def is_faster_in_bf16(self, width: int) -> bool:
        """Whether a step in bf16 takes less time than one in float32 where the denoiser's widest layers have `width` channels; without torch."""
        return False

    def is_alone(self) -> bool:
        """Whether it is known, without torch, that the computer has no other kind of device."""
        return False

    def shown(self) -> str:
        """The present one's own name."""
        return str(self.torch.get_device_name())


class _Apple(DeviceKind):
    """Its memory is the computer's, of which it may take a part."""

    def free_bytes(self) -> int:
        return int(self.torch.recommended_max_memory() - self.torch.driver_allocated_memory())

    def peak_bytes(self) -> int | None:
        return None

    def has_bf16(self) -> bool:
        return True

    def shown(self) -> str:
        return "Apple GPU"


class _Processor(DeviceKind):
    """The computer itself."""

    def count(self) -> int:
        return 1

    def free_bytes(self) -> int:
        import psutil

        return int(psutil.virtual_memory().available)

    def peak_bytes(self) -> int | None:
        return None

    def synchronize(self) -> None:
        """Nothing is computed beside the program."""

    def empty_cache(self) -> None:
        """Nothing is kept."""

    def has_bf16(self) -> bool:
        return True

    def is_faster_in_bf16(self, width: int) -> bool:
        """With instructions for it and layers that are not narrow (docs/guide/performance.md); elsewhere than on Linux nobody says so without torch."""
        return width >= WIDE and not BF16_FLAGS.isdisjoint(self.flags())

    def is_alone(self) -> bool:
        """Where Linux shows no GPU; other systems do not say so without torch."""
        return sys.platform == "linux" and not any(Path(node).exists() for node in GPU_NODES)

    def flags(self) -> frozenset[str]:
        """Its instruction sets, as Linux calls them."""
        try:
            return flags_in(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace"))
        except OSError:
            return frozenset()

    def shown(self) -> str:
        import os

        import torch

        return f"CPU, {torch.get_num_threads()} of {os.cpu_count()} cores"


def flags_in(cpuinfo: str) -> frozenset[str]:
    """The flags of the first processor in the text of /proc/cpuinfo."""
    line = next((line for line in cpuinfo.splitlines() if line.partition(":")[0].strip() == "flags"), "")
    return frozenset(line.partition(":")[2].split())


DEVICES: dict[str, DeviceKind] = {}
"""By their names; `auto` takes the first one that is there."""

register(
    DEVICES, "cuda",
    DeviceKind(
        "cuda", "an NVIDIA or AMD GPU", "Install a GPU build of torch, or choose 'cpu'", streams=True, backend="nccl", graphs=True,
        context_bytes=600_000_000,
    ),
)  # fmt: skip
register(
    DEVICES, "xpu",
    DeviceKind(
        "xpu", "an Intel GPU", "Install torch's build for Intel GPUs, or choose 'cpu'", streams=True, backend="xccl",
        context_bytes=600_000_000,
    ),
)  # fmt: skip
register(
    DEVICES,
    "mps",
    _Apple("mps", "an Apple GPU", "It is in Macs with Apple's own processors alone; choose 'cpu'", own_memory=False, float64=False),
)
register(DEVICES, "cpu", _Processor("cpu", "the CPU", "", own_memory=False))

if TYPE_CHECKING:
    Device = str
else:
    Device = Literal[("auto", *DEVICES)]  # for settings and options, which list what there is


def choose_device(device: str = "auto") -> str:
    """The name of a device in `DEVICES` that is there; `auto` takes a GPU where there is one.

    Raises SettingsError where one is asked for that torch does not see.
    """
    if device == "auto":
        return next(name for name, kind in DEVICES.items() if kind.count())
    if device not in DEVICES:
        raise SettingsError(
            f"There is no device {device!r}; {nearest(device, ['auto', *DEVICES])}", code="settings.unknown_device", value=device
        )
    kind = DEVICES[device]
    if not kind.count():
        raise SettingsError(
            f"The device {device!r} was chosen, which is {kind.title}, but torch sees no GPU of that kind. {kind.missing}.",
            code="settings.no_gpu", device=device,
        )  # fmt: skip
    return device


def has_streams(device_type: str) -> bool:
    """Whether devices of torch's type copy out of pinned memory while they compute; its meta device, for one, does not."""
    return device_type in DEVICES and DEVICES[device_type].streams


def device_of(tensor: Any) -> DeviceKind:
    """The kind of device that a tensor is on."""
    return DEVICES[tensor.device.type]
