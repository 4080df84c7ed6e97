"""What the bench counts: cases that have a fault or not, and how often the audit was right about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Score:
    """How often the audit was right about one kind of finding."""

    kind: str
    present: int
    absent: int
    missed: tuple[str, ...]
    wrongly: tuple[str, ...]
    """Names of the made pictures (or sets) that were missed, and that were wrongly found."""

    @property
    def recall(self) -> float:
        return 1 - len(self.missed) / self.present

    @property
    def precision(self) -> float:
        right = self.present - len(self.missed)
        return right / (right + len(self.wrongly)) if right + len(self.wrongly) else 0.0


@dataclass(frozen=True)
class Case:
    """A made picture, or a set, of which one finding is asked."""

    kind: str
    """What is asked of it; "" for a sound picture, of which everything is asked."""
    name: str
    data: bytes
    has: bool


def score_of(kind: str, results: Sequence[tuple[Case, bool]]) -> Score:
    """The score of a kind of finding, from cases with whether it was found."""
    return Score(
        kind,
        sum(case.has for case, _ in results),
        sum(not case.has for case, _ in results),
        tuple(case.name for case, found in results if case.has and not found),
        tuple(case.name for case, found in results if found and not case.has),
    )
