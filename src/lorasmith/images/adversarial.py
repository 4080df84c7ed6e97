"""A score for noise as Glaze, Nightshade and the like leave it: heuristic, and no proof either way.

Such tools move each pixel a little, so that an encoder sees something else than a person. What they leave can be seen where a picture
should be even: a faint pattern of a few pixels' width, all over, and of another shape in each colour channel. Cameras leave noise, too,
but most of it is brightness, and what is left of its colour is small after the camera's own smoothing; JPEG leaves colour in blocks of 8
or 16. So the score rests on colour between 1 and 4 pixels wide, in the evenest parts of the picture. A strong film grain in colour scores
as high; a perturbation that hides in brightness or in textures is not seen.

Such noise is everywhere: where a good part of a picture is exactly even (`signs.Light.flat`), as in drawings and pixel art, there is none.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from lorasmith.images.channels import share_of_channels

TILE = 32
"""Pixels."""

LOST_IN_WHITE = 0.84
"""By how much the spread of noise falls for each share of channels that are at the end of the scale: a normal distribution of which one
half is cut off has 0.58 of its spread."""


def noise_strength(patches: Sequence[np.ndarray]) -> float:
    """Spread of fine colour noise in the evenest tiles of patches at the picture's own scale, in steps of 255.

    Below 1 for clean drawings, 1 to 2 for photographs; noise of strength 7 in each channel gives about 4.
    """
    tiles: list[float] = []
    for patch in patches:
        if min(patch.shape[:2]) < TILE:
            continue
        colours = cv2.cvtColor(patch, cv2.COLOR_RGB2YCrCb).astype(np.float32)
        fine = cv2.GaussianBlur(colours, (0, 0), 0.7) - cv2.GaussianBlur(colours, (0, 0), 2.5)
        power = cv2.boxFilter(fine * fine, -1, (TILE, TILE), borderType=cv2.BORDER_REFLECT)
        ends = cv2.boxFilter(share_of_channels((patch == 0) | (patch == 255)), -1, (TILE, TILE), borderType=cv2.BORDER_REFLECT)
        middle, ended = (image[TILE // 2 :: TILE, TILE // 2 :: TILE] for image in (power, ends))
        # the weaker of the two colours: a coloured texture has one, noise has both
        spread = np.sqrt(np.maximum(np.minimum(middle[..., 1], middle[..., 2]), 0))  # running sums can end below 0
        tiles.extend((spread / (1 - LOST_IN_WHITE * np.minimum(ended, 0.5))).ravel().tolist())
    return round(float(np.quantile(tiles, 0.15)), 3) if tiles else 0.0


def score(strength: float) -> int:
    """0-100: how much a picture's noise looks like a protection against training; 50 at a strength of 1.8."""
    return round(100 / (1 + np.exp(-(strength - 1.8) * 4)))
