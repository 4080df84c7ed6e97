"""Aspect buckets: pictures of like shape train together, at about the same area, with little cropped away.

The list of buckets and the choice follow sd-scripts (`library/model_util.py: make_bucket_resolutions`,
`library/train_util.py: BucketManager`), so that a dataset falls into the same buckets as there; reference numbers in
tests/datasets/test_buckets.py. All sizes are (width, height) in pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lorasmith.datasets.settings import BucketSettings
from lorasmith.errors import SettingsError

Size = tuple[int, int]


@dataclass(frozen=True)
class Fit:
    """How a picture gets into its bucket: resized to cover it, then cropped about the middle.

    `resized` is the size after scaling; `crop` = (left, top) of the bucket inside it.
    """

    bucket: Size
    resized: Size
    crop: tuple[int, int]

    @property
    def lost(self) -> float:
        """Share of the picture that is cropped away, 0-1."""
        return 1 - (self.bucket[0] * self.bucket[1]) / (self.resized[0] * self.resized[1])


def bucket_sizes(settings: BucketSettings) -> list[Size]:
    """All buckets, sorted: at most the area of the resolution, sides from min to max in steps."""
    step, area = settings.bucket_reso_steps, math.prod(settings.size)
    shortest = settings.min_bucket_reso // step * step
    longest = math.ceil(settings.max_bucket_reso / step) * step
    if not settings.enable_bucket:
        return [settings.size]
    square = int(math.sqrt(area) // step) * step
    sizes = {(square, square)} if square else set()
    for width in range(max(shortest, step), longest + 1, step):
        height = min(longest, (area // width) // step * step)
        if height >= max(shortest, step):
            sizes |= {(width, height), (height, width)}
    if not sizes:
        raise SettingsError(
            f"buckets.resolution {settings.size[0]} x {settings.size[1]} holds no bucket with sides in steps of {step} pixels; "
            f"raise the resolution or lower buckets.bucket_reso_steps"
        )
    return sorted(sizes)


def fit(size: Size, settings: BucketSettings, sizes: list[Size], name: str = "A picture") -> Fit:
    """The bucket of a picture of `size`, and the way into it; `sizes` is `bucket_sizes(settings)`, `name` what the picture is called.

    An exact match wins, else the nearest aspect, the first of equals. Raises SettingsError where it is too small and must not be enlarged.
    """
    if settings.bucket_no_upscale and settings.enable_bucket:
        return _fit_without_upscale(size, settings, name)
    width, height = size
    bucket = size if size in sizes else min(sizes, key=lambda b: abs(b[0] / b[1] - width / height))
    return _cover(size, bucket)


def _cover(size: Size, bucket: Size) -> Fit:
    width, height = size
    scale = bucket[1] / height if width / height > bucket[0] / bucket[1] else bucket[0] / width
    resized = (max(bucket[0], int(width * scale + 0.5)), max(bucket[1], int(height * scale + 0.5)))
    return Fit(bucket, resized, ((resized[0] - bucket[0]) // 2, (resized[1] - bucket[1]) // 2))


def _fit_without_upscale(size: Size, settings: BucketSettings, name: str) -> Fit:
    """A picture larger than the area is scaled down to it; then each side is cut down to a multiple of the step."""
    width, height = size
    step, area = settings.bucket_reso_steps, math.prod(settings.size)
    resized = size
    if width * height > area:
        aspect = width / height
        exact_w = math.sqrt(area * aspect)
        exact_h = area / exact_w
        by_width = _floor_to(round(exact_w), step), 0
        by_height = _floor_to(round(exact_h), step), 0
        w1 = by_width[0]
        h1 = int(w1 / aspect + 0.5) if w1 else 0
        h2 = by_height[0]
        w2 = int(h2 * aspect + 0.5) if h2 else 0
        error_1 = abs(w1 / _floor_to(h1, step) - aspect) if _floor_to(h1, step) else math.inf
        error_2 = abs(_floor_to(w2, step) / h2 - aspect) if h2 else math.inf
        resized = (w1, h1) if error_1 < error_2 else (w2, h2)
    bucket = (_floor_to(resized[0], step), _floor_to(resized[1], step))
    if 0 in bucket:
        raise SettingsError(
            f"{name} is {width} x {height} pixels, smaller than one bucket step ({step} pixels), and buckets.bucket_no_upscale forbids enlarging "
            "it. Turn that off, or leave the picture out.",
            setting="buckets.bucket_no_upscale",
        )
    return Fit(bucket, resized, ((resized[0] - bucket[0]) // 2, (resized[1] - bucket[1]) // 2))


def _floor_to(value: int, step: int) -> int:
    return value // step * step
