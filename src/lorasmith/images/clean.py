"""Take fine noise away, such as protections against training leave on a picture.

Pure functions on pixels: height x width x 3, uint8.
"""

from __future__ import annotations

import cv2
import numpy as np


def clean_by_filters(pixels: np.ndarray) -> np.ndarray:
    """Without fine low-contrast patterns, edges kept: many light bilateral passes, then guided by their result.

    The recipe is that of lllyasviel's AdverseCleaner (2023): 64 bilateral passes (5 pixels, 8 steps of 255 apart), then 4 passes of a
    guided filter (radius 4, epsilon 16). It takes fine texture with it, and a strong pattern may survive: look at the result.
    """
    smooth: np.ndarray = pixels.astype(np.float32)
    for _ in range(64):
        smooth = cv2.bilateralFilter(smooth, 5, 8, 8)
    clean = pixels.astype(np.float32)
    for _ in range(4):
        clean = guided_filter(clean, smooth, radius=4, epsilon=16)
    return clean.clip(0, 255).round().astype(np.uint8)


def clean_by_scaling(pixels: np.ndarray, to: float = 0.5) -> np.ndarray:
    """Down to the share `to` of each side by averaging, and up again with Lanczos: what was finer is gone, detail too."""
    height, width = pixels.shape[:2]
    small = cv2.resize(pixels, (max(1, round(width * to)), max(1, round(height * to))), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LANCZOS4)


def guided_filter(guide: np.ndarray, source: np.ndarray, radius: int, epsilon: float) -> np.ndarray:
    """`source` smoothed along the edges of `guide` (He et al. 2010, "Guided Image Filtering", with a colour guide, eq. 18-20).

    Both float32, height x width x 3, 0-255; `radius` in pixels, `epsilon` in squared steps of 255.
    """
    side = (2 * radius + 1, 2 * radius + 1)

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.blur(values, side)

    mean_guide, mean_source = mean(guide), mean(source)
    covariance = np.empty((*guide.shape[:2], 3, 3), np.float32)
    cross = np.empty((*guide.shape[:2], 3, 3), np.float32)
    for i in range(3):
        for j in range(3):
            covariance[..., i, j] = mean(guide[..., i] * guide[..., j]) - mean_guide[..., i] * mean_guide[..., j]
            cross[..., i, j] = mean(guide[..., i] * source[..., j]) - mean_guide[..., i] * mean_source[..., j]
    slope = np.linalg.solve(covariance + epsilon * np.eye(3, dtype=np.float32), cross)
    offset = mean_source - np.einsum("hwi,hwij->hwj", mean_guide, slope)
    slope = np.stack([mean(np.ascontiguousarray(slope[:, :, i])) for i in range(3)], 2)
    return np.einsum("hwi,hwij->hwj", guide, slope) + mean(offset)
