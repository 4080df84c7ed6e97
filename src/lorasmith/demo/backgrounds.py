"""The seven places of the demo world."""

from __future__ import annotations

import random
from collections.abc import Callable

from lorasmith.demo.canvas import RGB, Canvas


def _ground(c: Canvas, sky: RGB, ground: RGB, y: float) -> None:
    c.rectangle(0, 0, 64, y, sky)
    c.rectangle(0, y, 64, 65, ground)


def _meadow(c: Canvas, rng: random.Random) -> None:
    _ground(c, (165, 215, 245), (115, 190, 80), 44)
    c.ellipse(10, 46, 24, 9, (95, 170, 70))
    for _ in range(5):
        x, y = rng.uniform(2, 62), rng.uniform(50, 62)
        c.ellipse(x, y, 1.3, 1.3, (250, 250, 235))


def _beach(c: Canvas, rng: random.Random) -> None:
    _ground(c, (120, 205, 240), (242, 218, 155), 50)
    c.rectangle(0, 36, 64, 50, (25, 120, 185))
    c.ellipse(rng.uniform(8, 14), 9, 5.5, 5.5, (255, 240, 130))


def _night(c: Canvas, rng: random.Random) -> None:
    _ground(c, (22, 24, 72), (44, 48, 88), 50)
    for _ in range(9):
        x, y = rng.uniform(1, 63), rng.uniform(1, 44)
        c.ellipse(x, y, 0.8, 0.8, (240, 240, 220))
    x = rng.uniform(8, 12)
    c.ellipse(x, 10, 5.5, 5.5, (245, 240, 200))
    c.ellipse(x + 2.8, 8.6, 4.6, 4.6, (22, 24, 72))


def _snow(c: Canvas, rng: random.Random) -> None:
    _ground(c, (176, 192, 216), (250, 252, 255), 46)
    c.polygon([(36, 46), (52, 20), (68, 46)], (142, 160, 190))
    c.polygon([(46.4, 29), (52, 20), (57.4, 29)], (250, 252, 255))
    for _ in range(9):
        c.ellipse(rng.uniform(1, 63), rng.uniform(1, 46), 1.1, 1.1, (255, 255, 255))


def _desert(c: Canvas, rng: random.Random) -> None:
    _ground(c, (252, 205, 130), (222, 150, 72), 46)
    c.ellipse(14, 50, 26, 10, (205, 130, 60))
    x = rng.uniform(54, 58)
    for x0, y0, x1, y1 in ((x - 1.8, 26, x + 1.8, 47), (x - 6, 32, x - 4, 38), (x - 6, 36, x, 38.4)):
        c.rectangle(x0, y0, x1, y1, (70, 130, 70))


def _city(c: Canvas, rng: random.Random) -> None:
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


def _room(c: Canvas, rng: random.Random) -> None:
    _ground(c, (238, 216, 205), (150, 98, 62), 50)
    shift = rng.uniform(0, 4)
    for i in range(8):
        x = i * 8 + shift
        c.rectangle(x, 0, x + 3.6, 49, (216, 178, 170))
    c.rectangle(0, 49, 64, 51, (250, 240, 230))


BACKGROUNDS: dict[str, Callable[[Canvas, random.Random], None]] = {
    "meadow": _meadow, "beach": _beach, "night": _night, "snow": _snow, "desert": _desert, "city": _city, "room": _room,
}  # fmt: skip
