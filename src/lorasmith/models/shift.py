"""How far a flow model's sigmas are moved towards the noise: by a fixed factor, or further for larger pictures.

A sigma q between 0 (the picture) and 1 (noise) becomes s q / (1 + (s - 1) q). s is e^mu in the configs of diffusers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol


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
