"""Made pictures as files, and at other sizes."""

from __future__ import annotations

import io

from PIL import Image


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def png(picture: Image.Image) -> bytes:
    return encoded(picture, "PNG", compress_level=1)


def jpeg(picture: Image.Image, quality: int) -> bytes:
    return encoded(picture, "JPEG", quality=quality)


def again(data: bytes) -> bytes:
    return png(Image.open(io.BytesIO(data)))


def scaled(picture: Image.Image, factor: float) -> Image.Image:
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def to_area(picture: Image.Image, side: float) -> Image.Image:
    return scaled(picture, side / (picture.width * picture.height) ** 0.5)
