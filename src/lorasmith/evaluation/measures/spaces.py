"""Pictures as points in plain spaces, in which they are near to one another or far apart.

    features    the base's own activations, mean and spread of each channel of its blocks, scaled over reference pictures
    latents     the picture in the autoencoder's latents, as it is
    layout      RGB averaged to 8 x 8 cells: where there is which colour
    encoder     a vision model or a tagger, where the user names one

The first three need no downloaded model, and none is right alone: features see what is drawn but are thrown far off by a broken LoRA, latents and
layout see the same picture again, and colours. Where several are asked, the least convinced one counts, or the mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

FEATURES, LATENTS, LAYOUT, ENCODER = "features", "latents", "layout", "encoder"

Points = np.ndarray
"""Pictures in a space, float64 (pictures, dimensions)."""

Views = Mapping[str, Points]
"""The same pictures in each space, by its name."""

CELLS = 8
"""Of the layout, on a side."""


def layout(pictures: Sequence[Image.Image]) -> Points:
    """RGB (0-1) averaged over 8 x 8 cells."""
    small = [np.asarray(picture.convert("RGB").resize((CELLS, CELLS), Image.Resampling.BOX), np.float64) / 255 for picture in pictures]
    return normalised(np.stack(small))


def normalised(values: np.ndarray) -> Points:
    """(n, ...) as points whose distances do not grow with their number of dimensions."""
    flat = values.reshape(len(values), -1).astype(np.float64)
    return flat / np.sqrt(flat.shape[1])


def scaled(values: np.ndarray, reference: np.ndarray) -> Points:
    """Features (n, d) in units of their spread over the reference pictures (m, d), as points; those that never vary are 0."""
    mean, spread = reference.mean(0), reference.std(0)
    return normalised(np.where(spread > 0, (values - mean) / np.where(spread > 0, spread, 1), 0))


def distances(a: Points, b: Points) -> np.ndarray:
    """From each of `a` to each of `b`, (n, m)."""
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    return np.sqrt(np.maximum(squares, 0))


def between(points: Points) -> np.ndarray:
    """Of each point, its mean distance to the others, (n,); there are two or more."""
    return distances(points, points).sum(1) / (len(points) - 1)
