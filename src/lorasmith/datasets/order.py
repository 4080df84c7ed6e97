"""The order of an epoch: every picture exactly as often as it should be, in batches of one bucket each.

Order depends on (seed, epoch) and the set alone: not on workers, processes or restarts. It is a function and no list: each bucket's
samples are permuted (`permutation`) and cut into batches, and so are the batches of all buckets, so that batch k of any epoch is
computed by itself. What is kept is two numbers for each picture, once for all epochs.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import overload

import numpy as np

from lorasmith.datasets.buckets import Size
from lorasmith.datasets.permutation import Permutation
from lorasmith.draws import seed_of

ORDER = 2
"""Rises when an epoch's order becomes another one; records say with which a run was trained."""


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


@dataclass(frozen=True, eq=False)
class Members:
    """The pictures in a bucket. `pictures`: their indices, int64; `ends`: int64, samples up to and with each of them."""

    pictures: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, pairs: Iterable[tuple[int, int]]) -> Members:
        """Those of (picture, repeats)."""
        listed = list(pairs)
        return cls.from_arrays(np.array([p for p, _ in listed], np.int64), np.array([r for _, r in listed], np.int64))

    @classmethod
    def from_arrays(cls, pictures: np.ndarray, repeats: np.ndarray) -> Members:
        """Those of indices and their repeats."""
        return cls(pictures, np.cumsum(repeats, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def samples(self) -> int:
        """Samples in an epoch: every picture as often as it is repeated."""
        return int(self.ends[-1]) if len(self.ends) else 0

    def sample(self, number: int) -> Sample:
        """Sample `number`, from 0: those of a picture follow each other."""
        place = int(np.searchsorted(self.ends, number, side="right"))
        before = int(self.ends[place - 1]) if place else 0
        return Sample(int(self.pictures[place]), number - before)


@dataclass(frozen=True)
class Group:
    """Pictures that may share a batch where their bucket is the same: those of one resolution and batch size."""

    buckets: Mapping[Size, Members]
    batch_size: int

    @property
    def shapes(self) -> Counter[Shape]:
        """Shape -> batches of it in an epoch. A short last batch of a bucket counts."""
        found: Counter[Shape] = Counter()
        for bucket, members in self.buckets.items():
            whole, rest = divmod(members.samples, self.batch_size)
            found += Counter({(bucket, self.batch_size): whole, (bucket, rest): int(rest > 0)})
        return found


class Order:
    """The order of all epochs of a run: `order.epoch(3)` are the batches of epoch 3, those of all groups among each other."""

    def __init__(self, groups: Sequence[Group], seed: int):
        self.seed = seed
        self.parts = [(bucket, group.buckets[bucket], group.batch_size) for group in groups for bucket in sorted(group.buckets)]
        """Each bucket of each group, with its batch size."""
        self.ends = list(accumulate(-(-members.samples // size) for _, members, size in self.parts))
        """Batches up to and with each of them."""

    def epoch(self, number: int) -> EpochOrder:
        """The batches of epoch `number` (from 1)."""
        return EpochOrder(self, number)


class EpochOrder(Sequence[Batch]):
    """The batches of one epoch, each drawn when it is asked for."""

    def __init__(self, order: Order, epoch: int):
        self.order, self.epoch = order, epoch
        self._samples: dict[int, Permutation] = {}

    def __len__(self) -> int:
        return self.order.ends[-1] if self.order.ends else 0

    @overload
    def __getitem__(self, index: int) -> Batch: ...
    @overload
    def __getitem__(self, index: slice) -> list[Batch]: ...
    def __getitem__(self, index: int | slice) -> Batch | list[Batch]:
        if isinstance(index, slice):
            return [self._batch(place) for place in range(*index.indices(len(self)))]
        return self._batch(range(len(self))[index])

    def sizes(self, first: int, last: int) -> list[int]:
        """How many samples each of the batches `first` to `last` (exclusive, or the end) has; draws none of them."""
        return [self._part_and_range(place)[2] for place in range(first, min(last, len(self)))]

    def _part_and_range(self, place: int) -> tuple[int, int, int]:
        """Of the batch at a place: its part, its first sample there, and how many it has."""
        number = self._batches(place)
        part = bisect_right(self.order.ends, number)
        _, members, size = self.order.parts[part]
        first = (number - (self.order.ends[part - 1] if part else 0)) * size
        return part, first, min(size, members.samples - first)

    def _batch(self, place: int) -> Batch:
        part, first, count = self._part_and_range(place)
        bucket, members, _ = self.order.parts[part]
        if part not in self._samples:
            self._samples[part] = Permutation(members.samples, self._key("order", part))
        drawn = self._samples[part]
        return Batch(bucket, tuple(members.sample(drawn(number)) for number in range(first, first + count)))

    @cached_property
    def _batches(self) -> Permutation:
        return Permutation(len(self), self._key("batch order"))

    def _key(self, *purpose: str | int) -> bytes:
        return seed_of(*purpose, self.order.seed, self.epoch).to_bytes(8, "little")
