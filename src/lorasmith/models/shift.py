"""How far a flow model's sigmas are moved towards the noise: by a fixed factor, or further for larger pictures.

A sigma q between 0 (the picture) and 1 (noise) becomes s q / (1 + (s - 1) q). s is e^mu in the configs of diffusers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class Shift(Protocol):
    """A family's rule for the shift."""

    def mu(self, tokens: int, steps: int | None = None) -> float:
        """The exponent: s = e^mu for a picture of `tokens` tokens, generated in `steps` steps (None: in training)."""
        ...


@dataclass(frozen=True)
class FixedShift:
    """The same factor for every picture."""

    factor: float

    def mu(self, tokens: int, steps: int | None = None) -> float:
        return math.log(self.factor)


@dataclass(frozen=True)
class LineShift:
    """mu on the line through two points, each (tokens, mu)."""

    small: tuple[int, float]
    large: tuple[int, float]

    def mu(self, tokens: int, steps: int | None = None) -> float:
        (few, low), (many, high) = self.small, self.large
        slope = (high - low) / (many - few)
        return tokens * slope + low - slope * few


def shift_of(scheduler: Mapping[str, Any]) -> Shift:
    """The shift that a config of diffusers' FlowMatchEulerDiscreteScheduler describes."""
    if not scheduler.get("use_dynamic_shifting", False):
        return FixedShift(scheduler.get("shift", 1.0))
    few, many = scheduler.get("base_image_seq_len", 256), scheduler.get("max_image_seq_len", 4096)
    return LineShift((few, scheduler.get("base_shift", 0.5)), (many, scheduler.get("max_shift", 1.15)))
