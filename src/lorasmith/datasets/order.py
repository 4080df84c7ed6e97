"""The order of an epoch: every picture exactly as often as it should be, in batches of one bucket each.

Order depends on (seed, epoch, picture, repeat) alone: not on workers, processes or restarts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lorasmith.datasets.buckets import Size
from lorasmith.draws import seed_of


@dataclass(frozen=True)
class Sample:
    """One picture in one of its repeats, counted from 0 in each epoch. `picture` is its index in the training set."""

    picture: int
    repeat: int


@dataclass(frozen=True)
class Batch:
    """Pictures of one bucket that train together; the last batch of a bucket may be smaller."""

    bucket: Size
    samples: tuple[Sample, ...]


Shape = tuple[Size, int]
"""The bucket of a batch, and its number of samples."""


@dataclass(frozen=True)
class Group:
    """Pictures that may share a batch where their bucket is the same: those of one resolution and batch size.

    `buckets`: per bucket the (picture, repeats) that fell into it.
    """

    buckets: Mapping[Size, Sequence[tuple[int, int]]]
    batch_size: int

    @property
    def shapes(self) -> Counter[Shape]:
        """Shape -> batches of it in an epoch. A short last batch of a bucket counts."""
        found: Counter[Shape] = Counter()
        for bucket, members in self.buckets.items():
            whole, rest = divmod(sum(repeats for _, repeats in members), self.batch_size)
            found += Counter({(bucket, self.batch_size): whole, (bucket, rest): int(rest > 0)})
        return found


def epoch_batches(groups: Sequence[Group], seed: int, epoch: int) -> list[Batch]:
    """The batches of `epoch` (from 1), those of all groups among each other."""
    batches = []
    for group in groups:
        for bucket in sorted(group.buckets):
            samples = [Sample(picture, repeat) for picture, repeats in group.buckets[bucket] for repeat in range(repeats)]
            samples.sort(key=lambda s: seed_of("order", seed, epoch, s.picture, s.repeat))
            for first in range(0, len(samples), group.batch_size):
                batches.append(Batch(bucket, tuple(samples[first : first + group.batch_size])))
    return sorted(batches, key=lambda b: seed_of("batch order", seed, epoch, b.samples[0].picture, b.samples[0].repeat))
