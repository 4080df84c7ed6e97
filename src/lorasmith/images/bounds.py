"""Which of many pictures could be copies of one another: the first sieve of the search for near duplicates, in bits.

A small crop moves what is seen at a place by at most three cells of a picture of 24 x 24. So whatever the crop, the value at a place is
between the least and the most that the other picture has within three cells of it, and a little beyond, as compression and resampling
change values, too. One value out of bounds, either way, and two pictures are not copies. There are 8 x 8 places with a luma and two
chromas: 192 values.

For all pairs at once, each value is sorted into one of 8 bins. A word of 64 bits says in which bin each of 8 values is, another word
which bins the bounds of those values bar; a pair may be copies if neither word of the one meets the other word of the other. The values
that tell most pairs of this set apart come first, so that the first words leave few pairs of any set to the others, and those few to the
bounds themselves: pictures before one backdrop differ in other places than pictures of many things.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Words = NDArray[np.uint64]
    Places = NDArray[np.intp]

SIDE = 24
PLACES = (4, 6, 8, 10, 13, 15, 17, 19)
"""Rows, and columns, of a picture of 24 x 24 cells whose values are compared; alike from both sides, for mirror images."""

REACH = 3
"""Cells by which a crop may move a place: of the middle two thirds, `MOST_CROPPED` moves none further."""

SLACK = (6.0, 5.0, 5.0)
SHARE = 0.2
"""Bounds are wider by these steps of 255 (luma, chromas) and by this share of their width. Of 26,000 pairs of copies of photographs and
scenes (flip, JPEG 40-95, resize 0.3-2x, both cropped to 90 %) none needed more than 3.6 and 3.4."""

BINS = 8
WORDS = 12
"""Of 64 bits, for the values that tell most pairs apart."""

MOST_AT_ONCE = 3
FEW = 0.04
"""Words that all pairs are compared by: as many as it takes until this share of the pairs is left, at most three."""

ROWS, COLUMNS = 8, 4096
"""Pairs that are looked at in one go: their words fit a core's own cache."""

ENOUGH = 1 << 16
"""Pairs that are worth a call."""


@dataclass(frozen=True)
class Bounds:
    """Values of pictures, and between which values copies of them are: n x 192 each, 0-255."""

    value: Bytes
    low: Bytes
    high: Bytes

    def mirrored(self) -> Bounds:
        return Bounds(*(_rows(every.reshape(-1, len(PLACES), len(PLACES), 3)[:, :, ::-1]) for every in (self.value, self.low, self.high)))

    def of(self, rows: Places) -> Bounds:
        """Those of some pictures."""
        return Bounds(self.value[rows], self.low[rows], self.high[rows])

    def ordered(self, columns: Places) -> Bounds:
        return Bounds(*(np.ascontiguousarray(every[:, columns]) for every in (self.value, self.low, self.high)))


def bounds_of(pictures: NDArray[np.float32]) -> Bounds:
    """The bounds of small pictures, n x 24 x 24 x 3, 0-255 and a little blurred."""
    places = np.array(PLACES)
    near = places - REACH
    low, high = (_extreme(pictures, which)[:, near][:, :, near] for which in (np.minimum, np.maximum))
    spare = SHARE * (high - low) + np.array(SLACK, np.float32)
    value = np.round(pictures[:, places][:, :, places])
    return Bounds(*(_rows(every.clip(0, 255).astype(np.uint8)) for every in (value, np.floor(low - spare), np.ceil(high + spare))))


def joined(parts: list[Bounds]) -> Bounds:
    """The bounds of all pictures of several lists."""
    return Bounds(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("value", "low", "high")))


def are_within(bounds: Bounds, one: Places, other: Places, turned: bool) -> NDArray[np.bool_]:
    """Whether the pictures of each pair are within one another's bounds, the other's mirror image where `turned`."""
    ones = bounds.of(one)
    inside = np.zeros(len(one), bool)
    every = np.arange(len(one))
    inside[_within(ones.mirrored() if turned else ones, bounds.of(other), every, every)] = True
    return inside


def possible_pairs(
    bounds: Bounds, settled: Callable[[Places, Places], NDArray[np.bool_]], compared: int = 0
) -> Iterator[tuple[Places, Places, bool]]:
    """Places of pairs within one another's bounds, in portions, and whether the other's mirror image is meant.

    `settled` says which of some pairs need not be looked at any more; it is asked again and again. Pairs among the first `compared` are
    left out.
    """
    bins = _bins(bounds.value)
    columns = _telling(bounds, bins)
    bins = bins[columns]
    others = bounds.ordered(columns)
    words = _Words.of(others, bins)
    for turned in (False, True):
        ones = bounds.mirrored().ordered(columns) if turned else others
        turned_words = _Words.of(ones, bins) if turned else words
        at_once = _words_at_once(turned_words, words)
        pairs = _portions(_by_first_words(turned_words, words, at_once, compared))
        for one, other in _portions(_by_other_words(turned_words, words, at_once, pairs)):
            open_ones = ~settled(one, other)
            one, other = one[open_ones], other[open_ones]
            kept = _within(ones, others, one, other)
            yield one[kept], other[kept], turned


def _rows(grid: Bytes) -> Bytes:
    return np.ascontiguousarray(grid.reshape(len(grid), -1))


def _extreme(pictures: NDArray[np.float32], which: np.ufunc) -> NDArray[np.float32]:
    """The least or the most within three cells of every cell that has that many about it."""
    down = which(pictures[:, :-1], pictures[:, 1:])
    down = which(down[:, :-2], down[:, 2:])
    down = which(down[:, :-3], down[:, 3:])
    across = which(down[:, :, :-1], down[:, :, 1:])
    across = which(across[:, :, :-2], across[:, :, 2:])
    most: NDArray[np.float32] = which(across[:, :, :-3], across[:, :, 3:])
    return most


# All pairs at once


def _telling(bounds: Bounds, bins: Bytes) -> Places:
    """The values' columns, those that tell most pairs apart first.

    Told by pairs drawn at random: the column that parts most of them, then the one that parts most of the rest. What is drawn changes how
    fast pairs are found, and not which.
    """
    columns = np.arange(len(bins))
    count = len(bounds.value)
    one, other = np.random.default_rng(0).integers(0, count, (2, min(16384, 16 * count)))
    different = one != other
    a, a_low, a_high = (bins[columns, every[one[different]]] for every in (bounds.value, bounds.low, bounds.high))
    b, b_low, b_high = (bins[columns, every[other[different]]] for every in (bounds.value, bounds.low, bounds.high))
    apart = (b < a_low) | (b > a_high) | (a < b_low) | (a > b_high)
    order: list[int] = []
    while len(apart):
        parted = apart.sum(0)
        best = int(parted.argmax())
        if not parted[best]:
            break
        order.append(best)
        apart = apart[~apart[:, best]]
    return np.array(order + [int(column) for column in columns if column not in set(order)])


def _bins(value: Bytes) -> Bytes:
    """columns x 256: the bin of each value; equally many pictures are in each bin."""
    bins = np.empty((value.shape[1], 256), np.uint8)
    for column, known in enumerate(value.T):
        below = np.cumsum(np.bincount(known, minlength=256)) - 1
        bins[column] = (BINS * below // len(value)).clip(0, BINS - 1)
    return bins


@dataclass(frozen=True)
class _Words:
    """Words x n: in which bins the values are, and which bins are barred."""

    occupied: Words
    bars: Words

    @classmethod
    def of(cls, bounds: Bounds, bins: Bytes) -> _Words:
        occupied, bars = np.zeros((2, WORDS, len(bounds.value)), np.uint64)
        one, every_bin = np.uint64(1), np.uint64(2**BINS - 1)
        for column in range(WORDS * 64 // BINS):
            value, low, high = (bins[column][all_of[:, column]].astype(np.uint64) for all_of in (bounds.value, bounds.low, bounds.high))
            word, shift = divmod(column * BINS, 64)
            occupied[word] |= one << (value + np.uint64(shift))
            bars[word] |= (every_bin ^ ((one << (high + one)) - (one << low))) << np.uint64(shift)
        return cls(occupied, bars)


def _words_at_once(ones: _Words, others: _Words) -> int:
    """How many words leave few enough pairs."""
    a, b = np.random.default_rng(1).integers(0, ones.occupied.shape[1], (2, 4096))
    met = (others.occupied[:, b] & ones.bars[:, a]) | (others.bars[:, b] & ones.occupied[:, a])
    left = np.logical_and.accumulate(met == 0).mean(1)
    return 1 + int((left[: MOST_AT_ONCE - 1] > FEW).sum())


def _by_first_words(ones: _Words, others: _Words, at_once: int, compared: int) -> Iterator[tuple[Places, Places]]:
    """Pairs of which neither picture is in a bin that the other bars, by the first words; all pairs but those compared are looked at."""
    count = ones.occupied.shape[1]
    met, more = np.empty((2, ROWS * COLUMNS), np.uint64)
    for first in range(compared, count, COLUMNS):
        column = slice(first, min(count, first + COLUMNS))
        width = column.stop - first
        for top in range(0, column.stop, ROWS):
            row = slice(top, min(count, top + ROWS))
            shape = (row.stop - top, width)
            out, part = met[: shape[0] * width].reshape(shape), more[: shape[0] * width].reshape(shape)
            np.bitwise_and(others.occupied[0, column], ones.bars[0, row, None], out=out)
            for word in range(at_once):
                if word:
                    np.bitwise_and(others.occupied[word, column], ones.bars[word, row, None], out=part)
                    np.bitwise_or(out, part, out=out)
                np.bitwise_and(others.bars[word, column], ones.occupied[word, row, None], out=part)
                np.bitwise_or(out, part, out=out)
            left = np.flatnonzero(out == 0)
            if len(left):
                one, other = np.divmod(left, width)
                yield one + top, other + first


def _by_other_words(ones: _Words, others: _Words, known: int, pairs: Iterator[tuple[Places, Places]]) -> Iterator[tuple[Places, Places]]:
    """Those of the pairs that pass the other words, too; each pair once."""
    for one, other in pairs:
        ahead = one < other
        one, other = one[ahead], other[ahead]
        for word in range(known, WORDS):
            met = (others.occupied[word, other] & ones.bars[word, one]) | (others.bars[word, other] & ones.occupied[word, one])
            kept = np.flatnonzero(met == 0)
            one, other = one[kept], other[kept]
        yield one, other


def _portions(pairs: Iterator[tuple[Places, Places]]) -> Iterator[tuple[Places, Places]]:
    """The same pairs, gathered into portions that are worth a call."""
    ones: list[Places] = []
    others: list[Places] = []
    count = 0
    for one, other in pairs:
        ones.append(one)
        others.append(other)
        count += len(one)
        if count >= ENOUGH:
            yield np.concatenate(ones), np.concatenate(others)
            ones, others, count = [], [], 0
    if ones:
        yield np.concatenate(ones), np.concatenate(others)


def _within(ones: Bounds, others: Bounds, one: Places, other: Places) -> Places:
    """Which of the pairs are within one another's bounds, in all values."""
    left = np.arange(len(one))
    for start in range(0, ones.value.shape[1], 16):
        part = slice(start, start + 16)
        a, b = one[left], other[left]
        value, there = ones.value[a, part], others.value[b, part]
        inside = (
            (there >= ones.low[a, part]) & (there <= ones.high[a, part]) & (value >= others.low[b, part]) & (value <= others.high[b, part])
        )
        left = left[inside.all(1)]
    return left
