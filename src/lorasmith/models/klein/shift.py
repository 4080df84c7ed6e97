"""How FLUX.2 klein moves its sigmas: one line over the tokens in training, an empirical one over tokens and steps in sampling."""

from __future__ import annotations

from dataclasses import dataclass

from lorasmith.models.shift import LineShift

_AT_10_STEPS = (8.73809524e-05, 1.89833333)
_AT_200_STEPS = (0.00016927, 0.45666666)
"""Slope and start of mu over the tokens, as Black Forest Labs fitted it."""
TRAINING = LineShift((256, 0.5), (4096, 1.15))
MOST_TOKENS = 4300
"""Beyond that it is the same for all numbers of steps."""


@dataclass(frozen=True)
class KleinShift:
    """In training Flux.1's line, as musubi-tuner has it; in sampling the line between two fits, at 10 and at 200 steps."""

    def mu(self, tokens: int, steps: int | None = None) -> float:
        if steps is None:
            return TRAINING.mu(tokens)
        few, many = (slope * tokens + start for slope, start in (_AT_10_STEPS, _AT_200_STEPS))
        return many if tokens > MOST_TOKENS else few + (many - few) * (steps - 10) / 190
