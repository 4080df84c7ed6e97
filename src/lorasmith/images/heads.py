"""Where heads are in a picture, so that no crop cuts one: faces seen from the front, by scikit-image's cascade of local binary patterns.

The cascade (Liao et al. 2007, trained by OpenCV's authors) comes with scikit-image, an extra. It misses turned, small and drawn faces,
and sees some where none are, so it may only widen a crop, never choose one.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np

from lorasmith.images.crop import Box

LOOKED_AT = 400
"""Pixels of the longer side at which faces are looked for."""

SMALLEST_FACE = 30
"""Pixels of that."""


def heads_in(pixels: np.ndarray) -> list[Box]:
    """Boxes about heads with their hair, in pixels; none where scikit-image is not installed."""
    cascade = _cascade()
    if cascade is None:
        return []
    height, width = pixels.shape[:2]
    scale = min(1.0, LOOKED_AT / max(height, width))
    small = cv2.resize(pixels, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA)
    if min(small.shape[:2]) <= SMALLEST_FACE:
        return []
    faces = cascade.detect_multi_scale(
        img=small, scale_factor=1.2, step_ratio=1, min_size=(SMALLEST_FACE, SMALLEST_FACE), max_size=(min(small.shape[:2]),) * 2
    )
    return [_head(face["c"] / scale, face["r"] / scale, face["width"] / scale, width, height) for face in faces]


def _head(left: float, top: float, face: float, width: int, height: int) -> Box:
    """The head about a face, which reaches from the brows to the mouth: hair above it and beside it, the chin below."""
    return (
        max(0, round(left - 0.5 * face)), max(0, round(top - 0.8 * face)),
        min(width, round(left + 1.5 * face)), min(height, round(top + 1.5 * face)),
    )  # fmt: skip


@cache
def _cascade() -> Any:
    """The opened cascade; None where there is no scikit-image."""
    try:
        from skimage.data import lbp_frontal_face_cascade_filename
        from skimage.feature import Cascade
    except ImportError:
        return None
    return Cascade(lbp_frontal_face_cascade_filename())
