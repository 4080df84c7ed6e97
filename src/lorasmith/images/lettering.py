"""Watermarks and signatures: strokes that come back in the same corner of picture after picture.

One picture does not tell a signature from a twig, many do: what differs between pictures averages out, what they share stays (the idea of
Dekel et al. 2017, "On the Effectiveness of Visible Watermarks"). From each picture the fine strokes of its four corners are kept. The
strongest pattern that the prints of one corner have in common is their first singular vector; pictures whose print follows it share it.
Where several corners agree at once, it is the background that repeats, and no lettering.

Words on single pictures are read by rapidocr where it is installed (`pip install lorasmith[ocr]`), see `words_on`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np

CORNERS = ("top left", "top right", "bottom left", "bottom right")
PRINT = (20, 48)
"""Rows and columns of a corner's print."""
PRINT_BYTES = len(CORNERS) * PRINT[0] * PRINT[1]

CORNER = (0.14, 0.34)
"""Height and width of a corner, as shares of the square root of the picture's area."""

FEWEST = 4
"""Pictures that must share strokes before they are taken for lettering."""

AGREES = 0.5
"""Correlation with the common pattern from which a picture has it."""


def corner_prints(grey: np.ndarray) -> np.ndarray:
    """Fine strokes of the four corners of a view: int8, 4 x 20 x 48; dark on light and light on dark have opposite signs."""
    side = (grey.shape[0] * grey.shape[1]) ** 0.5
    height = max(2, min(round(CORNER[0] * side), grey.shape[0]))
    width = max(2, min(round(CORNER[1] * side), grey.shape[1]))
    out = np.zeros((len(CORNERS), *PRINT), np.int8)
    for place, corner in enumerate((grey[:height, :width], grey[:height, -width:], grey[-height:, :width], grey[-height:, -width:])):
        small = cv2.resize(corner, (PRINT[1], PRINT[0]), interpolation=cv2.INTER_AREA).astype(np.float32)
        fine = small - cv2.GaussianBlur(small, (0, 0), 2.0)
        out[place] = np.clip(np.round(fine), -64, 64).astype(np.int8)
    return out


def prints_from(data: bytes) -> np.ndarray:
    """What `corner_prints` gave, from its bytes."""
    return np.frombuffer(data, np.int8).reshape(len(CORNERS), *PRINT)


@dataclass(frozen=True)
class Repeated:
    """Strokes that several pictures share."""

    corner: str
    members: tuple[int, ...]
    """Places of the pictures in the list that was searched."""
    agreement: float
    """Mean correlation of their corners with the common pattern, 0-1."""


def repeated_strokes(prints: Sequence[np.ndarray]) -> Repeated | None:
    """The corner whose strokes most pictures share, if it is one corner alone; at least `FEWEST` pictures and a tenth of them."""
    if len(prints) < FEWEST:
        return None
    found = []
    for place, corner in enumerate(CORNERS):
        rows = np.stack([one[place] for one in prints]).reshape(len(prints), -1).astype(np.float32)
        strength = np.linalg.norm(rows, axis=1)
        rows = rows / np.maximum(strength, 1)[:, None] * (strength > 1.5 * rows.shape[1] ** 0.5)[:, None]  # flat corners have no strokes
        pattern = _common(rows)
        agreement = rows @ pattern
        members = np.flatnonzero(agreement > AGREES)
        if len(members) >= FEWEST:  # once more from those alone: the others blur it
            pattern = _common(rows[members])
            agreement = rows @ pattern
            members = np.flatnonzero(agreement > AGREES)
        if len(members) >= max(FEWEST, 0.1 * len(prints)) and _is_fine(pattern):
            found.append(Repeated(corner, tuple(members.tolist()), round(float(agreement[members].mean()), 3)))
    if not found or len(found) > 2:
        return None
    return max(found, key=lambda one: (len(one.members), one.agreement))


def _common(rows: np.ndarray) -> np.ndarray:
    """The direction that unit rows share most, of length 1, turned so that more rows follow it than oppose it; 0 where no row has one.

    It is the first right singular vector, found by way of the rows' products with each other: there are far fewer rows than pixels.
    """
    if len(rows) > 400:
        rows = rows[np.linspace(0, len(rows) - 1, 400).astype(int)]
    weights = np.linalg.eigh(rows @ rows.T)[1][:, -1]
    axis = weights @ rows
    axis /= max(np.linalg.norm(axis), np.finfo(np.float32).tiny)
    return axis if (rows @ axis).sum() >= 0 else -axis


def _is_fine(pattern: np.ndarray) -> bool:
    """Whether a pattern is made of many strokes, and not of one edge such as a horizon."""
    image = np.abs(pattern.reshape(PRINT))
    strong = image > 0.35 * image.max()
    columns = strong.any(0)
    changes = int((np.diff((pattern.reshape(PRINT) > 0).astype(np.int8), axis=1) != 0)[strong[:, 1:]].sum())
    return bool(columns.sum() >= 6 and changes >= 12)


# Words, by an extra


@cache
def _reader() -> Any:
    from rapidocr import RapidOCR

    return RapidOCR()


def can_read_words() -> bool:
    """Whether rapidocr is installed."""
    from importlib.util import find_spec

    return find_spec("rapidocr") is not None


def words_on(view: np.ndarray, confidence: float = 0.85) -> list[tuple[str, float]]:
    """Words of three letters and more on a view with the reader's confidence (0-1), those of at least `confidence`. Raises ImportError without rapidocr."""
    result = _reader()(np.ascontiguousarray(view[..., ::-1]))
    if result.txts is None:
        return []
    return [
        (text, float(score))
        for text, score in zip(result.txts, result.scores, strict=True)
        if score >= confidence and len(text.strip()) > 2
    ]
