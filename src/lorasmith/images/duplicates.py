"""Near duplicates: the same picture again - mirrored, compressed, resized or cropped a little.

A usual perceptual hash (the signs of a few low frequencies) dies of a crop, which shifts every frequency's phase, and calls all
drawings with the same backdrop one picture. So a `Signature` keeps a small picture of 48 x 48 cells, and three sieves look at pairs:

1. Between which values each place of a picture is after any small crop, as bits (`bounds`): that leaves few of all pairs. Of a very large
   set not all pairs are looked at, but those with a hash in common (`bands`).
2. Low frequencies of the small picture (a DCT, as in perceptual hashes, but as numbers): the distance of two pictures less what a small
   crop could explain. A crop moves the frequencies along four directions (a shift and a stretch on each axis), which are known for each
   picture; what remains is not a crop. On the way of a large crop over hard edges they turn: where those of neither picture explain
   enough, those halfway between the two are tried. Mirroring changes the sign of the odd horizontal ones and nothing else.
3. The small pictures are laid over one another (Gauss-Newton on shift and stretch) and compared cell by cell. Differences
   count less where edges are, as resampling moves those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image

from lorasmith.images import bands
from lorasmith.images.bounds import Bounds, are_within, bounds_of, joined, possible_pairs
from lorasmith.images.spectrum import kept_frequencies, signs_in_a_mirror, spectra

Relation = Literal["same", "mirrored"]

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Places = NDArray[np.intp]

CELLS = 48
"""Side of the small picture in a signature."""

MOST_CROPPED = 0.13
"""Share of a side that may have been cropped away from a copy."""

SIEVE = 0.12
"""Largest distance that passes it, as a share of the contrast. Of 1,286 copies of photographs and scenes (flip, JPEG 40-95, resize 0.3-2x,
crop to 90 %) 0.9 % are further, crops of even textures."""

ALLOWED = 1.8
"""Largest difference of two small pictures laid over one another at which they are called the same; see `_difference`."""

STAGES = ((0, 6, 3.0), (1, 4, 3.0), (2, 2, 1.0))
"""Of laying over: at which size, how many rounds, and the largest difference after them that may still become small. Of 10,600 pairs of
copies the furthest differed by 2.2 and 2.6 after the first and the second."""

AT_ONCE = 512
"""Pictures whose pixels are held at once, and pairs that are laid over one another."""

ALL_PAIRS = 50_000**2 // 2
"""Up to so many pairs all are compared, in about ten seconds; of more those with a hash in common, in n log n."""

MANY = 64
"""Pictures in a group from which on no more pairs are looked for inside it: thousand frames of one shot have half a million."""


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
    """0: the same; 1: just alike enough to be called the same."""


@dataclass(frozen=True)
class Group:
    """Pictures that are all copies of one; a copy of a copy belongs to it, too."""

    indices: tuple[int, ...]
    """Ascending."""
    pairs: tuple[Pair, ...]
    """The pairs that were found alike, in order; they connect all of the group."""
    turned: frozenset[int]
    """Those that are mirrored as seen from the first."""

    @property
    def mirrored(self) -> frozenset[int]:
        """Those that are the other way round than most: they were mirrored, not the rest. None where as many are either way round."""
        others = frozenset(self.indices) - self.turned
        return frozenset() if len(self.turned) == len(others) else min(self.turned, others, key=len)

    def relation(self, one: int, other: int) -> Relation:
        """Whether the two pictures are the same way round, by the most certain pairs that connect them."""
        return "same" if (one in self.turned) == (other in self.turned) else "mirrored"


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
    """Groups of two or more pictures that show the same, by their first picture; a picture without a copy is in none."""
    return grouped(len(signatures), near_duplicate_pairs(signatures))


def grouped(count: int, pairs: Sequence[Pair]) -> list[Group]:
    """The groups that `count` pictures form when each pair belongs together."""
    leader = list(range(count))
    mirrored = [False] * count
    """Whether each picture is, as seen from its leader."""

    def find(index: int) -> tuple[int, bool]:
        way = []
        while leader[index] != index:
            way.append(index)
            index = leader[index]
        turned = False
        for passed in reversed(way):  # the nearest to the leader first: each follows from the one before it
            turned = mirrored[passed] = mirrored[passed] != turned
            leader[passed] = index
        return index, turned

    for pair in sorted(pairs, key=lambda pair: pair.difference):
        (one, one_turned), (other, other_turned) = find(pair.first), find(pair.second)
        if one != other:
            leader[other], mirrored[other] = one, (one_turned != other_turned) != (pair.relation == "mirrored")
    inside: dict[int, list[Pair]] = {}
    for pair in pairs:
        inside.setdefault(find(pair.first)[0], []).append(pair)
    groups = []
    for known in inside.values():
        indices = tuple(sorted({index for pair in known for index in (pair.first, pair.second)}))
        first = find(indices[0])[1]
        groups.append(Group(indices, tuple(known), frozenset(index for index in indices if find(index)[1] != first)))
    return sorted(groups, key=lambda group: group.indices)


def near_duplicate_pairs(signatures: Sequence[Signature], known: Sequence[Pair] = (), compared: int = 0) -> list[Pair]:
    """The pairs that pass the three sieves, in order of their places.

    All of them, but for large groups (`MANY`) and very many pictures (`ALL_PAIRS`): of large groups enough to connect them, of very many
    pictures nearly all (`bands`). The first `compared` pictures were compared with each other before: `known` are the pairs that were
    found, and only the pictures behind them are compared, with each other and with all.
    """
    count = len(signatures)
    found = {(pair.first, pair.second): pair for pair in known}
    if count < 2 or compared == count:
        return [found[place] for place in sorted(found)]
    spectra_of, connected = _Spectra(signatures), _Connected(count)
    for pair in known:
        connected.join(pair.first, pair.second)
    brightness = np.array([one.luma.sum(dtype=int) for one in signatures])
    bounds = joined([bounds_of(_soft(images, 2)) for images in _halves(signatures)])
    if (count**2 - compared**2) // 2 <= ALL_PAIRS:
        candidates = possible_pairs(bounds, connected.closely, compared)
    else:
        places, equal = _different(signatures)
        for pair in equal:
            if pair.second >= compared:
                found.setdefault((pair.first, pair.second), pair)
                connected.join(pair.first, pair.second)
        candidates = _likely_pairs(signatures, bounds, places, connected.closely, compared)
    for one, other, turned in candidates:
        swapped = brightness[one] > brightness[other]  # which of the two is moved over the other may not hang on their places
        one, other = np.where(swapped, other, one), np.where(swapped, one, other)
        passed = np.flatnonzero(spectra_of.uncropped_distance(one, other, turned) < SIEVE)
        for start in range(0, len(passed), AT_ONCE):
            part = passed[start : start + AT_ONCE]
            part = part[~connected.closely(one[part], other[part])]
            for pair in _compared(signatures, one[part], other[part], "mirrored" if turned else "same"):
                place = (pair.first, pair.second)
                if place not in found or pair.difference < found[place].difference:
                    found[place] = pair
                connected.join(*place)
    return [found[place] for place in sorted(found)]


def _different(signatures: Sequence[Signature]) -> tuple[Places, list[Pair]]:
    """The places of the first of each signature, ascending, and the pairs of each other place with the first of its signature."""
    first: dict[bytes, int] = {}
    equal = []
    for place, one in enumerate(signatures):
        earlier = first.setdefault(blake2b(one.to_bytes(), digest_size=16).digest(), place)
        if earlier != place:
            equal.append(Pair(earlier, place, "same", 0.0))
    return np.fromiter(first.values(), np.intp, len(first)), equal


def _likely_pairs(
    signatures: Sequence[Signature], bounds: Bounds, places: Places, closely: Callable[[Places, Places], NDArray[np.bool_]], compared: int
) -> Iterator[tuple[Places, Places, bool]]:
    """Pairs among these places that have a hash in common and are within one another's bounds; like `possible_pairs`."""
    views = bands.joined([bands.views_of(images) for images in _halves([signatures[place] for place in places])])

    def settled(one: Places, other: Places) -> NDArray[np.bool_]:
        return closely(places[one], places[other])

    for one, other, turned in bands.likely_pairs(views, settled, int(np.searchsorted(places, compared))):
        one, other = places[one], places[other]
        inside = are_within(bounds, one, other, turned)
        if inside.any():
            yield one[inside], other[inside], turned


class _Connected:
    """Which pictures are known to be of one group, while pairs are still looked for."""

    def __init__(self, count: int) -> None:
        self.group = np.arange(count)
        self.members = [[place] for place in range(count)]
        self.many = np.zeros(count, bool)

    def join(self, one: int, other: int) -> None:
        kept, gone = self.group[one], self.group[other]
        if kept == gone:
            return
        if len(self.members[kept]) < len(self.members[gone]):
            kept, gone = gone, kept
        self.group[self.members[gone]] = kept
        self.members[kept] += self.members[gone]
        self.members[gone] = []
        self.many[kept] = len(self.members[kept]) > MANY

    def closely(self, one: Places, other: Places) -> NDArray[np.bool_]:
        """Which pairs are in one large group already."""
        group = self.group[one]
        return (group == self.group[other]) & self.many[group]


def _compared(signatures: Sequence[Signature], ones: Places, others: Places, relation: Relation) -> Iterator[Pair]:
    """The pairs that pass the third sieve."""
    if not len(ones):
        return
    differences = laid_over([signatures[i] for i in ones], [signatures[i] for i in others], relation == "mirrored")
    for i, j, difference in zip(ones, others, differences, strict=True):
        if difference <= 1:
            yield Pair(int(min(i, j)), int(max(i, j)), relation, round(float(difference), 4))


def _halves(signatures: Sequence[Signature]) -> Iterator[Floats]:
    """The small pictures at half their side, n x 24 x 24 x 3 (luma and two chromas, 0-255), `AT_ONCE` at a time."""
    for start in range(0, len(signatures), AT_ONCE):
        part = signatures[start : start + AT_ONCE]
        luma = _halved(np.stack([one.luma for one in part]).astype(np.float32))
        yield np.concatenate([luma[..., None], np.stack([one.chroma for one in part])], -1, dtype=np.float32)


# The second sieve: low frequencies


class _Spectra:
    """Low frequencies of the pictures, and how a crop would change them; of each when it is first asked for."""

    def __init__(self, signatures: Sequence[Signature]) -> None:
        size = 3 * len(kept_frequencies()[0])
        self._signatures = signatures
        self._known = np.zeros(len(signatures), bool)
        self._values = np.empty((len(signatures), size), np.float32)
        self._moves = np.empty((len(signatures), 4, size), np.float32)
        self._directions = np.empty_like(self._moves)
        self._contrast = np.empty(len(signatures), np.float32)

    def uncropped_distance(self, one: Places, other: Places, turned: bool) -> Floats:
        """Squared distance of each pair as a share of its contrast, less what a crop explains: along the directions of one of the two,
        whichever explains more, and where that is nearly enough for the sieve along those halfway."""
        self._learn(np.unique(np.concatenate([one, other])))
        sign = signs_in_a_mirror() if turned else np.float32(1)
        apart = sign * self._values[other] - self._values[one]
        explained = _along(self._directions[one], apart)
        explained = np.maximum(explained, _along(self._directions[other], sign * apart))
        square, contrast = (apart**2).sum(1), self._contrast[one] * self._contrast[other]
        distance: Floats = (square - explained) / contrast
        near = np.flatnonzero((distance >= SIEVE) & (distance < 2 * SIEVE))
        if len(near):
            turning = _moves_in_a_mirror() if turned else np.float32(1)
            halfway = _orthonormal(self._moves[one[near]] + turning * sign * self._moves[other[near]])
            distance[near] = (square[near] - _along(halfway, apart[near])) / contrast[near]
        return distance

    def _learn(self, places: Places) -> None:
        new = places[~self._known[places]]
        at = np.linspace(-1, 1, CELLS // 2, dtype=np.float32)
        x, y = at[None, None, :, None], at[None, :, None, None]
        for number, images in enumerate(_halves([self._signatures[place] for place in new])):
            part = new[number * AT_ONCE : (number + 1) * AT_ONCE]
            across, along = np.gradient(images, axis=2), np.gradient(images, axis=1)
            moves = np.stack([spectra(move) for move in (across, across * x, along, along * y)], 1)
            values = spectra(images - 128)
            self._moves[part], self._directions[part] = moves, _orthonormal(moves)
            self._values[part] = values
            self._contrast[part] = np.sqrt((values[:, 3:] ** 2).sum(1) + 4.0)  # without the mean colour; a little, so that nothing is 0
        self._known[new] = True


@cache
def _moves_in_a_mirror() -> Floats:
    """A shift to the right is one to the left there; a stretch stays, and so does all that goes down."""
    return np.array([-1, 1, 1, 1], np.float32)[:, None]


def _along(directions: Floats, apart: Floats) -> Floats:
    """Squared length (n) of what of each difference (n, D) is along its directions (n, 4, D), which are at right angles."""
    length: Floats = ((directions @ apart[..., None]) ** 2).sum((1, 2))
    return length


def _orthonormal(rows: Floats) -> Floats:
    """(n, 4, D): rows of length 1 at right angles that span the same; rows that add nothing become 0."""
    out = rows.copy()
    for i in range(out.shape[1]):
        for j in range(i):
            out[:, i] -= (out[:, i] * out[:, j]).sum(1, keepdims=True) * out[:, j]
        length = np.linalg.norm(out[:, i], axis=1, keepdims=True)
        out[:, i] = np.where(length > 1e-3, out[:, i] / np.maximum(length, 1e-3), 0)
    return out


# The third sieve: laid over one another


def laid_over(ones: Sequence[Signature], others: Sequence[Signature], mirrored: bool) -> Floats:
    """How far each pair of small pictures differs once the one is moved over the other, in allowed errors.

    First in cells of four times the size, then of twice, then of one; what is hopeless at one stage is not looked at in the next.
    """
    luma_a, luma_b, chroma_a, chroma_b = _small_pictures(ones, others, mirrored)
    sizes = [(luma_a, luma_b)]
    for _ in range(2):
        sizes.insert(0, (_halved(sizes[0][0]), _halved(sizes[0][1])))
    out = np.full(len(luma_a), np.inf, np.float32)
    left = np.arange(len(luma_a))
    stretch, shift = _best_start(_soft(sizes[0][0], 1), _soft(sizes[0][1], 1))
    for size, rounds, hopeful in STAGES:
        a, b = sizes[size][0][left], sizes[size][1][left]
        soft_a, soft_b = _soft(a, 1), _soft(b, 1)
        for _ in range(rounds):
            _improve(soft_a, soft_b, stretch, shift)
        moved, inside = _moved(a, stretch, shift)
        difference = _difference(moved[..., None], b[..., None], inside, faint=True) / ALLOWED
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
    """(n, side, side): from which cells each cell of a moved row is mixed; and (n, side): which are inside the picture."""
    at = (np.arange(side, dtype=np.float32) + 0.5) / side - 0.5
    place = (stretch[:, None] * at + shift[:, None] + 0.5) * side - 0.5
    hats = np.maximum(0, 1 - np.abs(np.clip(place, 0, side - 1)[..., None] - np.arange(side, dtype=np.float32)))
    return hats.astype(np.float32, copy=False), (place > -0.51) & (place < side - 0.49)


def _moved(images: Floats, stretch: Floats, shift: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Each image (n, side, side) or (n, side, side, channels) seen through its crop, and which cells of that are inside it."""
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


def _difference(a: Floats, b: Floats, inside: NDArray[np.bool_], faint: bool = False) -> Floats:
    """The hundredth of the cells that differ most, on average, over what resampling and compression may do there.

    Where `faint` (of luma), pictures with little contrast may differ by less: seen so small, brickwork and the moon are both an even grey.
    """
    a, b = _soft(a, 2), _soft(b, 2)
    edges = np.zeros_like(a)
    for image in (a, b):
        for axis in (1, 2):
            np.maximum(edges, np.abs(np.gradient(image, axis=axis)), out=edges)
    contrast = np.minimum(a.std((1, 2), keepdims=True), b.std((1, 2), keepdims=True))
    usual = np.clip(contrast / 2, 1.5, 4) if faint else np.float32(4)
    error = _soft(np.abs(a - b) / (usual + edges / 4) * inside[..., None], 3)
    worst = max(1, error.shape[1] ** 2 // 100)
    top = -np.partition(-error.reshape(len(a), -1, a.shape[-1]), worst - 1, axis=1)[:, :worst]
    return np.where(inside.mean((1, 2)) > 0.6, top.mean(1).max(1), np.inf).astype(np.float32)
