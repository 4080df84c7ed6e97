"""JPEG XL: the size of a picture from its first bytes, and its pixels by imagecodecs (`pip install lorasmith[jxl]`).

imagecodecs decodes without asking how large the result will be, so the header is read here first: ISO/IEC 18181-1, `SizeHeader` and
the beginning of `ImageMetadata`; 18181-2 for the boxes that may hold a codestream.
"""

from __future__ import annotations

import struct

import numpy as np
from PIL import Image

from lorasmith.errors import DatasetError

CODESTREAM = b"\xff\x0a"
CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"

RATIOS = (None, (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
"""Width to height, as the header abbreviates it."""


def is_jxl(start: bytes) -> bool:
    """Whether a file that begins so is JPEG XL."""
    return start.startswith((CODESTREAM, CONTAINER))


def jxl_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels, upright, from a file's bytes (the first kilobyte is plenty). Raises ValueError if they are not there."""
    bits = _Bits(_codestream(data)[2:])
    small = bits.take(1)

    def side() -> int:
        return (bits.take(5) + 1) * 8 if small else bits.take((9, 13, 18, 30)[bits.take(2)]) + 1

    height = side()
    ratio = RATIOS[bits.take(3)]
    width = height * ratio[0] // ratio[1] if ratio else side()
    orientation = 1
    if not bits.take(1) and bits.take(1):  # not all as usual, and more fields follow
        orientation = bits.take(3) + 1
    return (height, width) if orientation > 4 else (width, height)


def jxl_picture(data: bytes) -> Image.Image:
    """The first frame, upright, in L, LA, RGB or RGBA; deeper channels are brought to 8 bits.

    Raises:
        ImportError: imagecodecs is not installed.
        DatasetError: the pixels are floating-point numbers.
        Exception: what the decoder raises on damaged bytes.
    """
    import imagecodecs

    pixels = np.asarray(imagecodecs.jpegxl_decode(data))
    if pixels.ndim == 4 or (pixels.ndim == 3 and pixels.shape[-1] > 4):
        pixels = pixels[0]
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    if pixels.dtype != np.uint8:
        raise DatasetError("it stores numbers without saying which is white: save it as a PNG of 8 or 16 bits")
    return Image.fromarray(pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels)


def _codestream(data: bytes) -> bytes:
    if data.startswith(CODESTREAM):
        return data
    place = 0
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        head = 8
        if length == 1 and place + 16 <= len(data):
            length, head = struct.unpack_from(">Q", data, place + 8)[0], 16
        if kind in (b"jxlc", b"jxlp"):
            return data[place + head + (4 if kind == b"jxlp" else 0) :]
        if length < head:
            break
        place += length
    raise ValueError("no codestream")


class _Bits:
    """Bits from the lowest of the first byte on."""

    def __init__(self, data: bytes):
        self.value, self.left = int.from_bytes(data[:64], "little"), 8 * min(len(data), 64)

    def take(self, count: int) -> int:
        if count > self.left:
            raise ValueError("the header breaks off")
        taken = self.value & ((1 << count) - 1)
        self.value >>= count
        self.left -= count
        return taken
