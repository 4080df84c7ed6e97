"""Learning rates over the steps: pure functions of (step, steps, warm-up, cycles) to a factor from 0 to 1.

`step` counts from 0; the factor is in force while that step runs. Formulas are those of transformers' schedules, as
sd-scripts uses them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[int, int, int, int], float]


def _rise(step: int, warmup: int) -> float:
    return step / max(1, warmup)


def constant(step: int, steps: int, warmup: int, cycles: int) -> float:
    """Always 1."""
    return 1.0


def constant_with_warmup(step: int, steps: int, warmup: int, cycles: int) -> float:
    """Rises in a line, then stays."""
    return _rise(step, warmup) if step < warmup else 1.0


def cosine(step: int, steps: int, warmup: int, cycles: int) -> float:
    """Rises in a line, then falls to 0 in half a cosine."""
    if step < warmup:
        return _rise(step, warmup)
    progress = (step - warmup) / max(1, steps - warmup)
    return max(0.0, 0.5 * (1 + math.cos(math.pi * progress)))


def cosine_with_restarts(step: int, steps: int, warmup: int, cycles: int) -> float:
    """As cosine, but jumps back to the top `cycles` - 1 times."""
    if step < warmup:
        return _rise(step, warmup)
    progress = (step - warmup) / max(1, steps - warmup)
    if progress >= 1:
        return 0.0
    return max(0.0, 0.5 * (1 + math.cos(math.pi * ((cycles * progress) % 1.0))))


SCHEDULES: dict[str, Schedule] = {
    "constant": constant,
    "constant_with_warmup": constant_with_warmup,
    "cosine": cosine,
    "cosine_with_restarts": cosine_with_restarts,
}


def warmup_steps(setting: int | float, steps: int) -> int:
    """Warm-up in steps; a setting under 1 is a share of `steps`."""
    return int(setting * steps) if setting < 1 else int(setting)
