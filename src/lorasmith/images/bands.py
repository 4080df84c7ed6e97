"""Which of very many pictures could be copies of one another: the first sieve of the search for near duplicates, by banded hashes.

`bounds` looks at every pair, which grows with the square of their number. Here only pictures are compared that have one key in one of
`BANDS` bands, as in locality-sensitive hashing. A key is made of bits: on which side of the median a picture is, along a direction of the
low frequencies. The median is that of the pictures whose bits were equal so far, so a key is never held by more than `PER_KEY` pictures,
whatever the pictures are, and there are as many bits as that takes: log2 of their number. Time is bands x n x log n.

A crop would change the bits. So each picture is hashed in several views: as it is, mirrored, and with five small crops, one of which is
nearly what a copy shows. Of some directions drawn at random, that one is taken for a bit along which these pictures differ most, beside
what a crop changes there: so neither a backdrop that all have nor one scene a thousand times fills a key.

Two pictures can be parted by a median, however alike. One band misses 2 to 3 % of changed copies among 20,000 pictures, six bands one in
5,400: fewer than one band by far, more than if bands were independent, as pairs that are far apart are parted more often in each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from lorasmith.draws import seed_of
from lorasmith.images.spectrum import cosines, signs_in_a_mirror, spectra

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Halves = NDArray[np.float16]
    Places = NDArray[np.intp]

BANDS = 6
"""Keys of each view."""

PER_KEY = 32
"""Views with one key at most, and more than half as many."""

DIRECTIONS = 8
"""Drawn for a bit, of which the best is taken."""

CROP = 0.94
"""Share of the sides that the cropped views show: in the middle and in the four corners."""

LIKE = 0.2
"""Largest squared distance of two views of copies, as a share of their contrast. Of 1,800 copies of parts of photographs and of scenes
(flip, JPEG 40-95, resize 0.3-3x, both sides cropped to 90 %) the furthest was 0.15; one of a hundred strangers is nearer than 1.1."""

NEAREST = 4
"""Views that each is compared with in a key that is full of alike ones: thousand frames of one shot."""

AT_ONCE = 1 << 16
"""Views whose bits are found together."""

DRAWN = 4096
"""Views that are asked for the best direction, where there are more."""


@dataclass(frozen=True)
class Views:
    """Low frequencies of every view of pictures, n x views x D, and the contrast of each picture, n."""

    values: Halves
    contrast: Floats

    @property
    def noise(self) -> Floats:
        """How much a crop changes each frequency, by some of the pictures (D)."""
        some = self.values[:: max(1, len(self.values) // DRAWN)].astype(np.float32)
        change: Floats = np.sqrt(((some[:, 2:] - some[:, :1]) ** 2).mean((0, 1)) + 1e-2)
        return change


def views_of(pictures: Floats) -> Views:
    """The views of small pictures, n x 24 x 24 x 3, 0-255: as they are, mirrored, and cropped."""
    values = [spectra(pictures - np.float32(128), *view) for view in _cropped_cosines()]
    contrast = np.sqrt((values[0][:, 3:] ** 2).sum(1) + np.float32(4))
    return Views(np.stack([values[0], values[0] * signs_in_a_mirror(), *values[1:]], 1).astype(np.float16), contrast)


def joined(parts: list[Views]) -> Views:
    """The views of all pictures of several lists."""
    return Views(np.concatenate([part.values for part in parts]), np.concatenate([part.contrast for part in parts]))


def likely_pairs(
    views: Views, settled: Callable[[Places, Places], NDArray[np.bool_]], compared: int = 0
) -> Iterator[tuple[Places, Places, bool]]:
    """Places of pairs that have a key in common and alike views, in portions, and whether the other's mirror image is meant; each pair once.

    The nearest come first. `settled` says which of some pairs need not be looked at any more; it is asked again and again. Pairs among the
    first `compared` are left out.
    """
    count, each = views.values.shape[:2]
    points, noise = views.values.reshape(count * each, -1), views.noise
    seen = np.zeros(0, np.intp)
    for band in range(BANDS):
        rng = np.random.default_rng(seed_of("band", band))
        found = [_alike(views, run, compared) for run in _runs(points, noise, np.arange(len(points)), rng)]
        keys, apart = (np.concatenate(part) for part in zip(*found, strict=True))
        keys, first = np.unique(keys[np.argsort(apart, kind="stable")], return_index=True)
        new = ~np.isin(keys, seen, assume_unique=True)
        seen = np.union1d(seen, keys)
        keys = keys[new][np.argsort(first[new])]
        for start in range(0, len(keys), AT_ONCE):
            part, turned = np.divmod(keys[start : start + AT_ONCE], 2)
            one, other = np.divmod(part, count)
            open_ones = ~settled(one, other)
            for way in (0, 1):
                kept = open_ones & (turned == way)
                if kept.any():
                    yield one[kept], other[kept], bool(way)


@cache
def _cropped_cosines() -> tuple[tuple[Floats, Floats], ...]:
    """Cosines down and right, over the cells of the whole picture and of its crops."""
    rim = (1 - CROP) / 2
    crops = [(1.0, 0.0, 0.0), (CROP, 0.0, 0.0), *((CROP, x * rim, y * rim) for x in (-1, 1) for y in (-1, 1))]
    return tuple((_seen(scale, y), _seen(scale, x)) for scale, x, y in crops)


def _seen(scale: float, shift: float) -> Floats:
    """The cosines over a crop's cells, as weights of the picture's."""
    side = cosines().shape[1]
    place = np.clip((scale * ((np.arange(side) + 0.5) / side - 0.5) + shift + 0.5) * side - 0.5, 0, side - 1)
    hats = np.maximum(0, 1 - np.abs(place[:, None] - np.arange(side)))
    seen: Floats = (cosines() @ hats).astype(np.float32)
    return seen


# Keys


def _runs(points: Halves, noise: Floats, places: Places, rng: np.random.Generator) -> Iterator[Places]:
    """Runs x PER_KEY: the places with one key each; the last of some keys are there twice, so that all are as long."""
    if len(places) > AT_ONCE:
        drawn = points[places[rng.integers(0, len(places), DRAWN)]].astype(np.float32)
        directions = _drawn(drawn, noise, rng, 1)[0]
        best = directions[:, int((drawn @ directions).std(0).argmax())]
        along = np.concatenate([points[places[at : at + AT_ONCE]].astype(np.float32) @ best for at in range(0, len(places), AT_ONCE)])
        halves = np.argpartition(along, len(along) // 2)
        yield from _runs(points, noise, places[halves[: len(along) // 2]], rng)
        yield from _runs(points, noise, places[halves[len(along) // 2 :]], rng)
        return
    bits = max(0, int(np.ceil(np.log2(len(places) / PER_KEY))))
    size = -(-len(places) // 2**bits)
    order = np.concatenate([places, places[: size * 2**bits - len(places)]])
    values = points[order].astype(np.float32)
    held = np.arange(len(order))[None]
    for directions in _drawn(values, noise, rng, bits):
        along = (values @ directions)[held]  # keys x their places x directions
        best = np.take_along_axis(along, along.std(1).argmax(1)[:, None, None], 2)[..., 0]
        half = held.shape[1] // 2
        held = np.take_along_axis(held, np.argpartition(best, half, 1), 1).reshape(-1, half)
    yield order[held]


def _drawn(values: Floats, noise: Floats, rng: np.random.Generator, bits: int) -> Floats:
    """bits x D x `DIRECTIONS`: directions in which these views differ, measured by what a crop changes along each."""
    weights = values[:: max(1, len(values) // DRAWN)].std(0) / noise**2
    directions = rng.normal(size=(bits, len(noise), DIRECTIONS)).astype(np.float32) * weights[:, None]
    changed: Floats = directions / np.sqrt(((directions * noise[:, None]) ** 2).sum(1, keepdims=True) + np.float32(1e-12))
    return changed


def _alike(views: Views, runs: Places, compared: int) -> tuple[Places, Floats]:
    """Keys (`likely_pairs`) of the pairs of pictures in a run of which two views are alike, and how far those are apart."""
    count, each, _ = views.values.shape
    picture, view = np.divmod(runs, each)
    values, contrast = views.values[picture, view].astype(np.float32), views.contrast[picture]
    length = (values**2).sum(2)
    apart = (length[:, :, None] + length[:, None] - 2 * values @ values.transpose(0, 2, 1)) / (contrast[:, :, None] * contrast[:, None])
    apart[picture[:, :, None] == picture[:, None]] = np.inf
    near = apart < LIKE
    full = np.flatnonzero(near.sum((1, 2)) > NEAREST * runs.shape[1])
    if len(full):
        nearest = np.zeros_like(near[full])
        np.put_along_axis(nearest, np.argpartition(apart[full], NEAREST, 2)[..., :NEAREST], True, 2)
        near[full] &= nearest
    run, one, other = np.nonzero(near)
    a, b = picture[run, one], picture[run, other]
    turned = (view[run, one] == 1) != (view[run, other] == 1)
    first, second = np.minimum(a, b), np.maximum(a, b)
    kept = second >= compared
    return (2 * (first * count + second) + turned)[kept], apart[run, one, other][kept].clip(0)
