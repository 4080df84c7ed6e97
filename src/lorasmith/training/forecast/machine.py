"""How fast a device is, measured for a moment.

Of time there are three kinds: multiplying, moving numbers, and starting operations. Multiplying is timed by the heaviest products of the
rehearsal itself, with real numbers, because small and odd shapes run at a fraction of what large ones reach. Work takes

    seconds = UNSEEN * (FLOPs / rate + bytes / bandwidth + operations * seconds of one)

where UNSEEN stands for what none of the three sees: fetching memory, and numbers that are no longer in the cache. It is an estimate;
docs/guide/performance.md says how far it was off.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from lorasmith.models.device import DEVICES
from lorasmith.training.forecast.work import Work

UNSEEN = 1.35  # the middle of float32 runs on a CPU: 1.32 to 1.39 on the demo base, 1.49 on Stable Diffusion 1.5
MOST_PRODUCTS, MOST_SECONDS = 12, 2.0
OPERATIONS = 97
"""Of a forward and a backward through `small_network`. `Watch` counts as many, but for that torch would import its compiler."""


@dataclass(frozen=True)
class Machine:
    """How fast a device multiplies in one dtype, moves numbers, and starts an operation."""

    flops_per_second: float
    bytes_per_second: float
    seconds_per_operation: float

    def seconds(self, work: Work) -> float:
        """How long some work takes."""
        seen = work.flops / self.flops_per_second + work.traffic / self.bytes_per_second + work.operations * self.seconds_per_operation
        return UNSEEN * seen


def measure_machine(device: str, dtype: torch.dtype, work: Work) -> Machine:
    """Times on `device` the heaviest products of a work, an activation of many numbers in `dtype`, and a network too small to compute.

    It takes a second or two, since each moment is tried several times; fewer times on a CPU that is too slow for large products.
    """
    numbers = torch.randn(1 << 21 if device == "cpu" else 1 << 27, device=device).to(dtype)
    moved = 2 * numbers.nbytes / _median(device, lambda: nn.functional.silu(numbers))
    return Machine(_rate(device, work), moved, _start_of_an_operation(device))


def device_name(device: str) -> str:
    """What the estimate is for, in words."""
    return DEVICES[device].shown()


def _rate(device: str, work: Work) -> float:
    """FLOP/s over the heaviest products, each as often as it comes in the work."""
    flops = seconds = 0.0
    began = time.perf_counter()
    for product, share in sorted(work.products.items(), key=lambda item: -item[1])[:MOST_PRODUCTS]:
        seconds += _median(device, product.with_numbers(device), tries=3) * share / product.flops
        flops += share
        if time.perf_counter() - began > MOST_SECONDS:
            break
    return flops / seconds


def _start_of_an_operation(device: str) -> float:
    """Seconds of an operation that has nothing to compute, with its module and its way back."""
    small, given = small_network().to(device), torch.ones(1, 8, device=device)
    return _median(device, lambda: small(given).sum().backward()) / OPERATIONS


def small_network() -> nn.Module:
    """A network too small to compute."""
    return nn.Sequential(*[nn.Sequential(nn.Linear(8, 8), nn.SiLU()) for _ in range(16)])


def _median(device: str, call: Callable[[], Any], tries: int = 12) -> float:
    """Seconds of a call, the middle of several tries: what is usual here now, other work included."""
    taken = []
    for _ in range(tries):
        DEVICES[device].synchronize()
        began = time.perf_counter()
        call()
        DEVICES[device].synchronize()
        taken.append(time.perf_counter() - began)
    return sorted(taken)[tries // 2]
