"""A picture as it travels inside a page: small, encoded, with a text for those who cannot see it."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

from PIL import Image

PIXEL_ART = 128
"""Pixels: pictures whose longest side is no longer are enlarged without blur."""


@dataclass(frozen=True)
class Picture:
    """An encoded picture; `width` and `height` in pixels."""

    data: bytes = field(repr=False)
    format: str
    """`png` or `jpeg`."""
    width: int
    height: int
    alt: str
    pixelated: bool = False

    @classmethod
    def of(cls, image: Image.Image, alt: str, longest: int, format: str = "png") -> Picture:
        """`image` (RGB), made smaller where its longest side has more than `longest` pixels."""
        small = image.copy()
        small.thumbnail((longest, longest), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        small.save(file, format, optimize=True, quality=85)
        return cls(file.getvalue(), format, *small.size, alt, pixelated=max(image.size) <= PIXEL_ART)
