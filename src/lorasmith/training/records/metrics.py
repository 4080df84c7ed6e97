"""What a run measures of itself in passing: losses that can be read, speed, time left, memory, norms.

The loss of one step says little, since a sample at a low timestep is many times as hard as one at a high timestep. So every loss is
also told smoothed, and apart for each band of timesteps. Both are means of all numbers so far in which each new number lessens the
weight of the earlier ones by `memory`, which is the exponential moving average with the bias of its start taken out (Kingma and Ba
2015, section 3). With 0.98 it looks back over about 50 numbers.

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
from lorasmith.training.events import StepDone
from lorasmith.training.step import StepResult

LOSS_MEMORY = 0.98
SPEED_MEMORY = 0.9
LEFT_MEMORY = 0.98
BAND = 200
"""Timesteps of a band; the scale has 1000."""
NORMS_EVERY = 10
"""Steps; lengths of weights move slowly, and a large network has many."""
LAYERS_SHOWN = 3


@dataclass
class FadingMean:
    """The mean of what was added, the latest counting most."""

    memory: float
    total: float = 0.0
    weight: float = 0.0

    def add(self, number: float) -> None:
        self.total = self.memory * self.total + number
        self.weight = self.memory * self.weight + 1

    @property
    def mean(self) -> float | None:
        """None where nothing was added."""
        return self.total / self.weight if self.weight else None


def band_of(timestep: float) -> str:
    """The name of the band in which a timestep lies: 0-199, ... 800-999 (with 1000)."""
    first = min(int(timestep) // BAND, 1000 // BAND - 1) * BAND
    return f"{first}-{first + BAND - 1}"


def found_rates(optimizer: torch.optim.Optimizer) -> dict[str, float]:
    """What optimizers that find their own rate multiply that of the settings by, for each group; empty for the others."""
    groups = enumerate(optimizer.param_groups)
    return {str(group.get("name", index)): float(group["d"]) for index, group in groups if "d" in group}


def layer_norms(adapters: Mapping[str, AttachedAdapter]) -> dict[str, float]:
    """The length (L2) of all trained numbers of each layer, by its name in the file."""
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
        """`steps` are all those of the run; `sums` are those of the run so far, where it goes on."""
        self._adapters, self._optimizer, self._steps = adapters, optimizer, steps
        self._losses = {name: FadingMean(LOSS_MEMORY, *kept) for name, kept in (sums or {}).items()}
        self._images, self._seconds, self._interval = FadingMean(SPEED_MEMORY), FadingMean(SPEED_MEMORY), FadingMean(LEFT_MEMORY)
        self._before: float | None = None
        self._weight_norm: float | None = None
        self._process = psutil.Process()
        self._gpu = any(p.is_cuda for adapter in adapters.values() for p in adapter.parameters())

    @property
    def sums(self) -> dict[str, tuple[float, float]]:
        """What a resumed run goes on from: (total, weight) of each mean of losses."""
        return {name: (mean.total, mean.weight) for name, mean in self._losses.items()}

    def step_done(
        self, step: int, epoch: int, result: StepResult, lr: dict[str, float], seconds: float, now: float | None = None
    ) -> StepDone:
        """What is to tell of step `step` (from 1) that took so many seconds; `now` is the time of `time.monotonic`."""
        self._take_loss("", result.loss)
        for sample in result.samples:
            self._take_loss(band_of(sample.timestep), sample.loss)
        largest: dict[str, float] = {}
        if self._weight_norm is None or step % NORMS_EVERY == 0:
            norms = layer_norms(self._adapters)
            self._weight_norm = math.sqrt(sum(norm * norm for norm in norms.values()))
            largest = dict(sorted(norms.items(), key=lambda item: -item[1])[:LAYERS_SHOWN])
        self._take_times(len(result.samples), seconds, time.monotonic() if now is None else now)
        return StepDone(
            step, epoch, result.loss, lr, seconds,
            loss_smoothed=self._losses[""].mean,
            bands={name: mean.mean for name, mean in sorted(self._losses.items()) if name and mean.mean is not None},
            d=found_rates(self._optimizer),
            grad_norm=result.grad_norm,
            weight_norm=self._weight_norm,
            largest_layers=largest,
            images_per_second=(self._images.mean or 0.0) / max(self._seconds.mean or 0.0, 1e-9),
            eta=(self._interval.mean or 0.0) * max(self._steps - step, 0),
            memory_bytes=self._process.memory_info().rss,
            gpu_memory_bytes=torch.cuda.max_memory_allocated() if self._gpu else None,
        )  # fmt: skip

    def _take_loss(self, name: str, loss: float) -> None:
        self._losses.setdefault(name, FadingMean(LOSS_MEMORY)).add(loss)

    def _take_times(self, images: int, seconds: float, now: float) -> None:
        """Speed is that of the steps alone; the time left counts what is saved, drawn and validated between them, too."""
        self._images.add(images)
        self._seconds.add(seconds)
        self._interval.add(seconds if self._before is None else now - self._before)
        self._before = now
