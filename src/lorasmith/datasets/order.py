"""The order of an epoch: every picture exactly `repeats` times, in batches of one bucket each.

Order depends on (seed, epoch, picture, repeat) alone: not on workers, restarts or the pictures beside it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lorasmith.datasets.buckets import Size
from lorasmith.draws import seed_of


@dataclass(frozen=True)
class Showing:
    """One picture, shown for the `repeat`-th time in its epoch (from 0). `picture` is its index in the training set."""

    picture: int
    repeat: int


@dataclass(frozen=True)
class Batch:
    """Pictures of one bucket that train together; the last batch of a bucket may be smaller."""

    bucket: Size
    showings: tuple[Showing, ...]


def batches_per_epoch(counts: Mapping[Size, int], batch_size: int) -> int:
    """`counts`: showings (repeats included) per bucket. A short last batch counts."""
    return sum(math.ceil(count / batch_size) for count in counts.values())


def epoch_batches(buckets: Mapping[Size, Sequence[tuple[int, int]]], batch_size: int, seed: int, epoch: int) -> list[Batch]:
    """The batches of `epoch` (from 1). `buckets`: per bucket the (picture, repeats) that fell into it."""
    batches = []
    for bucket in sorted(buckets):
        showings = [Showing(picture, repeat) for picture, repeats in buckets[bucket] for repeat in range(repeats)]
        showings.sort(key=lambda s: seed_of("order", seed, epoch, s.picture, s.repeat))
        for first in range(0, len(showings), batch_size):
            batches.append(Batch(bucket, tuple(showings[first : first + batch_size])))
    return sorted(batches, key=lambda b: seed_of("batch order", seed, epoch, b.showings[0].picture, b.showings[0].repeat))
