"""A ZIP as people have one: fifteen photographs and drawings, with everything wrong that such piles have. The pictures come with scikit-image."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image, ImageOps

PICTURES = 15
"""Those that can be opened."""


def write_pile(file: Path) -> Path:
    """Write the ZIP."""
    astronaut, cat, coffee, rocket = (_photograph(name) for name in ("astronaut", "chelsea", "coffee", "rocket"))
    hubble = _photograph("hubble_deep_field")
    lying = Image.Exif()
    lying[0x0112] = 6  # the camera was held upright
    clear = cat.copy()
    clear.putalpha(Image.linear_gradient("L").resize(cat.size))
    whole = _bytes(coffee, "JPEG")
    with zipfile.ZipFile(file, "w") as pile:
        for name, content in {
            "astronaut.png": _bytes(astronaut, "PNG"),
            "astronaut (1).png": _bytes(astronaut, "PNG"),
            "astronaut small.jpg": _bytes(astronaut.resize((256, 256)), "JPEG", quality=60),
            "IMG_2041.JPG": _bytes(cat.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=lying),
            "print/coffee cmyk.jpg": _bytes(coffee.convert("CMYK"), "JPEG"),
            "phone/rocket.jpg": _bytes(rocket, "MPO", save_all=True, append_images=[rocket.resize((320, 213))]),
            "cat clear.png": _bytes(clear, "PNG"),
            "logo.png": _bytes(Image.fromarray(skimage.data.logo()), "PNG"),
            "scan 16 bit.tif": _bytes(Image.fromarray(np.asarray(skimage.data.camera()).astype(np.uint16) * 257), "TIFF"),
            "coins.bmp": _bytes(_photograph("coins"), "BMP"),
            "星空.webp": _bytes(hubble.crop((0, 0, 600, 500)), "WEBP"),
            "with bars.jpg": _bytes(ImageOps.expand(coffee, (0, 90), "black"), "JPEG"),
            "horse.gif": _bytes(Image.fromarray(skimage.data.horse()).convert("P"), "GIF"),
            "moon.png": _bytes(_photograph("moon").convert("L"), "PNG"),
            "motion.png": _bytes(Image.fromarray(skimage.data.clock()).convert("RGB"), "PNG"),
            "broken.jpg": whole[: len(whole) // 2],
            "notes.png": b"This is a note and no picture.",
            "astronaut.txt": b"astronaut, woman, orange suit",
            "print/coffee cmyk.txt": "café crème, table".encode("cp1252"),
            "phone/rocket.txt": "rocket, night".encode("utf-16"),
            "nobody.txt": b"a caption without a picture",
            "__MACOSX/._astronaut.png": b"\0\5\26\7",
            ".DS_Store": b"\0\0\0\1Bud1",
            "Thumbs.db": b"\xd0\xcf\x11\xe0",
            "drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        }.items():
            pile.writestr(f"My holiday/{name}", content)
        pile.writestr("../outside.png", _bytes(cat, "PNG"))
    return file


def _photograph(name: str) -> Image.Image:
    return Image.fromarray(getattr(skimage.data, name)()).convert("RGB")


def _bytes(picture: Image.Image, form: str, **options: object) -> bytes:
    written = io.BytesIO()
    picture.save(written, form, **options)
    return written.getvalue()
