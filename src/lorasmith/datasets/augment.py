"""How a picture is changed from one repeat to the next: mirrored, cropped elsewhere, its colours moved a little.

Every change is a pure function of (seed, epoch, picture, repeat), so it does not depend on workers, processes or restarts. A picture goes
into its bucket in this order: it is resized to cover the bucket (never more, never less, whatever is drawn), cropped, its colours are
changed, and it is mirrored.

    flip          of every two samples of a picture, one after the other, one is mirrored: half of all, not about half
    random crop   what the resized picture has beyond its bucket is cut off at a place that is drawn, each place alike
    colour        in a third of the samples one of two: hue turned by up to 16 degrees either way, or a gamma from 0.95 to 1.05

The ranges of the colours are those of sd-scripts (`library/train_util.py: AugHelper`), which counts hue in steps of two degrees.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from lorasmith.datasets.buckets import Fit
from lorasmith.draws import rng_for

COLOUR_SHARE = 0.33
"""Share of the samples whose colours are changed."""
MOST_HUE = 16.0
"""Degrees of a circle by which hue is turned at most."""
GAMMAS = (0.95, 1.05)
"""Under 1 is brighter."""


@dataclass(frozen=True)
class ColourChange:
    """`hue` in degrees, `gamma` as an exponent; 0 and 1 change nothing."""

    hue: float = 0.0
    gamma: float = 1.0


def is_mirrored(seed: int, epoch: int, picture: int, repeat: int, repeats: int) -> bool:
    """Whether this sample is mirrored. `epoch` is from 1, `repeat` from 0; `repeats` is how many the picture has in each epoch."""
    number = (epoch - 1) * repeats + repeat
    first = rng_for("flip", seed, picture, number // 2).random() < 0.5
    return first if number % 2 == 0 else not first


def drawn_crop(fit: Fit, seed: int, epoch: int, picture: int, repeat: int) -> Fit:
    """The fit with its bucket at a drawn place in the resized picture."""
    rng = rng_for("crop", seed, epoch, picture, repeat)
    left = rng.randint(0, fit.resized[0] - fit.bucket[0])
    top = rng.randint(0, fit.resized[1] - fit.bucket[1])
    return replace(fit, crop=(left, top))


def drawn_colour(seed: int, epoch: int, picture: int, repeat: int) -> ColourChange | None:
    """What happens to the colours of this sample; None where they stay."""
    rng = rng_for("colour", seed, epoch, picture, repeat)
    if rng.random() >= COLOUR_SHARE:
        return None
    if rng.random() < 0.5:
        return ColourChange(hue=rng.uniform(-MOST_HUE, MOST_HUE))
    return ColourChange(gamma=rng.uniform(*GAMMAS))


def with_colours(pixels: np.ndarray, change: ColourChange) -> np.ndarray:
    """Pixels (height, width, 3) RGB of 0-255 with the change, as float32 of the same range."""
    unit: np.ndarray = pixels.astype(np.float32) / 255
    if change.hue:
        hsv = cv2.cvtColor(unit, cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0] + change.hue) % 360
        unit = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    if change.gamma != 1:
        unit = unit**change.gamma
    return unit * 255


def crop_seen(fit: Fit, mirrored: bool) -> tuple[int, int]:
    """(left, top) of the bucket in the resized picture as the model sees it: of a mirrored one, in the mirrored picture."""
    left, top = fit.crop
    return (fit.resized[0] - fit.bucket[0] - left, top) if mirrored else (left, top)
