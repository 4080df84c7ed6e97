"""Repeats that give every concept of a dataset about the same time in training.

The folder with the most pictures is repeated once in an epoch (or as often as asked), and every other folder as often as makes up for
having fewer: with steps = pictures x repeats x epochs of the largest, the repeats of another are round(steps / epochs / its pictures).
A folder with many repeats trains on the same few pictures again and again: the LoRA learns these pictures rather than what
they show (it over-bakes), and more pictures are the only cure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lorasmith.errors import SettingsError
from lorasmith.findings import Evidence, Finding, Fix
from lorasmith.pages.numbers import count

USUAL_EPOCHS = 10
"""What most recipes train for, where no number is given."""

MOST_PASSES = 200
"""Times that one picture is seen in a whole training, above which it is likely over-baked; about 100 is usual for characters."""


@dataclass(frozen=True)
class Share:
    """What one concept gets."""

    pictures: int
    repeats: int
    epochs: int

    @property
    def passes(self) -> int:
        """Times that each picture is seen in the whole training."""
        return self.repeats * self.epochs

    @property
    def samples(self) -> int:
        """Samples in one epoch: its pictures times their repeats."""
        return self.pictures * self.repeats

    @property
    def over_baked(self) -> bool:
        """Whether its pictures are seen more often than does them good."""
        return self.passes > MOST_PASSES


def balanced_repeats(pictures: Mapping[str, int], repeats: int = 1, epochs: int = USUAL_EPOCHS) -> dict[str, Share]:
    """Concept -> its share, given the pictures of each; `repeats` are those of the concept with the most.

    Raises:
        SettingsError: a concept has no pictures, or `repeats` or `epochs` is below 1.
    """
    if repeats < 1 or epochs < 1:
        raise SettingsError(f"repeats ({repeats}) and epochs ({epochs}) must be at least 1.")
    empty = [name for name, count in pictures.items() if count < 1]
    if empty:
        raise SettingsError(f"{empty[0]!r} has no pictures and cannot be balanced: add some, or leave it out.")
    steps = max(pictures.values(), default=0) * repeats * epochs
    return {name: Share(count, max(1, math.floor(steps / epochs / count + 0.5)), epochs) for name, count in pictures.items()}


def findings_of(shares: Mapping[str, Share]) -> list[Finding]:
    """A warning for each concept that would over-bake, with how many pictures it lacks."""
    found = []
    for name, share in shares.items():
        if share.over_baked:
            enough = math.ceil(share.samples * share.epochs / MOST_PASSES)
            message = (
                f"{name} has {count(share.pictures, 'picture')}, each of which would be seen {count(share.passes, 'time')} "
                f"({count(share.repeats, 'repeat')} x {count(share.epochs, 'epoch')}) and likely over-bake."
            )
            evidence = Evidence(share.passes, "times that each picture is seen", f"{share.passes} times, where {MOST_PASSES} are much")
            fix = Fix(f"Find {enough - share.pictures} more, or train fewer epochs.")
            found.append(
                Finding(
                    "layout.over_baked",
                    "warning",
                    message,
                    "folder",
                    (name,),
                    evidence,
                    why="The LoRA learns these pictures by heart.",
                    fix=fix,
                )
            )
    return found
