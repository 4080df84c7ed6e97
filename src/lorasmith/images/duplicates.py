"""Near duplicates: the same picture again - mirrored, compressed, resized or cropped a little.

A usual perceptual hash (the signs of a few low frequencies) dies of a crop, which shifts every frequency's phase, and calls all
drawings with the same backdrop one picture. So a `Signature` keeps a small picture of 32 x 32 cells, and three sieves look at pairs:

1. Low frequencies of the small picture (a DCT, as in perceptual hashes, but as numbers). Mirroring changes the sign of the odd
   horizontal ones and nothing else, so that with even part e and odd part o the distance to the nearer of a picture and its mirror
   image is |a|² + |b|² - 2 (e·e' + |o·o'|): two matrix products give it for all pairs at once.
2. For pairs that may pass: the same distance less what a small crop could explain. A crop moves the frequencies along four
   directions (a shift and a stretch on each axis), which are known for each picture; what remains is no crop.
3. The small pictures are laid over one another (Gauss-Newton on shift and stretch) and compared cell by cell. Differences
   count less where edges lie, as resampling moves those.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Relation = Literal["same", "mirrored"]
Floats = NDArray[np.float32]

CELLS = 32
"""Side of the small picture in a signature."""

MOST_CROPPED = 0.13
"""Share of a side that may have been cropped away from a copy."""

FREQUENCIES = 4
"""Frequencies i + j < 4 are compared in the first two sieves: 10 in each of luma and two chromas."""

FIRST_SIEVE = 1.0
SECOND_SIEVE = 0.1
"""Largest distances that pass, as shares of the contrast; set on varied photographs so that 99.8 % of true copies pass."""

SAME_BELOW = 1.2
"""Largest difference of two small pictures laid over one another, in allowed errors, at which they are called the same."""


@dataclass(frozen=True, eq=False)
class Signature:
    """What is kept of a picture to find it again: 32 x 32 cells of luma and two chromas, 0-255."""

    cells: NDArray[np.uint8]
    """Shape (32, 32, 3)."""

    def to_bytes(self) -> bytes:
        """3,072 bytes, for a cache."""
        return self.cells.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Signature:
        return cls(np.frombuffer(data, np.uint8).reshape(CELLS, CELLS, 3))


@dataclass(frozen=True)
class Pair:
    """Two pictures that show the same; `first` < `second` are places in the list that was searched."""

    first: int
    second: int
    relation: Relation
    difference: float
    """0: not to be told apart; 1: just alike enough to be called the same."""


@dataclass(frozen=True)
class Group:
    """Pictures that are all copies of one; a copy of a copy belongs to it, too."""

    indices: tuple[int, ...]
    """Ascending."""
    pairs: tuple[Pair, ...]
    """The pairs that were found alike, in order; they connect all of the group."""

    def relation(self, one: int, other: int) -> Relation:
        """Whether the two pictures are the same way round, told along the pairs that connect them."""
        turned = {self.indices[0]: False}
        waiting = [self.indices[0]]
        while waiting:
            here = waiting.pop()
            for pair in self.pairs:
                if here in (pair.first, pair.second):
                    there = pair.second if here == pair.first else pair.first
                    if there not in turned:
                        turned[there] = turned[here] != (pair.relation == "mirrored")
                        waiting.append(there)
        return "same" if turned[one] == turned[other] else "mirrored"


@dataclass(frozen=True)
class Copy:
    """What decides which of several copies is worth keeping."""

    size: tuple[int, int]
    """Width and height in pixels."""
    quality: float = 100.0
    """Of its compression, 1-100; 100 where nothing was lost."""
    file_bytes: int = 0


def signature(picture: Image.Image) -> Signature:
    """The signature of a picture in any mode and of any size."""
    small = picture.convert("RGB").resize((CELLS, CELLS), Image.Resampling.BOX, reducing_gap=None)
    return Signature(np.asarray(small.convert("YCbCr"), dtype=np.uint8))


def near_duplicate_groups(signatures: Sequence[Signature]) -> list[Group]:
    """Groups of two or more pictures that show the same, by their first picture; what stands alone is in none."""
    pairs = near_duplicate_pairs(signatures)
    leader = list(range(len(signatures)))

    def find(index: int) -> int:
        while leader[index] != index:
            leader[index] = leader[leader[index]]
            index = leader[index]
        return index

    for pair in pairs:
        one, other = sorted((find(pair.first), find(pair.second)))
        leader[other] = one
    members: dict[int, set[int]] = {}
    inside: dict[int, list[Pair]] = {}
    for pair in pairs:
        root = find(pair.first)
        members.setdefault(root, set()).update((pair.first, pair.second))
        inside.setdefault(root, []).append(pair)
    return [Group(tuple(sorted(members[root])), tuple(inside[root])) for root in sorted(members)]


def best_copy(copies: Sequence[Copy]) -> int:
    """The place of the copy to keep: the most pixels, then the least compression, then the most bytes, then the first.

    Copies whose areas are within 2 % of the largest count as equally large: a few rows more do not outweigh compression.
    """
    assert copies, "there is no best of none"
    largest = max(copy.size[0] * copy.size[1] for copy in copies)

    def worth(place: int) -> tuple[float, float, int, int]:
        copy = copies[place]
        area = copy.size[0] * copy.size[1]
        return (largest if area >= 0.98 * largest else area, copy.quality, copy.file_bytes, -place)

    return max(range(len(copies)), key=worth)


def near_duplicate_pairs(signatures: Sequence[Signature]) -> list[Pair]:
    """All pairs that pass the three sieves, in order of their places."""
    if len(signatures) < 2:
        return []
    cells = np.stack([one.cells for one in signatures])
    even, odd, moves = _frequencies(cells)
    found: list[Pair] = []
    for one, other in _alike(even, odd):
        mirrored = (odd[one] * odd[other]).sum(1) < 0
        passed = _uncropped_distance(even, odd, moves, one, other, mirrored) < SECOND_SIEVE
        one, other, mirrored = one[passed], other[passed], mirrored[passed]
        for start in range(0, len(one), 4096):
            part = slice(start, start + 4096)
            differences = laid_over(cells[one[part]], _mirror(cells[other[part]], mirrored[part]))
            for a, b, m, d in zip(one[part], other[part], mirrored[part], differences, strict=True):
                if d <= SAME_BELOW:
                    found.append(Pair(int(min(a, b)), int(max(a, b)), "mirrored" if m else "same", round(float(d), 4)))
    return sorted(found, key=lambda pair: (pair.first, pair.second))


# The first two sieves: low frequencies


@cache
def _dct() -> Floats:
    """Rows are the cosines of the lowest frequencies over the cells, scaled so that a constant gives its value."""
    at = (np.arange(CELLS) + 0.5) / CELLS
    return np.stack([np.cos(np.pi * k * at) * (1 if k == 0 else np.sqrt(2)) / CELLS for k in range(FREQUENCIES)]).astype(np.float32)


def _frequencies(cells: NDArray[np.uint8]) -> tuple[Floats, Floats, Floats]:
    """Even (n, E) and odd (n, O) frequencies of each small picture, and (n, 4, E + O): how moves change them, orthonormal."""
    down, right = np.meshgrid(range(FREQUENCIES), range(FREQUENCIES), indexing="ij")
    kept = (down + right) < FREQUENCIES
    weights = (1 / np.sqrt(1 + down**2 + right**2)).astype(np.float32)
    order = np.concatenate([np.flatnonzero(kept & (right % 2 == 0)), np.flatnonzero(kept & (right % 2 == 1))])
    evens = int((kept & (right % 2 == 0)).sum())
    at = np.linspace(-1, 1, CELLS, dtype=np.float32)

    def transformed(images: Floats) -> Floats:
        """(n, 32, 32, 3) to (n, frequencies, 3), the even ones first."""
        spectrum = np.einsum("ky,nyxc,lx->nklc", _dct(), images, _dct(), optimize=True) * weights[..., None]
        return spectrum.reshape(len(images), -1, 3)[:, order]

    flat, moves = [], []
    for start in range(0, len(cells), 1024):
        images = cells[start : start + 1024].astype(np.float32) - 128
        across, along = np.gradient(images, axis=2), np.gradient(images, axis=1)
        x, y = at[None, None, :, None], at[None, :, None, None]
        steps = np.stack([transformed(move) for move in (across, across * x, along, along * y)], 1)
        flat.append(transformed(images))
        moves.append(_orthonormal(steps.reshape(len(images), 4, -1)))
    spectrum, basis = np.concatenate(flat), np.concatenate(moves)
    even, odd = spectrum[:, :evens].reshape(len(cells), -1), spectrum[:, evens:].reshape(len(cells), -1)
    return np.ascontiguousarray(even), np.ascontiguousarray(odd), basis


def _orthonormal(rows: Floats) -> Floats:
    """(n, 4, D): rows of length 1 at right angles that span the same; rows that add nothing become 0."""
    out = rows.copy()
    for i in range(out.shape[1]):
        for j in range(i):
            out[:, i] -= (out[:, i] * out[:, j]).sum(1, keepdims=True) * out[:, j]
        length = np.linalg.norm(out[:, i], axis=1, keepdims=True)
        out[:, i] = np.where(length > 1e-3, out[:, i] / np.maximum(length, 1e-3), 0)
    return out


def _contrast(even: Floats, odd: Floats) -> Floats:
    """Length of each picture's frequencies without their mean colour, and a little so that nothing is 0."""
    return np.sqrt((even[:, 3:] ** 2).sum(1) + (odd**2).sum(1) + 4.0).astype(np.float32)


def _alike(even: Floats, odd: Floats) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Places of pairs within `FIRST_SIEVE` of one another or of the other's mirror image, in portions.

    With pictures in order of brightness, whole blocks of pairs are too far apart to be looked at.
    """
    contrast = _contrast(even, odd)
    order = np.argsort(even[:, 0], kind="stable")
    brightness = even[order, 0]
    even, odd, contrast = even[order] - even.mean(0), odd[order], contrast[order]
    half = ((even**2).sum(1) + (odd**2).sum(1)) / 2
    ones = np.ones_like(half)
    allowed = np.sqrt(np.float32(FIRST_SIEVE / 2)) * contrast
    left = np.column_stack([even, allowed, -half, ones]).astype(np.float32)
    right = np.ascontiguousarray(np.column_stack([even, allowed, ones, -half]).astype(np.float32).T)
    odd_right = np.ascontiguousarray(odd.T)
    block = 512
    for start in range(0, len(order), block):
        rows = slice(start, min(start + block, len(order)))
        reach = np.sqrt(np.float32(FIRST_SIEVE)) * contrast[rows].max()
        for first in range(start, len(order), 2 * block):
            columns = slice(first, min(first + 2 * block, len(order)))
            far = np.sqrt(contrast[rows].max() * contrast[columns].max() * np.float32(FIRST_SIEVE))
            if brightness[first] - brightness[rows.stop - 1] > max(far, 0):
                continue
            near = left[rows] @ right[:, columns]
            near += np.abs(odd[rows] @ odd_right[:, columns])
            one, other = np.nonzero(near > 0)
            keep = one + start < other + first
            if keep.any():
                yield order[one[keep] + start], order[other[keep] + first]
        del reach


def _uncropped_distance(
    even: Floats, odd: Floats, moves: Floats, one: NDArray[np.intp], other: NDArray[np.intp], mirrored: NDArray[np.bool_]
) -> Floats:
    """Distance of each pair as a share of its contrast, less what moving the first picture explains."""
    contrast = _contrast(even, odd)
    out = np.empty(len(one), np.float32)
    for start in range(0, len(one), 65536):
        part = slice(start, start + 65536)
        a, b, sign = one[part], other[part], np.where(mirrored[part], -1, 1)[:, None]
        gap = np.concatenate([even[b] - even[a], sign * odd[b] - odd[a]], 1)
        explained = np.einsum("nkd,nd->nk", moves[a], gap)
        out[part] = ((gap**2).sum(1) - (explained**2).sum(1)) / (contrast[a] * contrast[b])
    return out


# The third sieve: laid over one another


def _mirror(cells: NDArray[np.uint8], which: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.where(which[:, None, None, None], cells[:, :, ::-1], cells)


def laid_over(ones: NDArray[np.uint8], others: NDArray[np.uint8]) -> Floats:
    """How far pairs of small pictures (n, 32, 32, 3) differ once the one is moved over the other, in allowed errors."""
    a, b = ones.astype(np.float32), others.astype(np.float32)
    stretch, shift = np.ones((len(a), 2), np.float32), np.zeros((len(a), 2), np.float32)
    for softness, rounds in ((2, 5), (1, 4), (0, 3)):
        soft_a, soft_b = _soft(a[..., 0], softness), _soft(b[..., 0], softness)
        for _ in range(rounds):
            _improve(soft_a, soft_b, stretch, shift)
    moved, inside = _moved(a, stretch, shift)
    return _difference(moved, b, inside)


def _soft(images: Floats, rounds: int) -> Floats:
    """Blurred along axes 1 and 2 by [1 2 1] / 4, `rounds` times."""
    for _ in range(rounds):
        for axis in (1, 2):
            wide = np.concatenate([images.take([0], axis), images, images.take([-1], axis)], axis)
            n = images.shape[axis]
            images = (wide.take(range(n), axis) + 2 * images + wide.take(range(2, n + 2), axis)) / 4
    return images


def _weights(stretch: Floats, shift: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """(n, 32, 32): from which cells each cell of a moved row is mixed, and (n, 32): which lie inside the picture."""
    middle = (CELLS - 1) / 2
    at = np.arange(CELLS, dtype=np.float32) - middle
    place = stretch[:, None] * at + shift[:, None] + middle
    hats = np.maximum(0, 1 - np.abs(np.clip(place, 0, CELLS - 1)[..., None] - np.arange(CELLS, dtype=np.float32)))
    return hats, (place > -0.51) & (place < CELLS - 0.49)


def _moved(images: Floats, stretch: Floats, shift: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Each image seen through its crop, and which cells of that lie inside it."""
    down, inside_y = _weights(stretch[:, 1], shift[:, 1])
    right, inside_x = _weights(stretch[:, 0], shift[:, 0])
    inside = inside_y[:, :, None] & inside_x[:, None, :]
    if images.ndim == 3:
        return down @ images @ right.transpose(0, 2, 1), inside
    channels = [down @ images[..., c] @ right.transpose(0, 2, 1) for c in range(images.shape[-1])]
    return np.stack(channels, -1), inside


def _improve(a: Floats, b: Floats, stretch: Floats, shift: Floats) -> None:
    """One Gauss-Newton step on stretch and shift (n, 2; x then y), in place."""
    moved, inside = _moved(a, stretch, shift)
    at = (np.arange(CELLS, dtype=np.float32) - (CELLS - 1) / 2) / CELLS
    across, along = np.gradient(moved, axis=2), np.gradient(moved, axis=1)
    columns = np.stack([across * at, across, along * at[:, None], along], -1) * inside[..., None]
    columns = columns.reshape(len(a), -1, 4)
    gap = ((b - moved) * inside).reshape(len(a), -1, 1)
    square = columns.transpose(0, 2, 1) @ columns
    square += np.eye(4, dtype=np.float32) * (1e-3 * np.trace(square, axis1=1, axis2=2)[:, None, None] + 1.0)
    step = np.linalg.solve(square, columns.transpose(0, 2, 1) @ gap)[..., 0]
    limit = MOST_CROPPED * 1.25
    stretch += step[:, [0, 2]] / CELLS
    shift += step[:, [1, 3]]
    np.clip(stretch, 1 - limit, 1 / (1 - limit), out=stretch)
    np.clip(shift, -limit * CELLS / 2, limit * CELLS / 2, out=shift)


def _difference(a: Floats, b: Floats, inside: NDArray[np.bool_]) -> Floats:
    """Largest of the mean and the local difference, each over what may come of resampling and compression."""
    edges = np.zeros_like(a)
    for image in (a, b):
        for axis in (1, 2):
            np.maximum(edges, np.abs(np.gradient(image, axis=axis)), out=edges)
    error = np.abs(a - b) / (4 + 0.5 * edges) * inside[..., None]
    count = inside.sum((1, 2)).astype(np.float32)
    mean = error.sum((1, 2)).max(1) / count / 0.8
    local = np.stack([_soft(_soft(error[..., c], 1), 1) for c in range(3)], -1).max((1, 2, 3)) / 2.5
    return np.where(count > 0.6 * CELLS * CELLS, np.maximum(mean, local), np.inf).astype(np.float32)
