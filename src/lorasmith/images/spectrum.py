"""Low frequencies of small pictures: a DCT, as in perceptual hashes, but as numbers.

What a shift or a stretch changes in them is known, and mirroring changes the sign of the odd horizontal ones and nothing else.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Places = NDArray[np.intp]

SIDE = 24
"""Cells of a small picture's side."""

FREQUENCIES = 6
"""Frequencies i + j < 6 are kept: 21 in each of luma and two chromas."""


@cache
def kept_frequencies() -> tuple[Places, Places]:
    """Down and right, of the frequencies that are compared; the mean is the first."""
    down, right = np.meshgrid(range(FREQUENCIES), range(FREQUENCIES), indexing="ij")
    kept = down + right < FREQUENCIES
    return down[kept], right[kept]


@cache
def signs_in_a_mirror() -> Floats:
    """What a mirror image's spectrum is multiplied by (frequencies x 3)."""
    return np.repeat(1 - 2 * (kept_frequencies()[1] % 2), 3).astype(np.float32)


@cache
def cosines() -> Floats:
    """Rows are the cosines of the lowest frequencies over the cells, scaled so that a constant gives its value."""
    at = (np.arange(SIDE) + 0.5) / SIDE
    return np.stack([np.cos(np.pi * k * at) * (1 if k == 0 else np.sqrt(2)) / len(at) for k in range(FREQUENCIES)]).astype(np.float32)


def spectra(images: Floats, down: Floats | None = None, right: Floats | None = None) -> Floats:
    """n x 24 x 24 x 3 to n x (frequencies x 3); high ones count less. Other cosines down and right (6 x 24) are those of a part of it."""
    below, beside = kept_frequencies()
    weights = (1 / np.sqrt(1 + below**2 + beside**2)).astype(np.float32)
    along, across = cosines() if down is None else down, cosines() if right is None else right
    rows = (along @ images.reshape(len(images), SIDE, -1)).reshape(len(images), FREQUENCIES, SIDE, 3)
    return ((across @ rows)[:, below, beside] * weights[:, None]).reshape(len(images), -1)
