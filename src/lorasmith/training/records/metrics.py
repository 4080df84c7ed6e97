"""The metrics of a run: losses that can be read, speed, time left, memory, norms.

The loss of one step says little, since a sample at a low timestep is many times as hard as one at a high timestep. So the loss is also
reported smoothed, and smoothed for each fifth of the timesteps. Both are exponential moving averages whose start is corrected for its
bias (Kingma and Ba 2015, section 3): each new number lessens the weight of the earlier ones by `decay`. With 0.98 they look back over
about 50 numbers.

Losses are those that were trained on, with the weights of their timesteps. Only sums of losses are kept over a resume; times and
memory are those since the last start.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

import psutil
import torch

from lorasmith.adapters.attach import AttachedAdapter
from lorasmith.models.device import device_of
from lorasmith.training.events import StepDone
from lorasmith.training.step import StepResult

LOSS_DECAY = 0.98
SPEED_DECAY = 0.9
ETA_DECAY = 0.98
BAND = 200
"""Timesteps that are averaged together; there are 1000."""
NORMS_EVERY = 10
"""Steps; the norms of weights change slowly, and a large network has many."""
LAYERS_REPORTED = 3


@dataclass
class MovingAverage:
    """The exponential moving average of what was added, without the bias of its start."""

    decay: float
    total: float = 0.0
    weight: float = 0.0

    def add(self, number: float) -> None:
        self.total = self.decay * self.total + number
        self.weight = self.decay * self.weight + 1

    @property
    def mean(self) -> float | None:
        """None where nothing was added."""
        return self.total / self.weight if self.weight else None


def band_of(timestep: float) -> str:
    """The name of a timestep's band: 0-199, ... 800-999 (with 1000)."""
    first = min(int(timestep) // BAND, 1000 // BAND - 1) * BAND
    return f"{first}-{first + BAND - 1}"


def adapted_rates(optimizer: torch.optim.Optimizer) -> dict[str, float]:
    """The factor d on the learning rate that Prodigy, D-Adaptation and their kin found, by parameter group; empty for other optimizers."""
    groups = enumerate(optimizer.param_groups)
    return {str(group.get("name", index)): float(group["d"]) for index, group in groups if "d" in group}


def layer_norms(adapters: Mapping[str, AttachedAdapter]) -> dict[str, float]:
    """The norm (L2) of all trained weights of each layer, by its name in the file."""
    names, parameters = [], []
    for adapter in adapters.values():
        for name, parameter in adapter.named_parameters():
            names.append(name.partition(".")[0])
            parameters.append(parameter.detach())
    squares: dict[str, float] = {}
    for name, norm in zip(names, torch.stack([n.float() for n in torch._foreach_norm(parameters)]).tolist(), strict=True):
        squares[name] = squares.get(name, 0.0) + norm * norm
    return {name: math.sqrt(square) for name, square in squares.items()}


class Metrics:
    """Turns the results of steps into events."""

    def __init__(
        self, adapters: Mapping[str, AttachedAdapter], optimizer: torch.optim.Optimizer, steps: int,
        sums: Mapping[str, tuple[float, float]] | None = None,
    ):  # fmt: skip
        """`steps` is the length of the run; `sums` are those of the run so far, where it continues."""
        self._adapters, self._optimizer, self._steps = adapters, optimizer, steps
        self._losses = {name: MovingAverage(LOSS_DECAY, *kept) for name, kept in (sums or {}).items()}
        self._images, self._seconds, self._interval = MovingAverage(SPEED_DECAY), MovingAverage(SPEED_DECAY), MovingAverage(ETA_DECAY)
        self._before: float | None = None
        self._weight_norm: float | None = None
        self._process = psutil.Process()
        self._device = device_of(next(p for adapter in adapters.values() for p in adapter.parameters()))

    @property
    def sums(self) -> dict[str, tuple[float, float]]:
        """What a resumed run continues from: (total, weight) of each average of losses."""
        return {name: (mean.total, mean.weight) for name, mean in self._losses.items()}

    def step_done(
        self, step: int, epoch: int, result: StepResult, lr: dict[str, float], seconds: float, now: float | None = None
    ) -> StepDone:
        """The event of step number `step` (from 1), which took `seconds`; `now` is the time of `time.monotonic`."""
        self._take_loss("", result.loss)
        for sample in result.samples:
            self._take_loss(band_of(sample.timestep), sample.loss)
        largest: dict[str, float] = {}
        if self._weight_norm is None or step % NORMS_EVERY == 0:
            norms = layer_norms(self._adapters)
            self._weight_norm = math.sqrt(sum(norm * norm for norm in norms.values()))
            largest = dict(sorted(norms.items(), key=lambda item: -item[1])[:LAYERS_REPORTED])
        self._take_times(len(result.samples), seconds, time.monotonic() if now is None else now)
        return StepDone(
            step, epoch, result.loss, lr, seconds,
            loss_smoothed=self._losses[""].mean,
            loss_by_timestep={name: mean.mean for name, mean in sorted(self._losses.items()) if name and mean.mean is not None},
            d=adapted_rates(self._optimizer),
            grad_norm=result.grad_norm,
            weight_norm=self._weight_norm,
            largest_layers=largest,
            images_per_second=(self._images.mean or 0.0) / max(self._seconds.mean or 0.0, 1e-9),
            eta=(self._interval.mean or 0.0) * max(self._steps - step, 0),
            memory_bytes=self._process.memory_info().rss,
            gpu_memory_bytes=self._device.peak_bytes(),
            images=len(result.samples),
        )  # fmt: skip

    def _take_loss(self, name: str, loss: float) -> None:
        self._losses.setdefault(name, MovingAverage(LOSS_DECAY)).add(loss)

    def _take_times(self, images: int, seconds: float, now: float) -> None:
        """Speed is that of the steps alone; the time left also counts what is saved, sampled and validated between them."""
        self._images.add(images)
        self._seconds.add(seconds)
        self._interval.add(seconds if self._before is None else now - self._before)
        self._before = now
