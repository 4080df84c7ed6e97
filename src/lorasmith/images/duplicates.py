"""Near duplicates: the same picture again - mirrored, compressed, resized or cropped a little.

A usual perceptual hash (the signs of a few low frequencies) dies of a crop, which shifts every frequency's phase, and calls all
drawings with the same backdrop one picture. So a `Signature` keeps a small picture of 48 x 48 cells, and three sieves look at pairs:

1. Low frequencies of the small picture (a DCT, as in perceptual hashes, but as numbers). Mirroring changes the sign of the odd
   horizontal ones and nothing else, so that with even part e and odd part o the distance to the nearer of a picture and its mirror
   image is |a|² + |b|² - 2 (e·e' + |o·o'|): two matrix products give it for all pairs at once.
2. For pairs that may pass: the same distance less what a small crop could explain. A crop moves the frequencies along four
   directions (a shift and a stretch on each axis), which are known for each picture; what remains is no crop. What passes is looked at
   once more with higher frequencies: of pictures of one scene, those tell most apart.
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
Places = NDArray[np.intp]

CELLS = 48
"""Side of the small picture in a signature."""

MOST_CROPPED = 0.13
"""Share of a side that may have been cropped away from a copy."""

FREQUENCIES = 4
"""Frequencies i + j < 4 are compared in the first two sieves: 10 in each of luma and two chromas."""

FINE_FREQUENCIES = 6
"""And i + j < 6, 21 in each, for what has passed those."""

FIRST_SIEVE = 1.0
SECOND_SIEVE = 0.1
FINE_SIEVE = 0.09
"""Largest distances that pass, as shares of the contrast. Of 171 copies of photographs and scenes (flip, JPEG 40-95, resize 0.3-2x, crop
to 90 %) the furthest lay at 0.29, 0.036 and 0.059."""

UNCLEAR = 0.1
"""Where the odd frequencies agree or disagree by less than this share of the contrast, both ways round are tried."""

ALLOWED = 1.8
"""Largest difference of two small pictures laid over one another at which they are called the same; see `_difference`."""


@dataclass(frozen=True, eq=False)
class Signature:
    """What is kept of a picture to find it again."""

    luma: NDArray[np.uint8]
    """Brightness, 48 x 48 cells, 0-255; the whole picture squeezed into a square."""
    chroma: NDArray[np.uint8]
    """Blue and red difference (Cb, Cr), 24 x 24 x 2, 0-255."""

    def to_bytes(self) -> bytes:
        """3,456 bytes, for a cache."""
        return self.luma.tobytes() + self.chroma.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Signature:
        numbers = np.frombuffer(data, np.uint8)
        return cls(numbers[: CELLS**2].reshape(CELLS, CELLS), numbers[CELLS**2 :].reshape(CELLS // 2, CELLS // 2, 2))


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
    name: str = ""
    """Of its file; among equals the shortest is kept: `cat.png` rather than `cat (copy).png`."""


def signature(picture: Image.Image) -> Signature:
    """The signature of a picture in any mode and of any size."""
    small = picture.convert("RGB").resize((CELLS, CELLS), Image.Resampling.BICUBIC).convert("YCbCr")
    pixels = np.asarray(small, dtype=np.uint8)
    quarter = pixels[..., 1:].reshape(CELLS // 2, 2, CELLS // 2, 2, 2).astype(np.uint16).sum((1, 3))
    return Signature(pixels[..., 0].copy(), ((quarter + 2) // 4).astype(np.uint8))


def signature_of_pixels(pixels: NDArray[np.uint8]) -> Signature:
    """The same of an array of height x width x 3 in sRGB."""
    return signature(Image.fromarray(pixels))


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
    """The place of the copy to keep: the most pixels, then the least compression, the most bytes, the shortest name, the first.

    Copies whose areas are within 2 % of the largest count as equally large: a few rows more do not outweigh compression.
    """
    assert copies, "there is no best of none"
    largest = max(copy.size[0] * copy.size[1] for copy in copies)

    def order(place: int) -> tuple[float, float, int, int, str, int]:
        copy = copies[place]
        area = copy.size[0] * copy.size[1]
        return (-largest if area >= 0.98 * largest else -area, -copy.quality, -copy.file_bytes, len(copy.name), copy.name, place)

    return min(range(len(copies)), key=order)


def near_duplicate_pairs(signatures: Sequence[Signature]) -> list[Pair]:
    """All pairs that pass the three sieves, in order of their places."""
    if len(signatures) < 2:
        return []
    even, odd, moves = _frequencies(signatures, FREQUENCIES)
    fine_even, fine_odd, fine_moves = _frequencies(signatures, FINE_FREQUENCIES)
    contrast, fine_contrast = _contrast(even, odd), _contrast(fine_even, fine_odd)
    found: list[Pair] = []
    for one, other in _portions(_alike(even, odd)):
        turning = (odd[one] * odd[other]).sum(1) / (contrast[one] * contrast[other])
        nearest: dict[tuple[int, int], Pair] = {}
        ways: tuple[tuple[Relation, NDArray[np.bool_]], ...] = (("same", turning > -UNCLEAR), ("mirrored", turning < UNCLEAR))
        for relation, likely in ways:
            a, b = one[likely], other[likely]
            mirrored = relation == "mirrored"
            passed = _uncropped_distance(even, odd, contrast, moves, a, b, mirrored) < SECOND_SIEVE
            a, b = a[passed], b[passed]
            passed = _uncropped_distance(fine_even, fine_odd, fine_contrast, fine_moves, a, b, mirrored) < FINE_SIEVE
            for pair in _compared(signatures, a[passed], b[passed], relation):
                place = (pair.first, pair.second)
                if place not in nearest or pair.difference < nearest[place].difference:
                    nearest[place] = pair
        found += nearest.values()
    return sorted(found, key=lambda pair: (pair.first, pair.second))


def _compared(signatures: Sequence[Signature], ones: Places, others: Places, relation: Relation) -> Iterator[Pair]:
    """The pairs that pass the third sieve."""
    for start in range(0, len(ones), 512):
        part = slice(start, start + 512)
        differences = laid_over([signatures[i] for i in ones[part]], [signatures[i] for i in others[part]], relation == "mirrored")
        for i, j, difference in zip(ones[part], others[part], differences, strict=True):
            if difference <= 1:
                yield Pair(int(min(i, j)), int(max(i, j)), relation, round(float(difference), 4))


# The first two sieves: low frequencies


@cache
def _dct(side: int, frequencies: int) -> Floats:
    """Rows are the cosines of the lowest frequencies over the cells, scaled so that a constant gives its value."""
    at = (np.arange(side) + 0.5) / side
    return np.stack([np.cos(np.pi * k * at) * (1 if k == 0 else np.sqrt(2)) / side for k in range(frequencies)]).astype(np.float32)


def _frequencies(signatures: Sequence[Signature], frequencies: int) -> tuple[Floats, Floats, Floats]:
    """Even (n, E) and odd (n, O) frequencies of each small picture, and (n, 4, E + O): how moves change them, orthonormal."""
    down, right = np.meshgrid(range(frequencies), range(frequencies), indexing="ij")
    kept = (down + right) < frequencies
    weights = (1 / np.sqrt(1 + down**2 + right**2)).astype(np.float32)
    order = np.concatenate([np.flatnonzero(kept & (right % 2 == 0)), np.flatnonzero(kept & (right % 2 == 1))])
    evens = int((kept & (right % 2 == 0)).sum())
    dct = _dct(CELLS // 2, frequencies)
    at = np.linspace(-1, 1, CELLS // 2, dtype=np.float32)
    x, y = at[None, None, :, None], at[None, :, None, None]

    def transformed(images: Floats) -> Floats:
        """(n, 24, 24, 3) to (n, frequencies, 3), the even ones first."""
        n = len(images)
        rows = dct @ images.reshape(n, CELLS // 2, -1)
        spectrum = dct @ rows.reshape(n, frequencies, CELLS // 2, 3)
        return (spectrum * weights[..., None]).reshape(n, -1, 3)[:, order]

    flat, moves = [], []
    for start in range(0, len(signatures), 512):
        part = signatures[start : start + 512]
        luma = _halved(np.stack([one.luma for one in part]).astype(np.float32))
        images = np.concatenate([luma[..., None], np.stack([one.chroma for one in part])], -1, dtype=np.float32) - 128
        across, along = np.gradient(images, axis=2), np.gradient(images, axis=1)
        steps = np.stack([transformed(move) for move in (across, across * x, along, along * y)], 1)
        flat.append(transformed(images))
        moves.append(_orthonormal(steps.reshape(len(part), 4, -1)))
    spectrum, basis = np.concatenate(flat), np.concatenate(moves)
    even, odd = spectrum[:, :evens].reshape(len(basis), -1), spectrum[:, evens:].reshape(len(basis), -1)
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


def _alike(even: Floats, odd: Floats) -> Iterator[tuple[Places, Places]]:
    """Places of pairs within `FIRST_SIEVE` of one another or of the other's mirror image, in portions.

    With pictures in order of brightness, whole blocks of pairs are too far apart to be looked at.
    """
    order = np.argsort(even[:, 0], kind="stable")
    even, odd, contrast = even[order] - even.mean(0), odd[order], _contrast(even, odd)[order]
    half = ((even**2).sum(1) + (odd**2).sum(1)) / 2
    allowed = np.sqrt(np.float32(FIRST_SIEVE / 2)) * contrast
    # left . right + |odd . odd| > 0 says: half the squared distance is under half the sieve times both contrasts
    left = np.column_stack([even, allowed, -half, np.ones_like(half)])
    right = np.ascontiguousarray(np.column_stack([even, allowed, np.ones_like(half), -half]).T)
    odd_right = np.ascontiguousarray(odd.T)
    rows, columns = 256, 1024
    for top in range(0, len(order), rows):
        one = slice(top, top + rows)
        for first in range(top, len(order), columns):
            other = slice(first, first + columns)
            reach = np.sqrt(FIRST_SIEVE * contrast[one].max() * contrast[other].max())
            if even[first, 0] - even[one, 0][-1] > reach:
                continue
            near = odd[one] @ odd_right[:, other]
            np.abs(near, out=near)
            near += left[one] @ right[:, other]
            a, b = np.nonzero(near > 0)
            ahead = a + top < b + first
            if ahead.any():
                yield order[a[ahead] + top], order[b[ahead] + first]


def _portions(pairs: Iterator[tuple[Places, Places]], enough: int = 65536) -> Iterator[tuple[Places, Places]]:
    """The same pairs, gathered into portions that are worth a numpy call."""
    ones: list[Places] = []
    others: list[Places] = []
    for one, other in pairs:
        ones.append(one)
        others.append(other)
        if sum(map(len, ones)) >= enough:
            yield np.concatenate(ones), np.concatenate(others)
            ones, others = [], []
    if ones:
        yield np.concatenate(ones), np.concatenate(others)


def _uncropped_distance(even: Floats, odd: Floats, contrast: Floats, moves: Floats, one: Places, other: Places, mirrored: bool) -> Floats:
    """Distance of each pair as a share of its contrast, less what moving one of the two explains, whichever explains more."""
    turn = np.float32(-1 if mirrored else 1)
    to_even, to_odd = even[other] - even[one], turn * odd[other] - odd[one]
    explained = ((moves[one] @ np.concatenate([to_even, to_odd], 1)[..., None]) ** 2).sum((1, 2))
    explained = np.maximum(explained, ((moves[other] @ np.concatenate([to_even, turn * to_odd], 1)[..., None]) ** 2).sum((1, 2)))
    return ((to_even**2).sum(1) + (to_odd**2).sum(1) - explained) / (contrast[one] * contrast[other])


# The third sieve: laid over one another


def laid_over(ones: Sequence[Signature], others: Sequence[Signature], mirrored: bool) -> Floats:
    """How far each pair of small pictures differs once the one is moved over the other, in allowed errors.

    First in cells of four times the size, then of twice, then of one; what is hopeless at one size is not looked at in the next.
    """
    luma_a, luma_b, chroma_a, chroma_b = _small_pictures(ones, others, mirrored)
    sizes = [(luma_a, luma_b)]
    for _ in range(2):
        sizes.insert(0, (_halved(sizes[0][0]), _halved(sizes[0][1])))
    out = np.full(len(luma_a), np.inf, np.float32)
    left = np.arange(len(luma_a))
    stretch, shift = _best_start(_soft(sizes[0][0], 1), _soft(sizes[0][1], 1))
    for (a, b), rounds, hopeful in zip(sizes, (6, 4, 2), (8.0, 3.5, 1.0), strict=True):
        a, b = a[left], b[left]
        soft_a, soft_b = _soft(a, 1), _soft(b, 1)
        for _ in range(rounds):
            _improve(soft_a, soft_b, stretch, shift)
        moved, inside = _moved(a, stretch, shift)
        difference = _difference(moved[..., None], b[..., None], inside) / ALLOWED
        kept = difference <= hopeful
        left, stretch, shift, difference = left[kept], stretch[kept], shift[kept], difference[kept]
        if not len(left):
            return out
    chromas, inside = _moved(chroma_a[left], stretch, shift)
    out[left] = np.maximum(difference, _difference(chromas, chroma_b[left], inside) / ALLOWED)
    return out


def _small_pictures(ones: Sequence[Signature], others: Sequence[Signature], mirrored: bool) -> tuple[Floats, ...]:
    """Luma of the ones and of the others, chroma of both; mirrored others turned back."""
    way = slice(None, None, -1 if mirrored else 1)
    return (
        np.stack([one.luma for one in ones]).astype(np.float32),
        np.stack([other.luma[:, way] for other in others]).astype(np.float32),
        np.stack([one.chroma for one in ones]).astype(np.float32),
        np.stack([other.chroma[:, way] for other in others]).astype(np.float32),
    )


def _halved(images: Floats) -> Floats:
    return (images[:, ::2, ::2] + images[:, 1::2, ::2] + images[:, ::2, 1::2] + images[:, 1::2, 1::2]) / np.float32(4)


def _soft(images: Floats, rounds: int) -> Floats:
    """Blurred along axes 1 and 2 by [1 2 1] / 4, `rounds` times; the border counts twice."""
    for _ in range(rounds):
        down = 2 * images
        down[:, 1:] += images[:, :-1]
        down[:, :-1] += images[:, 1:]
        down[:, 0] += images[:, 0]
        down[:, -1] += images[:, -1]
        images = 2 * down
        images[:, :, 1:] += down[:, :, :-1]
        images[:, :, :-1] += down[:, :, 1:]
        images[:, :, 0] += down[:, :, 0]
        images[:, :, -1] += down[:, :, -1]
        images *= np.float32(1 / 16)
    return images


def _weights(stretch: Floats, shift: Floats, side: int) -> tuple[Floats, NDArray[np.bool_]]:
    """(n, side, side): from which cells each cell of a moved row is mixed; and (n, side): which lie inside the picture."""
    at = (np.arange(side, dtype=np.float32) + 0.5) / side - 0.5
    place = (stretch[:, None] * at + shift[:, None] + 0.5) * side - 0.5
    hats = np.maximum(0, 1 - np.abs(np.clip(place, 0, side - 1)[..., None] - np.arange(side, dtype=np.float32)))
    return hats.astype(np.float32, copy=False), (place > -0.51) & (place < side - 0.49)


def _moved(images: Floats, stretch: Floats, shift: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Each image (n, side, side) or (n, side, side, channels) seen through its crop, and which cells of that lie inside it."""
    side = images.shape[1]
    down, inside_y = _weights(stretch[:, 1], shift[:, 1], side)
    right, inside_x = _weights(stretch[:, 0], shift[:, 0], side)
    inside = inside_y[:, :, None] & inside_x[:, None, :]
    right = np.ascontiguousarray(right.transpose(0, 2, 1))
    if images.ndim == 3:
        return (down @ images @ right).astype(np.float32, copy=False), inside
    moved: Floats = np.stack([down @ images[..., c] @ right for c in range(images.shape[-1])], -1)
    return moved, inside


def _best_start(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Of no crop and crops of a tenth at nine places, in either direction, the one that fits best: stretch and shift (n, 2)."""
    places = [(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1)]
    starts = [(1.0, 0.0, 0.0), *((0.92, 0.04 * x, 0.04 * y) for x, y in places), *((1 / 0.92, 0.043 * x, 0.043 * y) for x, y in places)]
    best = np.full(len(a), np.inf, np.float32)
    stretch, shift = np.ones((len(a), 2), np.float32), np.zeros((len(a), 2), np.float32)
    for scale, x, y in starts:
        trial = np.full((1, 2), scale, np.float32), np.array([[x, y]], np.float32)
        down, inside_y = _weights(trial[0][:, 1], trial[1][:, 1], a.shape[1])
        right, inside_x = _weights(trial[0][:, 0], trial[1][:, 0], a.shape[1])
        inside = inside_y[:, :, None] & inside_x[:, None, :]
        gap = (down[0] @ a @ right[0].T - b) * inside
        error = np.einsum("nyx,nyx->n", gap, gap) / inside.sum()
        better = error < best * (0.98 if scale != 1 else 1)
        best[better], stretch[better], shift[better] = error[better], trial[0], trial[1]
    return stretch, shift


def _improve(a: Floats, b: Floats, stretch: Floats, shift: Floats) -> None:
    """One Gauss-Newton step on stretch and shift (n, 2; x then y; shares of the side), in place."""
    side = a.shape[1]
    moved, inside = _moved(a, stretch, shift)
    at = ((np.arange(side, dtype=np.float32) + 0.5) / side - 0.5) * side
    across, along = np.gradient(moved, axis=2), np.gradient(moved, axis=1)
    across, along = across * inside, along * inside
    columns = np.stack([across * at, across * side, along * at[:, None], along * side], 1).reshape(len(a), 4, -1)
    gap = (b - moved).reshape(len(a), -1, 1)
    square = columns @ columns.transpose(0, 2, 1)
    square += np.eye(4, dtype=np.float32) * (1e-3 * np.trace(square, axis1=1, axis2=2)[:, None, None] + 1.0)
    step = np.linalg.solve(square, columns @ gap)[..., 0]
    stretch += step[:, [0, 2]]
    shift += step[:, [1, 3]]
    np.clip(stretch, 1 - MOST_CROPPED, 1 / (1 - MOST_CROPPED), out=stretch)
    np.clip(shift, -MOST_CROPPED / 1.7, MOST_CROPPED / 1.7, out=shift)


def _difference(a: Floats, b: Floats, inside: NDArray[np.bool_]) -> Floats:
    """The hundredth of the cells that differ most, on average, over what resampling and compression may do there."""
    a, b = _soft(a, 2), _soft(b, 2)
    edges = np.zeros_like(a)
    for image in (a, b):
        for axis in (1, 2):
            np.maximum(edges, np.abs(np.gradient(image, axis=axis)), out=edges)
    error = _soft(np.abs(a - b) / (4 + edges / 4) * inside[..., None], 3)
    worst = max(1, error.shape[1] ** 2 // 100)
    top = -np.partition(-error.reshape(len(a), -1, a.shape[-1]), worst - 1, axis=1)[:, :worst]
    return np.where(inside.mean((1, 2)) > 0.6, top.mean(1).max(1), np.inf).astype(np.float32)
