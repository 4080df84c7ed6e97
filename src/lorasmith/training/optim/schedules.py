"""Learning rates over the steps: pure functions of a step and the run's shape to a factor on the learning rate, 0 to 1.

`step` counts from 0; the factor is in force while that step runs. Formulas are those of transformers' schedules, as
sd-scripts uses them; `rex` is that of the paper. What each ends in, its floor, is `min_lr_ratio` of the learning rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """What a schedule may ask for: all counts in optimizer steps."""

    steps: int
    """Of the whole run."""
    warmup: int = 0
    cycles: int = 1
    """Of cosine_with_restarts."""
    power: float = 1.0
    """Of polynomial: 1 is a line, 2 falls early, 0.5 late."""
    decay: int = 0
    """Of warmup_stable_decay: the steps of its fall, at the end."""
    min_lr_ratio: float = 0.0
    """Where the factor ends."""

    def progress(self, step: int) -> float:
        """How far the part after the warm-up is, 0 to 1."""
        return min(1.0, (step - self.warmup) / max(1, self.steps - self.warmup))


Schedule = Callable[[int, Shape], float]


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


SCHEDULES: dict[str, Schedule] = {
    "constant": constant,
    "constant_with_warmup": constant_with_warmup,
    "linear": linear,
    "cosine": cosine,
    "cosine_with_restarts": cosine_with_restarts,
    "polynomial": polynomial,
    "rex": rex,
    "warmup_stable_decay": warmup_stable_decay,
}


def in_steps(setting: int | float, steps: int) -> int:
    """A length in steps; a setting under 1 is a share of `steps`."""
    return int(setting * steps) if setting < 1 else int(setting)


def _rise(step: int, shape: Shape) -> float:
    return step / max(1, shape.warmup)


def _half_cosine(progress: float) -> float:
    return max(0.0, 0.5 * (1 + math.cos(math.pi * progress)))


def _floored(factor: float, shape: Shape) -> float:
    return shape.min_lr_ratio + (1 - shape.min_lr_ratio) * factor
