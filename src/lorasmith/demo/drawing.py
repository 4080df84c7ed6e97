"""A scene becomes a picture: Pillow shapes on a canvas of 64 x 64 units, drawn three times too large and reduced.

A picture is two layers, background and creature, so that a style can treat them apart: `flat` leaves them as they are,
`ink` outlines the creature and pales the background, `soft` shades the creature and blurs what is behind it. The
held-out styles are filters over the finished picture.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from lorasmith.demo.world import Scene

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


def draw_scene(scene: Scene, size: int = 64) -> Image.Image:
    """The picture of `scene`, RGB, `size` x `size` pixels; the same scene and size give the same bytes."""
    rng = random.Random(f"draw-{scene.seed}")
    k = size * OVERSAMPLING / UNITS
    background = _Canvas(Image.new("RGB", (round(UNITS * k),) * 2), k)
    _BACKGROUNDS[scene.background](background, rng)
    creature = _Canvas(
        Image.new("RGBA", background.image.size),
        k,
        outline=1.3 if scene.style == "ink" else 0.0,
        origin=(rng.uniform(-2.5, 2.5), rng.uniform(-1.2, 1.2)),
        zoom=rng.uniform(0.95, 1.06),
    )
    if scene.pose == "jumping":
        _shadow(background, creature)
    _draw_creature(creature, scene)
    return _finish(background.image, creature.image, scene.style, size)


class _Canvas:
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


# -- backgrounds ------------------------------------------------------------------------------------------------------


def _ground(c: _Canvas, sky: RGB, ground: RGB, y: float) -> None:
    c.rectangle(0, 0, 64, y, sky)
    c.rectangle(0, y, 64, 65, ground)


def _meadow(c: _Canvas, rng: random.Random) -> None:
    _ground(c, (165, 215, 245), (115, 190, 80), 44)
    c.ellipse(10, 46, 24, 9, (95, 170, 70))
    for _ in range(5):
        x, y = rng.uniform(2, 62), rng.uniform(50, 62)
        c.ellipse(x, y, 1.3, 1.3, (250, 250, 235))


def _beach(c: _Canvas, rng: random.Random) -> None:
    _ground(c, (120, 205, 240), (242, 218, 155), 50)
    c.rectangle(0, 36, 64, 50, (25, 120, 185))
    c.ellipse(rng.uniform(8, 14), 9, 5.5, 5.5, (255, 240, 130))


def _night(c: _Canvas, rng: random.Random) -> None:
    _ground(c, (22, 24, 72), (44, 48, 88), 50)
    for _ in range(9):
        x, y = rng.uniform(1, 63), rng.uniform(1, 44)
        c.ellipse(x, y, 0.8, 0.8, (240, 240, 220))
    x = rng.uniform(8, 12)
    c.ellipse(x, 10, 5.5, 5.5, (245, 240, 200))
    c.ellipse(x + 2.8, 8.6, 4.6, 4.6, (22, 24, 72))


def _snow(c: _Canvas, rng: random.Random) -> None:
    _ground(c, (176, 192, 216), (250, 252, 255), 46)
    c.polygon([(36, 46), (52, 20), (68, 46)], (142, 160, 190))
    c.polygon([(46.4, 29), (52, 20), (57.4, 29)], (250, 252, 255))
    for _ in range(9):
        c.ellipse(rng.uniform(1, 63), rng.uniform(1, 46), 1.1, 1.1, (255, 255, 255))


def _desert(c: _Canvas, rng: random.Random) -> None:
    _ground(c, (252, 205, 130), (222, 150, 72), 46)
    c.ellipse(14, 50, 26, 10, (205, 130, 60))
    x = rng.uniform(54, 58)
    for x0, y0, x1, y1 in ((x - 1.8, 26, x + 1.8, 47), (x - 6, 32, x - 4, 38), (x - 6, 36, x, 38.4)):
        c.rectangle(x0, y0, x1, y1, (70, 130, 70))


def _city(c: _Canvas, rng: random.Random) -> None:
    _ground(c, (205, 200, 215), (98, 98, 106), 52)
    for x, height in ((0, 20), (13, 30), (40, 26), (52, 14)):
        top = height + rng.uniform(-2, 2)
        c.rectangle(x, top, x + 12, 52, (118, 116, 138))
        for wy in range(5):
            for wx in range(2):
                if rng.random() < 0.8:
                    left, y = x + 2.2 + wx * 4.8, top + 3 + wy * 6.5
                    if y < 47:
                        c.rectangle(left, y, left + 2.8, y + 3.2, (250, 225, 120))


def _room(c: _Canvas, rng: random.Random) -> None:
    _ground(c, (238, 216, 205), (150, 98, 62), 50)
    shift = rng.uniform(0, 4)
    for i in range(8):
        x = i * 8 + shift
        c.rectangle(x, 0, x + 3.6, 49, (216, 178, 170))
    c.rectangle(0, 49, 64, 51, (250, 240, 230))


_BACKGROUNDS: dict[str, Callable[[_Canvas, random.Random], None]] = {
    "meadow": _meadow, "beach": _beach, "night": _night, "snow": _snow, "desert": _desert, "city": _city, "room": _room,
}  # fmt: skip


# -- the creature -----------------------------------------------------------------------------------------------------

# Pose -> centre of the head, centre and radii of the body, in units.
_LAYOUT = {
    "standing": ((32.0, 28.0), (32.0, 47.0), (8.5, 9.0)),
    "sitting": ((32.0, 33.0), (32.0, 52.0), (11.0, 8.0)),
    "jumping": ((32.0, 24.0), (32.0, 42.5), (8.5, 8.5)),
    "lying": ((22.0, 38.0), (42.0, 52.0), (15.0, 7.5)),
}
_HEAD_RX, _HEAD_RY = 14.0, 12.0


def _shadow(background: _Canvas, creature: _Canvas) -> None:
    x, y = creature.at(32, 60)
    overlay = Image.new("L", background.image.size, 0)
    r = 11 * background.k
    ImageDraw.Draw(overlay).ellipse((x - r, y - r * 0.22, x + r, y + r * 0.22), fill=130)
    background.image.paste((10, 10, 20), mask=overlay)


def _draw_creature(c: _Canvas, scene: Scene) -> None:
    """From back to front: what is behind, limbs, body, what is worn on it, head, face, what is on or held."""
    color = PALETTE[scene.color]
    worn = PALETTE[scene.accessory_color] if scene.accessory_color else None
    head, body, radii = _LAYOUT[scene.pose]
    if "cape" in scene.parts:
        _cape(c, head, body)
    if "bat wings" in scene.parts:
        _wings(c, head, body)
    if scene.concept == "skateboard":
        _skateboard(c, scene.pose)
    sleeves = worn if scene.accessory == "shirt" and worn else color
    _limbs(c, scene, color, sleeves, body)
    c.ellipse(*body, *radii, sleeves)
    if scene.accessory == "shirt":
        c.ellipse(body[0], body[1] - radii[1] * 0.1, 1.2, 1.2, (255, 255, 255), plain=True)
        c.ellipse(body[0], body[1] + radii[1] * 0.42, 1.2, 1.2, (255, 255, 255), plain=True)
    elif "stripes" in scene.parts:
        _stripes(c, *body, *radii)
    _head_back(c, scene.species, color, *head)
    c.ellipse(*head, _HEAD_RX, _HEAD_RY, color)
    _head_front(c, scene.species, color, *head)
    if "stripes" in scene.parts:
        _stripes(c, head[0], head[1], _HEAD_RX, _HEAD_RY)
    if "spots" in scene.parts:
        _spots(c, head, body)
    if scene.accessory == "scarf" and worn:
        _scarf(c, worn, head, body, scene.pose)
    _face(c, scene, head)
    _on_head(c, scene, worn, head)
    if scene.concept in _HELD:
        _HELD[scene.concept](c, head, body)


def _limbs(c: _Canvas, scene: Scene, color: RGB, sleeve: RGB, body: tuple[float, float]) -> None:
    x, y = body
    sole = mix(color, (255, 235, 215), 0.55)
    if scene.species == "octopus":
        spread = {"standing": 1.0, "sitting": 1.5, "jumping": 1.3, "lying": 1.5}[scene.pose]
        for i in (-2, -1, 1, 2):
            tip = (x + i * 6.2 * spread, y + (9.5 if scene.pose != "jumping" else 7 + abs(i) * 1.5))
            c.line([(x + i * 2.5, y), (tip[0], tip[1])], INK if c.pen else color, 6.2)
            c.ellipse(*tip, 3.2, 3.2, color)
            if c.pen:
                c.line([(x + i * 2.5, y), (tip[0], tip[1])], color, 3.8)
        return
    if scene.pose == "standing":
        for side in (-1, 1):
            c.ellipse(x + side * 4.4, y + 9.5, 3.6, 4.0, color)
            c.ellipse(x + side * 9.6, y - 1, 3.0, 5.6, sleeve)
    elif scene.pose == "sitting":
        for side in (-1, 1):
            c.ellipse(x + side * 11.0, y + 4.2, 5.0, 4.6, color)
            c.ellipse(x + side * 12.0, y + 4.6, 2.9, 2.7, sole, plain=True)
    elif scene.pose == "jumping":
        for side in (-1, 1):
            c.ellipse(x + side * 8.4, y + 8.0, 4.4, 3.2, color)
            c.polygon([(x + side * 5, y - 5), (x + side * 18, y - 11), (x + side * 19.5, y - 6.5), (x + side * 7, y + 2)], sleeve)
            c.ellipse(x + side * 18.6, y - 9.0, 3.2, 3.2, color)
    else:
        c.ellipse(x + 14.5, y + 4.8, 4.6, 3.0, color)
        c.ellipse(x + 5.0, y + 6.2, 4.6, 2.6, color)
        c.ellipse(x - 17.0, y + 4.4, 5.0, 2.8, sleeve)


def _head_back(c: _Canvas, species: str, color: RGB, x: float, y: float) -> None:
    inner = mix(color, (255, 215, 215), 0.6)
    if species == "cat":
        for side in (-1, 1):
            c.polygon([(x + side * 13.5, y - 2), (x + side * 12.5, y - 18), (x + side * 2, y - 10)], color)
            c.polygon([(x + side * 11.4, y - 6), (x + side * 11.2, y - 14), (x + side * 5.6, y - 10)], inner, plain=True)
    elif species == "rabbit":
        for side in (-1, 1):
            c.ellipse(x + side * 7.2, y - 15, 3.8, 11.0, color)
            c.ellipse(x + side * 7.2, y - 15, 1.8, 8.0, inner, plain=True)
    elif species == "bear":
        for side in (-1, 1):
            c.ellipse(x + side * 10.6, y - 9.6, 4.8, 4.8, color)
            c.ellipse(x + side * 10.6, y - 9.6, 2.5, 2.5, inner, plain=True)
    elif species == "mouse":
        for side in (-1, 1):
            c.ellipse(x + side * 14.5, y - 8.5, 8.2, 8.2, color)
            c.ellipse(x + side * 14.5, y - 8.5, 5.2, 5.2, inner, plain=True)
    elif species == "lion":
        mane = mix(color, (110, 55, 10), 0.55)
        points = []
        for i in range(28):
            r = 1.42 if i % 2 else 1.12
            points.append((x + math.cos(i * math.tau / 28) * _HEAD_RX * r, y + math.sin(i * math.tau / 28) * _HEAD_RY * r))
        c.polygon(points, mane)
    elif species == "sheep":
        wool = mix(color, (255, 250, 240), 0.62)
        for side in (-1, 1):
            c.ellipse(x + side * 16.0, y + 1, 5.0, 3.0, color)
        for i in range(11):
            a = math.pi + (i - 1) * math.pi / 9
            c.ellipse(x + math.cos(a) * 12.0, y + math.sin(a) * 10.0, 5.0, 5.0, wool)


def _head_front(c: _Canvas, species: str, color: RGB, x: float, y: float) -> None:
    if species == "frog":
        for side in (-1, 1):
            c.ellipse(x + side * 7.5, y - 10.5, 5.6, 5.6, color)
    elif species == "sheep":
        wool = mix(color, (255, 250, 240), 0.62)
        for dx in (-6.5, 0, 6.5):
            c.ellipse(x + dx, y - 10.2 - (abs(dx) < 1), 5.2, 4.2, wool)
    elif species == "octopus":
        for dx, dy in ((-9, -5), (9.4, -4), (7, -8)):
            c.ellipse(x + dx, y + dy, 1.4, 1.4, mix(color, (255, 255, 255), 0.45), plain=True)
        c.ellipse(x, y - 6, 11.5, 9.0, color, plain=True)


def _face(c: _Canvas, scene: Scene, head: tuple[float, float]) -> None:
    x, y = head
    eye_y = y - 10.5 if scene.species == "frog" else y - 1.5
    dx = 7.5 if scene.species == "frog" else 6.0
    big = 1.3 if scene.expression == "surprised" else 1.0
    eyes = [(x, eye_y)] if "one eye" in scene.parts else [(x - dx, eye_y), (x + dx, eye_y)]
    grow = 1.75 if len(eyes) == 1 else 1.0
    for ex, ey in eyes:
        c.ellipse(ex, ey, 3.3 * big * grow, 3.6 * big * grow, (255, 255, 255), plain=not c.pen and scene.color != "white")
        if scene.color == "white" and not c.pen:
            c.arc(ex, ey, 3.3 * big * grow, 3.6 * big * grow, 0, 360, (120, 120, 130), 0.5)
        pupil = 1.5 if scene.expression == "surprised" else 2.1
        c.ellipse(ex, ey + (0.9 if scene.expression == "sad" else 0.2), pupil * grow, pupil * grow, INK, plain=True)
    dark = INK if scene.color != "black" else (235, 235, 235)
    mouth_y = y + 5.2
    if scene.expression == "happy":
        c.pie(x, mouth_y - 1.6, 5.4, 6.0, 0, 180, (150, 20, 40))
        c.rectangle(x - 4.2, mouth_y - 1.6, x + 4.2, mouth_y, (255, 255, 255), plain=True)
    elif scene.expression == "sad":
        c.arc(x, mouth_y + 4.2, 5.0, 4.6, 200, 340, dark, 1.5)
        tear_x = eyes[0][0] - 2.0
        c.polygon([(tear_x, eye_y + 2.6), (tear_x - 2.3, eye_y + 7.4), (tear_x + 2.3, eye_y + 7.4)], (110, 205, 255), plain=True)
        c.ellipse(tear_x, eye_y + 7.4, 2.3, 2.2, (110, 205, 255), plain=True)
    elif scene.expression == "angry":
        for side in (-1, 1):
            c.line([(x + side * (dx + 4.0), eye_y - 5.6), (x + side * (dx - 4.4), eye_y - 1.6)], dark, 2.4)
        c.rectangle(x - 4.6, mouth_y - 0.4, x + 4.6, mouth_y + 3.2, (255, 255, 255))
        c.line([(x - 4.6, mouth_y + 1.4), (x + 4.6, mouth_y + 1.4)], INK, 0.8)
        for i in (-1.6, 1.6):
            c.line([(x + i, mouth_y - 0.4), (x + i, mouth_y + 3.2)], INK, 0.8)
        c.line([(x - 4.6, mouth_y - 0.4), (x + 4.6, mouth_y - 0.4), (x + 4.6, mouth_y + 3.2), (x - 4.6, mouth_y + 3.2),
                (x - 4.6, mouth_y - 0.4)], INK, 0.8)  # fmt: skip
    else:
        c.ellipse(x, mouth_y + 1.4, 2.7, 3.6, (110, 15, 30))


def _on_head(c: _Canvas, scene: Scene, worn: RGB | None, head: tuple[float, float]) -> None:
    x, y = head
    top = y - _HEAD_RY
    if worn and scene.accessory == "hat":
        c.rectangle(x - 6.4, top - 9.5, x + 6.4, top + 1.2, worn)
        c.rectangle(x - 6.4, top - 2.4, x + 6.4, top - 0.2, mix(worn, (0, 0, 0), 0.55), plain=True)
        c.ellipse(x, top + 1.2, 10.5, 2.1, worn)
    elif worn and scene.accessory == "crown":
        c.polygon([(x - 8.5, top + 3), (x - 9.5, top - 7.5), (x - 4.4, top - 2.2), (x, top - 8.6), (x + 4.4, top - 2.2),
                   (x + 9.5, top - 7.5), (x + 8.5, top + 3)], worn)  # fmt: skip
        for dx in (-5, 0, 5):
            c.ellipse(x + dx, top + 0.4, 1.2, 1.2, (255, 255, 255), plain=True)
    elif worn and scene.accessory == "bow":
        bx, by = x + 10.0, y - 9.0
        c.polygon([(bx, by), (bx - 7.2, by - 5.6), (bx - 7.2, by + 5.0)], worn)
        c.polygon([(bx, by), (bx + 7.2, by - 5.6), (bx + 7.2, by + 5.0)], worn)
        c.ellipse(bx, by, 2.3, 2.3, mix(worn, (0, 0, 0), 0.35))
    if "horn" in scene.parts:
        c.polygon([(x - 3.6, top + 2.4), (x, top - 11), (x + 3.6, top + 2.4)], (255, 225, 120))
        c.line([(x - 2.4, top - 1.5), (x + 2.2, top - 3)], (200, 150, 60), 1.0)
    if "antennae" in scene.parts:
        for side in (-1, 1):
            c.line([(x + side * 3, top + 1), (x + side * 5.5, top - 8)], INK, 1.4)
            c.ellipse(x + side * 5.5, top - 9, 2.6, 2.6, (255, 90, 60))
    if "mohawk" in scene.parts:
        c.polygon([(x - 4, top + 5), (x - 5, top - 5), (x - 1.5, top - 2), (x, top - 10), (x + 1.5, top - 2), (x + 5, top - 5),
                   (x + 4, top + 5)], (255, 60, 200))  # fmt: skip
    if "star" in scene.parts:
        points = []
        for i in range(10):
            r = 4.6 if i % 2 == 0 else 1.9
            points.append((x + math.sin(i * math.pi / 5) * r, y - 7.2 - math.cos(i * math.pi / 5) * r))
        c.polygon(points, (255, 215, 40), plain=True)


def _scarf(c: _Canvas, worn: RGB, head: tuple[float, float], body: tuple[float, float], pose: str) -> None:
    x, y = head[0], head[1] + _HEAD_RY - 0.6
    tail = 6.0 if pose != "lying" else 4.5
    c.polygon([(x + tail - 3, y), (x + tail + 3.2, y), (x + tail + 4, y + 9.5), (x + tail - 2, y + 9.5)], worn)
    c.ellipse(x, y, 11.0, 3.6, worn)


def _stripes(c: _Canvas, x: float, y: float, rx: float, ry: float) -> None:
    for t in (-0.62, 0.0, 0.62):
        half = rx * math.sqrt(1 - t * t)
        if t == 0.0 and rx == _HEAD_RX:
            for side in (-1, 1):
                c.line([(x + side * half, y), (x + side * half * 0.72, y)], INK, 2.4)
        else:
            c.line([(x - half, y + t * ry), (x + half, y + t * ry)], INK, 2.4)


def _spots(c: _Canvas, head: tuple[float, float], body: tuple[float, float]) -> None:
    for dx, dy, r in ((-9.5, -5, 2.4), (9.5, -4, 2.2), (-10, 4, 1.9), (10, 4.5, 2.4)):
        c.ellipse(head[0] + dx, head[1] + dy, r, r, (255, 245, 215), plain=True)
    for dx, dy, r in ((-4, -1, 2.2), (4, 3, 2.2)):
        c.ellipse(body[0] + dx, body[1] + dy, r, r, (255, 245, 215), plain=True)


def _cape(c: _Canvas, head: tuple[float, float], body: tuple[float, float]) -> None:
    hx, hy = head
    c.polygon([(hx - 7, hy + 6), (hx + 7, hy + 6), (body[0] + 17, body[1] + 10), (body[0] - 17, body[1] + 10)], (205, 30, 60))


def _wings(c: _Canvas, head: tuple[float, float], body: tuple[float, float]) -> None:
    x, y = body[0], body[1] - 4
    for s in (-1, 1):
        c.polygon([(x + s * 5, y + 3), (x + s * 14, y - 9), (x + s * 27, y - 7), (x + s * 24, y), (x + s * 25, y + 7),
                   (x + s * 18, y + 4), (x + s * 14, y + 9)], (95, 50, 120))  # fmt: skip


# -- held-out concepts ------------------------------------------------------------------------------------------------


def _umbrella(c: _Canvas, head: tuple[float, float], body: tuple[float, float]) -> None:
    x = head[0] + 15
    c.line([(x, body[1] + 5), (x, 14)], (90, 60, 40), 1.5)
    c.pie(x - 4, 17, 17, 14, 180, 360, (235, 60, 110))
    for i in (-1, 1):
        c.pie(x - 4 + i * 11.3, 17, 5.6, 14, 180, 360, (255, 205, 225))


def _balloon(c: _Canvas, head: tuple[float, float], body: tuple[float, float]) -> None:
    c.line([(head[0] + 14, body[1] + 2), (head[0] + 23, 22)], (240, 240, 240), 0.9)
    c.ellipse(head[0] + 23, 13, 7.5, 9.5, (230, 40, 60))
    c.ellipse(head[0] + 20.5, 10, 1.8, 2.6, (255, 180, 185), plain=True)


def _skateboard(c: _Canvas, pose: str) -> None:
    for x in (18, 46):
        c.ellipse(x, 61.4, 2.6, 2.6, (250, 250, 250))
    c.polygon([(7, 55.5), (11, 57.6), (53, 57.6), (57, 55.5), (58, 57.5), (54, 60.4), (10, 60.4), (6, 57.5)], (0, 200, 190))


def _lantern(c: _Canvas, head: tuple[float, float], body: tuple[float, float]) -> None:
    x, y = head[0] + 20, body[1] - 2
    c.line([(head[0] + 11, body[1] - 6), (x, body[1] - 9)], (60, 45, 40), 1.4)
    c.ellipse(x, y, 6.5, 7.5, (255, 245, 170), plain=True)
    c.rectangle(x - 3.6, y - 5, x + 3.6, y + 5, (255, 175, 40))
    c.rectangle(x - 4.6, y - 7, x + 4.6, y - 4.6, (60, 45, 40))
    c.rectangle(x - 4.6, y + 4.6, x + 4.6, y + 7, (60, 45, 40))


_HELD: dict[str | None, Callable[[_Canvas, tuple[float, float], tuple[float, float]], None]] = {
    "umbrella": _umbrella, "balloon": _balloon, "lantern": _lantern,
}  # fmt: skip


# -- styles -----------------------------------------------------------------------------------------------------------


def _finish(background: Image.Image, creature: Image.Image, style: str, size: int) -> Image.Image:
    if style == "ink":
        background = Image.blend(background, Image.new("RGB", background.size, (252, 250, 244)), 0.45)
    elif style == "soft":
        small = background.resize((size, size), Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(size / 40))
        background = small.resize(background.size, Image.Resampling.BILINEAR)
        creature = _shade(creature)
    whole = background.copy()
    whole.paste(creature, mask=creature.getchannel("A"))
    picture = whole.resize((size, size), Image.Resampling.BOX)
    if style in _FILTERS:
        picture = _FILTERS[style](picture, whole)
    return picture


def _shade(creature: Image.Image) -> Image.Image:
    """Light from the upper left: bright there, dark at the lower right of the creature's own box."""
    box = creature.getchannel("A").getbbox()
    if box is None:
        return creature
    h, w = box[3] - box[1], box[2] - box[0]
    yy, xx = np.mgrid[0:h, 0:w].astype(np.float32)
    light = 1.30 - 0.34 * (xx / w + yy / h)
    pixels = np.asarray(creature.crop(box), dtype=np.float32).copy()
    pixels[..., :3] = np.clip(pixels[..., :3] * light[..., None] + np.clip(light[..., None] - 1.12, 0, 1) * 160, 0, 255)
    shaded = creature.copy()
    shaded.paste(Image.fromarray(pixels.astype(np.uint8), "RGBA"), box[:2])
    return shaded


def _halftone(picture: Image.Image, whole: Image.Image) -> Image.Image:
    """Dots of ink on paper, a cell of 1/16 of the width, larger where the picture is darker; hue in the ink."""
    size = picture.width
    cell = max(2, size // 16)
    small = picture.resize((math.ceil(size / cell),) * 2, Image.Resampling.BOX)
    out = Image.new("RGB", (size * 4,) * 2, (250, 246, 232))
    draw = ImageDraw.Draw(out)
    for j in range(small.height):
        for i in range(small.width):
            r, g, b = small.getpixel((i, j))  # type: ignore[misc]
            dark = 1 - (0.3 * r + 0.59 * g + 0.11 * b) / 255
            radius = cell * 4 * (0.30 + 0.38 * dark)
            x, y = (i + 0.5) * cell * 4, (j + 0.5) * cell * 4
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(r, g, b))
    return out.resize((size, size), Image.Resampling.BOX)


def _stained_glass(picture: Image.Image, whole: Image.Image) -> Image.Image:
    """Saturated panes between dark leads: the nearest of a jittered grid of seeds gives the pane."""
    size = picture.width
    n = 9
    rng = np.random.default_rng(7)
    gy, gx = np.mgrid[0:n, 0:n]
    seeds = np.stack([(gx + rng.uniform(0.15, 0.85, (n, n))) / n, (gy + rng.uniform(0.15, 0.85, (n, n))) / n], -1).reshape(-1, 2)
    fine = size * 2
    yy, xx = (np.mgrid[0:fine, 0:fine] + 0.5) / fine
    distance = (xx[..., None] - seeds[:, 0]) ** 2 + (yy[..., None] - seeds[:, 1]) ** 2
    order = np.argpartition(distance, 1, axis=-1)[..., :2]
    near = np.sqrt(np.take_along_axis(distance, order, -1))
    pane = order[..., 0]
    pixels = np.asarray(picture.resize((fine, fine), Image.Resampling.BILINEAR), dtype=np.float32)
    sums = np.zeros((n * n, 3), np.float32)
    np.add.at(sums, pane, pixels)
    mean = sums / np.maximum(np.bincount(pane.ravel(), minlength=n * n)[:, None], 1)
    glass = 0.55 * mean[pane] + 0.45 * pixels
    grey = glass.mean(-1, keepdims=True)
    glass = np.clip(grey + (glass - grey) * 1.5, 0, 255)
    lead = (np.abs(near[..., 1] - near[..., 0]) < 0.016)[..., None]
    out = np.where(lead, np.array([16, 14, 20], np.float32), glass)
    return Image.fromarray(out.astype(np.uint8)).resize((size, size), Image.Resampling.BOX)


def _chalk(picture: Image.Image, whole: Image.Image) -> Image.Image:
    """Pale strokes on a dark green board: edges and a grainy, hatched half of the colour."""
    size = picture.width
    pixels = np.asarray(whole, dtype=np.float32)
    edges = np.asarray(whole.convert("L").filter(ImageFilter.FIND_EDGES).filter(ImageFilter.MaxFilter(5)), dtype=np.float32) / 255
    h = pixels.shape[0]
    rng = np.random.default_rng(11)
    yy, xx = np.mgrid[0:h, 0:h]
    hatch = 0.5 + 0.5 * np.sin((xx + yy) * math.tau / (h / 14))
    grain = rng.uniform(0.6, 1.0, (h, h))
    board = np.array([38, 62, 52], np.float32)
    strength = np.clip(0.42 * hatch * grain + np.clip(edges * 2.2, 0, 1) * 0.8 * grain, 0, 1)[..., None]
    out = board + (np.clip(pixels * 0.6 + 110, 0, 255) - board) * strength
    return Image.fromarray(out.astype(np.uint8)).resize((size, size), Image.Resampling.BOX)


def _pixel_mosaic(picture: Image.Image, whole: Image.Image) -> Image.Image:
    """Tiles of 1/16 of the width with dark joints."""
    size = picture.width
    tile = max(3, size // 16)
    small = picture.resize((math.ceil(size / tile),) * 2, Image.Resampling.BOX)
    out = small.resize((small.width * tile,) * 2, Image.Resampling.NEAREST).crop((0, 0, size, size))
    joints = Image.new("L", (size, size), 0)
    draw = ImageDraw.Draw(joints)
    for at in range(tile - 1, size, tile):
        draw.line([(at, 0), (at, size)], fill=150)
        draw.line([(0, at), (size, at)], fill=150)
    return ImageChops.composite(Image.new("RGB", out.size, (30, 26, 34)), out, joints)


_FILTERS: dict[str, Callable[[Image.Image, Image.Image], Image.Image]] = {
    "halftone": _halftone, "stained glass": _stained_glass, "chalk": _chalk, "pixel mosaic": _pixel_mosaic,
}  # fmt: skip
