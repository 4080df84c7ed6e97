"""Where the numbers of a made set come from, and how large it is."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from lorasmith.demo.world import Scene, random_scene
from lorasmith.draws import rng_for

Strength = Callable[[float, float, float], float]
"""(the usual number, lowest, highest) -> how strong the fault is made."""


@dataclass(frozen=True)
class Effort:
    """How large the made set is."""

    scenes: int = 12
    of_each_sort: int = 4
    """Drawings of each sort, such as sprites."""
    each: int = 20
    """Pictures that get a fault, and that nearly get it."""
    creatures: int = 60
    """Further scenes among the strangers of copies."""
    sets: int = 12


QUICK = Effort(scenes=4, of_each_sort=1, each=4, creatures=10, sets=4)
"""Enough to see that something broke; too little for figures."""


@dataclass(frozen=True)
class Draw:
    """Where the numbers of a made set come from."""

    seed: int

    def rng(self, *purpose: str | int) -> random.Random:
        return rng_for("audit bench", *((self.seed,) if self.seed else ()), *purpose)

    def scene(self, number: int, **fixed: str | None) -> Scene:
        """The scene of a number, of this draw's own."""
        return random_scene(number + 1_000_000_000 * self.seed, **fixed)

    def strengths(self, *purpose: str | int) -> Strength:
        """How strong to make one fault: the usual number for seed 0, else one between two."""
        rng = self.rng("strength", *purpose)
        return lambda defaults, low, high: defaults if not self.seed else rng.uniform(low, high)
