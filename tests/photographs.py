"""A pile of pictures as people have them: four photographs, their odd variants, and files that are no pictures.

`make_pile(folder)` writes it, and any test takes what it needs. The photographs come with scikit-image and need no download.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

CAPTIONS = {
    "astronaut": "astronaut, woman, orange suit, flag, smiling",
    "chelsea": "cat, ginger fur, close-up",
    "coffee": "A cup of coffee on a wooden table, seen from above.",
    "rocket": "rocket, launch pad, night\nA rocket stands ready in the floodlights.",
}
"""What is said about the four sound photographs; the variants have no captions."""

UNREADABLE = ("truncated", "text")
"""Names in the pile that cannot be read at all."""

TOO_SMALL = ("sliver", "dot")
"""Names in the pile that can be read, but are too thin to train on."""


def photograph(name: str) -> Image.Image:
    """`astronaut` (512 x 512 pixels), `chelsea` (a cat, 451 x 300), `coffee` (600 x 400) or `rocket` (640 x 427), in RGB."""
    return Image.fromarray(getattr(skimage.data, name)())


def make_pile(folder: Path) -> dict[str, Path]:
    """Write the pile into `folder` (made if need be) and give each file's path by its name without ending."""
    folder.mkdir(parents=True, exist_ok=True)
    cat = photograph("chelsea")
    pile = {
        "astronaut": folder / "astronaut.png",
        "chelsea": folder / "chelsea.jpg",
        "coffee": folder / "coffee.webp",
        "rocket": folder / "rocket.jpeg",
        "rotated": folder / "rotated.jpg",
        "cmyk": folder / "cmyk.jpg",
        "deep_grey": folder / "deep_grey.png",
        "deep_colour": folder / "deep_colour.png",
        "palette": folder / "palette.png",
        "alpha": folder / "alpha.png",
        "sliver": folder / "sliver.png",
        "dot": folder / "dot.png",
        "truncated": folder / "truncated.jpg",
        "text": folder / "text.png",
    }
    for name, caption in CAPTIONS.items():
        photograph(name).save(pile[name], quality=90)
        pile[name].with_suffix(".txt").write_text(caption + "\n", encoding="utf-8")

    lying = Image.Exif()
    lying[0x0112] = 6  # the camera was held upright: turn by 90 degrees clockwise to see it so
    cat.transpose(Image.Transpose.ROTATE_90).save(pile["rotated"], exif=lying, quality=90)
    cat.convert("CMYK").save(pile["cmyk"], quality=90)
    deep = np.asarray(cat).astype(np.uint16) * 257
    Image.fromarray(deep[..., 1]).save(pile["deep_grey"])
    pile["deep_colour"].write_bytes(png_of_16_bit_colours(deep))
    cat.quantize(64).save(pile["palette"])
    clear = cat.copy()
    clear.putalpha(Image.linear_gradient("L").resize(cat.size))  # from clear at the top to opaque
    clear.save(pile["alpha"])
    Image.new("RGB", (3, 4000), "teal").save(pile["sliver"])
    Image.new("RGB", (1, 1), "teal").save(pile["dot"])
    whole = pile["chelsea"].read_bytes()
    pile["truncated"].write_bytes(whole[: len(whole) // 2])
    pile["text"].write_text("This is a note and no picture.\n", encoding="utf-8")
    return pile


def png_of_16_bit_colours(pixels: np.ndarray) -> bytes:
    """A PNG file of height x width x 3 numbers of 16 bits, which Pillow cannot write."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """One chunk of a PNG file with its length and checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
