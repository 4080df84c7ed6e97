"""Paint a region over from what is around it: a watermark, a signature, a speech bubble.

OpenCV's two methods carry colours and edges on from the region's rim. Thin strokes and small marks on even ground disappear; in a large
region nothing is known but its rim, and it becomes a smear. See docs/guide/images.md.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Literal

import cv2
import numpy as np
from PIL import Image, ImageDraw

from lorasmith.errors import DatasetError
from lorasmith.images.crop import Box

Point = tuple[int, int]
"""x, y in pixels."""

Method = Literal["telea", "ns"]

METHODS: Mapping[Method, str] = {"telea": "INPAINT_TELEA", "ns": "INPAINT_NS"}
"""OpenCV's names: telea (2004) weighs what is known around each pixel, from the rim inwards; ns (Bertalmio et al. 2001) carries lines on."""

RADIUS = 5
"""Pixels around each one that its colour is made from."""


def region_of(
    size: tuple[int, int], boxes: Sequence[Box] = (), polygons: Sequence[Sequence[Point]] = (), painted: bytes = b""
) -> Image.Image:
    """Where boxes, polygons and the white of a painted PNG are in a picture of (width, height): mode L, 255 there and 0 elsewhere.

    Raises:
        DatasetError: the painted picture cannot be read, or has another size.
    """
    region = Image.new("L", size)
    draw = ImageDraw.Draw(region)
    for left, top, right, bottom in boxes:
        draw.rectangle((left, top, right - 1, bottom - 1), fill=255)
    for polygon in polygons:
        draw.polygon(polygon, fill=255)
    if painted:
        region.paste(255, mask=_painted(painted, size))
    return region


def _painted(png: bytes, size: tuple[int, int]) -> Image.Image:
    """The white of a painted PNG, on black or on a clear ground: mode 1."""
    try:
        with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
            found = image.size
            if found == size:
                clear = image.convert("LA")
                return Image.composite(clear.getchannel("L"), Image.new("L", size), clear.getchannel("A")).point(
                    lambda grey: grey >= 128, "1"
                )
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DatasetError("The painted region is not a PNG that can be read: save it again.", code="mend.painted_unreadable") from error
    raise DatasetError(
        f"The painted region is {found[0]} x {found[1]} pixels and the picture {size[0]} x {size[1]}: paint it at the picture's own size.",
        code="mend.painted_size",
    )


def inpainted(pixels: np.ndarray, region: np.ndarray, method: Method) -> np.ndarray:
    """The pixels (height x width x 3, uint8) with the region (height x width, not 0 there) painted over."""
    painted_over: np.ndarray = cv2.inpaint(pixels, region, RADIUS, getattr(cv2, METHODS[method]))
    return painted_over
