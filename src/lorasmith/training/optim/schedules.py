"""Learning-rate schedules: pure functions of a step and the run's shape to a factor on the learning rate, 0 to 1.

`step` counts from 0; the factor applies while that step runs. The formulas are those of transformers' schedules, as sd-scripts uses
them; `rex` is that of the paper. Each falls to its floor, `min_lr_ratio` of the learning rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lorasmith.registry import register


@dataclass(frozen=True)
class Shape:
    """What a schedule may ask for: all counts are in optimizer steps."""

    steps: int
    """Of the whole run."""
    warmup: int = 0
    cycles: int = 1
    power: float = 1.0
    """1 is a line, 2 falls early, 0.5 late."""
    decay: int = 0
    """Length of the fall at the end."""
    min_lr_ratio: float = 0.0
    """Where the factor ends."""

    def progress(self, step: int) -> float:
        """How far the part after the warm-up is, 0 to 1."""
        return min(1.0, (step - self.warmup) / max(1, self.steps - self.warmup))


@dataclass(frozen=True)
class Schedule:
    """A schedule, and what the settings need to know about it."""

    factor: Callable[[int, Shape], float]
    words: str
    """Its shape, for people."""
    takes: frozenset[str] = frozenset()
    """The fields of ScheduleSettings that change something for it."""
    needs: Mapping[str, str] = field(default_factory=dict)
    """Those that have to be set, with the usual value in words."""
    constant: bool = False
    """After the warm-up the rate stays where it is: what schedule-free optimizers need."""
    restarts: bool = False
    """It can jump back to the top."""


SCHEDULES: dict[str, Schedule] = {}
DEFAULT_SCHEDULE = "cosine_with_restarts"


def constant(step: int, shape: Shape) -> float:
    """Always 1."""
    return 1.0


def constant_with_warmup(step: int, shape: Shape) -> float:
    """Rises in a line, then stays."""
    return _rise(step, shape) if step < shape.warmup else 1.0


def linear(step: int, shape: Shape) -> float:
    """Rises in a line, then falls in a line."""
    return _rise(step, shape) if step < shape.warmup else _floored(1 - shape.progress(step), shape)


def cosine(step: int, shape: Shape) -> float:
    """Rises in a line, then falls in half a cosine."""
    return _rise(step, shape) if step < shape.warmup else _floored(_half_cosine(shape.progress(step)), shape)


def cosine_with_restarts(step: int, shape: Shape) -> float:
    """As cosine, but jumps back to the top `cycles` - 1 times."""
    if step < shape.warmup:
        return _rise(step, shape)
    progress = shape.progress(step)
    return _floored(0.0 if progress >= 1 else _half_cosine((shape.cycles * progress) % 1.0), shape)


def polynomial(step: int, shape: Shape) -> float:
    """Rises in a line, then falls as (1 - progress) ** power."""
    return _rise(step, shape) if step < shape.warmup else _floored((1 - shape.progress(step)) ** shape.power, shape)


def rex(step: int, shape: Shape) -> float:
    """Rises in a line, then holds long and falls late (REX, Chen et al. 2021, https://arxiv.org/abs/2107.04197)."""
    if step < shape.warmup:
        return _rise(step, shape)
    left = 1 - shape.progress(step)
    return _floored(left / (0.1 + 0.9 * left), shape)


def warmup_stable_decay(step: int, shape: Shape) -> float:
    """Rises in a line from the floor, stays, and falls over the last `decay` steps in half a cosine."""
    if step < shape.warmup:
        return _floored(_rise(step, shape), shape)
    fallen = step - (shape.steps - shape.decay)
    return 1.0 if fallen < 0 else _floored(_half_cosine(min(1.0, fallen / max(1, shape.decay))), shape)


_WARMUP = frozenset({"lr_warmup_steps"})
_FALL = _WARMUP | {"lr_scheduler_min_lr_ratio"}

register(SCHEDULES, "constant", Schedule(constant, "stays as it is", constant=True))
register(SCHEDULES, "constant_with_warmup", Schedule(constant_with_warmup, "rises, then stays", _WARMUP, constant=True))
register(SCHEDULES, "linear", Schedule(linear, "falls in a line", _FALL))
register(SCHEDULES, "cosine", Schedule(cosine, "falls in half a cosine", _FALL))
register(
    SCHEDULES, DEFAULT_SCHEDULE,
    Schedule(cosine_with_restarts, "as cosine, several times over", _FALL | {"lr_scheduler_num_cycles"}, restarts=True),
)  # fmt: skip
register(SCHEDULES, "polynomial", Schedule(polynomial, "falls as a power", _FALL | {"lr_scheduler_power"}))
register(SCHEDULES, "rex", Schedule(rex, "holds long and falls late", _FALL))
register(
    SCHEDULES, "warmup_stable_decay",
    Schedule(warmup_stable_decay, "stays, then falls at the end", _FALL | {"lr_decay_steps"}, {"lr_decay_steps": "0.2, the last fifth,"}),
)  # fmt: skip


def in_steps(setting: int | float, steps: int) -> int:
    """A length in steps; a setting under 1 is a share of `steps`."""
    return int(setting * steps) if setting < 1 else int(setting)


def _rise(step: int, shape: Shape) -> float:
    return step / max(1, shape.warmup)


def _half_cosine(progress: float) -> float:
    return max(0.0, 0.5 * (1 + math.cos(math.pi * progress)))


def _floored(factor: float, shape: Shape) -> float:
    return shape.min_lr_ratio + (1 - shape.min_lr_ratio) * factor
