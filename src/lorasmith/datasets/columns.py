"""What order, plan and records need of each picture of a set, as one array for each fact: 37 bytes a picture, and no object."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

from lorasmith.datasets.buckets import Fit, Size

Name = TypeVar("Name", bound=Hashable)


class Kind(NamedTuple):
    """Pictures of one kind may share a batch."""

    bucket: Size
    resolution: Size | None
    batch_size: int | None
    """Their dataset's own; None where that has none."""


@dataclass(frozen=True, eq=False)
class Columns:
    """One entry for each picture, in order. `kind`: int32, an index into `kinds`; `repeats`: int64; `is_reg`: bool; `declared`: int64,
    repeats before balancing; `lost`: float64, share that is cropped away; `aspect_error`: float64, of the bucket's width / height."""

    kinds: tuple[Kind, ...]
    kind: np.ndarray
    repeats: np.ndarray
    declared: np.ndarray
    is_reg: np.ndarray
    lost: np.ndarray
    aspect_error: np.ndarray

    @classmethod
    def of(cls, rows: Iterable[tuple[Kind, int, int, bool, Fit, Size]]) -> Columns:
        """Those of (kind, repeats, repeats before balancing, whether it is for regularisation, fit, size)."""
        listed = list(rows)
        kinds, kind = _numbered([row[0] for row in listed])
        errors = [_aspect_error(fit, size) for *_, fit, size in listed]
        return cls(
            kinds, kind, np.array([row[1] for row in listed], np.int64), np.array([row[2] for row in listed], np.int64),
            np.array([row[3] for row in listed], bool), np.array([row[4].lost for row in listed], np.float64), np.array(errors, np.float64),
        )  # fmt: skip

    @classmethod
    def of_sizes(
        cls, widths: np.ndarray, heights: np.ndarray, repeats: np.ndarray, is_reg: bool, fit: Callable[[Size], Fit],
        resolution: Size | None, batch_size: int | None,
    ) -> Columns:  # fmt: skip
        """Those of the pictures of one dataset; `fit` is asked once for each size that there is."""
        sizes, which = np.unique(widths.astype(np.int64) << 32 | heights, return_inverse=True)
        pairs = [(int(size) >> 32, int(size) & 0xFFFFFFFF) for size in sizes]
        fits = [fit(pair) for pair in pairs]
        kinds, kind_of_size = _numbered([Kind(one.bucket, resolution, batch_size) for one in fits])
        lost = np.array([one.lost for one in fits], np.float64)
        errors = np.array([_aspect_error(one, pair) for one, pair in zip(fits, pairs, strict=True)], np.float64)
        own = repeats.astype(np.int64)
        return cls(kinds, kind_of_size[which], own, own, np.full(len(own), is_reg), lost[which], errors[which])

    @classmethod
    def joined(cls, parts: Sequence[Columns]) -> Columns:
        """Those of several parts, one after the other."""
        kinds, number = _numbered([kind for part in parts for kind in part.kinds])
        starts = np.cumsum([0, *(len(part.kinds) for part in parts)])
        kind = [number[start : start + len(part.kinds)][part.kind] for start, part in zip(starts, parts, strict=False)]
        names = ("repeats", "declared", "is_reg", "lost", "aspect_error")
        return cls(kinds, _cat(kind), *(_cat([getattr(part, name) for part in parts]) for name in names))

    def members(self, belongs: Callable[[Kind], Name]) -> dict[Name, np.ndarray]:
        """What `belongs` says of kinds -> the indices of their pictures (int64), by their first picture."""
        names, number = _numbered([belongs(kind) for kind in self.kinds])
        of = number[self.kind] if len(self.kind) else self.kind
        found = {name: np.flatnonzero(of == place) for place, name in enumerate(names)}
        return dict(sorted(found.items(), key=lambda item: item[1][0]))


def _cat(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if len(parts) != 1 else parts[0]


def _numbered(values: Sequence[Name]) -> tuple[tuple[Name, ...], np.ndarray]:
    """The different values, and for each which it is (int32)."""
    places = {value: place for place, value in enumerate(dict.fromkeys(values))}
    return tuple(places), np.array([places[value] for value in values], np.int32)


def _aspect_error(fit: Fit, size: Size) -> float:
    return abs(fit.bucket[0] / fit.bucket[1] - size[0] / size[1])
