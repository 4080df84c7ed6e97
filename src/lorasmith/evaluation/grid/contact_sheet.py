"""Many pictures on one sheet, to look at together."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image


def sheet(pictures: Sequence[Image.Image], columns: int, scale: int = 2) -> Image.Image:
    """Pictures of one size (square, RGB) in rows of `columns`, enlarged `scale` times without smoothing."""
    side = pictures[0].width
    rows = -(-len(pictures) // columns)
    out = Image.new("RGB", (columns * side, rows * side), (255, 255, 255))
    for k, picture in enumerate(pictures):
        out.paste(picture, (k % columns * side, k // columns * side))
    return out.resize((out.width * scale, out.height * scale), Image.Resampling.NEAREST)
