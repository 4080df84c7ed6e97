"""Signs that only a whole set shows: too alike, too few, too many, from one source.

What all pictures share without anybody naming it is what a LoRA bakes in. Alikeness is read from the signatures of the pictures: their
outer ring shows the background, their middle for the arrangement of light and dark, which follows pose, angle and distance.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

import cv2
import numpy as np

from lorasmith.images.duplicates import CELLS, Signature

LoraKind = Literal["character", "style", "concept"]
"""What the LoRA is to be of."""

RANGES: dict[LoraKind, tuple[int, int, int, int]] = {
    "character": (8, 15, 50, 100),
    "style": (20, 30, 300, 1000),
    "concept": (15, 30, 100, 300),
}
"""Kind -> numbers of pictures: fewer hardly work; recommended from, to; more are a waste. The guides differ, and these are their outer bounds."""

MOST_COMPARED = 2000
"""Pictures of a set that are compared for alikeness; of a larger set, as many at even distances."""

ALIKE_SHARE = 0.35
"""Share of a set that must have one background or arrangement before that is a finding."""

SAME_RING = 8.0
"""Root mean square difference of two backgrounds, in steps of 255, under which they are one."""

SAME_MIDDLE = 0.9
"""Correlation of two middles over which they show one arrangement."""


@dataclass(frozen=True)
class Cluster:
    """Pictures that are alike in one respect."""

    members: tuple[int, ...]
    """Places in the list that was searched."""
    share: float
    """Of the pictures that were compared, 0-1."""


def one_background(signatures: Sequence[Signature]) -> Cluster | None:
    """The largest group of pictures whose outer rings are alike, if it is a good part of the set."""
    inside = slice(CELLS // 12, -CELLS // 12)
    ring = np.ones((CELLS // 2, CELLS // 2), bool)
    ring[inside, inside] = False
    ring[-CELLS // 12 :] = False  # the ground below a figure belongs to the figure as often as not

    def vector(one: Signature) -> np.ndarray:
        luma = cv2.resize(one.luma, (CELLS // 2, CELLS // 2), interpolation=cv2.INTER_AREA)
        return np.concatenate([luma[ring], one.chroma[ring].ravel()]).astype(np.float32)

    places, rows = _sampled(signatures, vector)
    if not len(rows):
        return None
    squares = (rows**2).sum(1)
    distance = np.sqrt(np.maximum(squares[:, None] + squares - 2 * rows @ rows.T, 0) / rows.shape[1])
    return _largest(distance < SAME_RING, places)


def one_arrangement(signatures: Sequence[Signature]) -> Cluster | None:
    """The largest group of pictures whose middles are alike in light and dark, if it is a good part of the set."""
    inside = slice(CELLS // 8, -CELLS // 8)

    def vector(one: Signature) -> np.ndarray:
        middle = cv2.resize(one.luma[inside, inside], (12, 12), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
        middle -= middle.mean()
        return middle / max(float(np.linalg.norm(middle)), 12.0)

    places, rows = _sampled(signatures, vector)
    return _largest(rows @ rows.T > SAME_MIDDLE, places) if len(rows) else None


def _sampled(signatures: Sequence[Signature], vector: Callable[[Signature], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    places = (
        np.unique(np.linspace(0, len(signatures) - 1, min(len(signatures), MOST_COMPARED)).astype(int)) if signatures else np.empty(0, int)
    )
    return places, np.stack([vector(signatures[i]) for i in places]) if len(places) else np.empty((0, 1), np.float32)


def _largest(alike: np.ndarray, places: np.ndarray) -> Cluster | None:
    """The picture with most pictures like it, with those: no chains, in which the ends have nothing in common."""
    counts = alike.sum(1)
    centre = int(counts.argmax())
    members = np.flatnonzero(alike[centre])
    share = len(members) / len(places)
    if len(members) < 5 or share < ALIKE_SHARE:
        return None
    return Cluster(tuple(places[members].tolist()), round(share, 3))


@dataclass(frozen=True)
class Source:
    """Where most pictures come from, as far as their names say."""

    name: str
    members: tuple[int, ...]
    share: float


def main_source(names: Sequence[str | PurePath]) -> Source | None:
    """The folder or beginning of the name that most pictures share, if others come from elsewhere; `names` are paths below
    the dataset.

    `3_anna` and the like are names of concepts and no sources. It takes ten pictures to judge.
    """
    if len(names) < 10:
        return None
    paths = [PurePath(name) for name in names]
    for source_of in (_folder, _beginning):
        sources = [source_of(path) for path in paths]
        known = Counter(source for source in sources if source)
        if not known:
            continue
        name, count = known.most_common(1)[0]
        share = count / len(paths)
        if 0.6 <= share < 1 and len(paths) - count >= 2:
            return Source(name, tuple(i for i, one in enumerate(sources) if one == name), round(share, 3))
    return None


def _folder(path: PurePath) -> str:
    parts = [part for part in path.parent.parts if not re.match(r"\d{1,3}_", part)]
    return "/".join(parts)


def _beginning(path: PurePath) -> str:
    """`artist_0012.png` begins with `artist`; a name that is one word, or none, begins with nothing."""
    match = re.match(r"([^\W\d_][^\d]*?)[\s_\-.()#]*\d", path.stem)
    return match[1].strip(" _-.").lower() if match else ""


def too_few(count: int, kind: LoraKind) -> float | None:
    """How sure it is that a LoRA of this kind needs more pictures than `count`; None where they are enough."""
    hardly, least, _, _ = RANGES[kind]
    return None if count >= least else 0.95 if count < hardly else 0.6


def too_many(count: int, kind: LoraKind) -> float | None:
    """How sure it is that `count` pictures are more than a LoRA of this kind needs; None where they are not."""
    _, _, most, waste = RANGES[kind]
    return None if count <= most else 0.8 if count > waste else 0.5
