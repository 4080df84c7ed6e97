"""What scenes are drawn on: a canvas of 64 x 64 units, larger than the picture, and the colours of the demo world."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

RGB = tuple[int, int, int]
UNITS = 64
OVERSAMPLING = 3

PALETTE: dict[str, RGB] = {
    "red": (218, 45, 45), "orange": (245, 140, 25), "yellow": (252, 218, 50), "green": (60, 165, 60),
    "blue": (50, 105, 225), "purple": (135, 60, 185), "pink": (252, 150, 195), "white": (246, 246, 246),
    "black": (48, 48, 54), "teal": (20, 165, 160), "brown": (135, 85, 45), "silver": (165, 170, 180),
    "lime": (165, 225, 40), "gold": (205, 160, 40), "maroon": (125, 25, 60),
}  # fmt: skip
INK: RGB = (24, 22, 28)


class Canvas:
    """A drawing in units instead of pixels; shapes get an ink outline where `outline` (units) is not 0."""

    def __init__(self, image: Image.Image, k: float, outline: float = 0.0, origin: tuple[float, float] = (0.0, 0.0), zoom: float = 1.0):
        self.image, self.k, self.outline, self.origin, self.zoom = image, k, outline, origin, zoom
        self.draw = ImageDraw.Draw(image)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Units to pixels; the zoom is about the middle of the ground."""
        zx, zy = 32 + (x - 32) * self.zoom + self.origin[0], 60 + (y - 60) * self.zoom + self.origin[1]
        return zx * self.k, zy * self.k

    @property
    def pen(self) -> int:
        return round(self.outline * self.k)

    def ellipse(self, x: float, y: float, rx: float, ry: float, fill: RGB, plain: bool = False) -> None:
        """Filled ellipse about (x, y)."""
        box = (*self.at(x - rx, y - ry), *self.at(x + rx, y + ry))
        if self.pen and not plain:
            self.draw.ellipse(box, fill=fill, outline=INK, width=self.pen)
        else:
            self.draw.ellipse(box, fill=fill)

    def polygon(self, points: Sequence[tuple[float, float]], fill: RGB, plain: bool = False) -> None:
        """Filled polygon; its outline has round joints."""
        pixels = [self.at(x, y) for x, y in points]
        self.draw.polygon(pixels, fill=fill)
        if self.pen and not plain:
            self.draw.line([*pixels, pixels[0], pixels[1]], fill=INK, width=self.pen, joint="curve")

    def line(self, points: Sequence[tuple[float, float]], fill: RGB, width: float) -> None:
        self.draw.line([self.at(x, y) for x, y in points], fill=fill, width=max(1, round(width * self.k)), joint="curve")

    def arc(self, x: float, y: float, rx: float, ry: float, start: float, end: float, fill: RGB, width: float) -> None:
        box = (*self.at(x - rx, y - ry), *self.at(x + rx, y + ry))
        self.draw.arc(box, start, end, fill=fill, width=max(1, round(width * self.k)))

    def pie(self, x: float, y: float, rx: float, ry: float, start: float, end: float, fill: RGB) -> None:
        box = (*self.at(x - rx, y - ry), *self.at(x + rx, y + ry))
        self.draw.pieslice(box, start, end, fill=fill, outline=INK if self.pen else None, width=self.pen or 1)

    def rectangle(self, x0: float, y0: float, x1: float, y1: float, fill: RGB, plain: bool = False) -> None:
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], fill, plain)


def mix(a: RGB, b: RGB, share: float) -> RGB:
    """`share` 0 is `a`, 1 is `b`."""
    return tuple(round(x + (y - x) * share) for x, y in zip(a, b, strict=True))  # type: ignore[return-value]
