"""The held-out concepts: what a creature holds or stands on, which the base model has never seen."""

from __future__ import annotations

from collections.abc import Callable

from lorasmith.demo.canvas import Canvas


def _umbrella(c: Canvas, head: tuple[float, float], body: tuple[float, float]) -> None:
    x = head[0] + 15
    c.line([(x, body[1] + 5), (x, 14)], (90, 60, 40), 1.5)
    c.pie(x - 4, 17, 17, 14, 180, 360, (235, 60, 110))
    for i in (-1, 1):
        c.pie(x - 4 + i * 11.3, 17, 5.6, 14, 180, 360, (255, 205, 225))


def _balloon(c: Canvas, head: tuple[float, float], body: tuple[float, float]) -> None:
    c.line([(head[0] + 14, body[1] + 2), (head[0] + 23, 22)], (240, 240, 240), 0.9)
    c.ellipse(head[0] + 23, 13, 7.5, 9.5, (230, 40, 60))
    c.ellipse(head[0] + 20.5, 10, 1.8, 2.6, (255, 180, 185), plain=True)


def skateboard(c: Canvas, pose: str) -> None:
    for x in (18, 46):
        c.ellipse(x, 61.4, 2.6, 2.6, (250, 250, 250))
    c.polygon([(7, 55.5), (11, 57.6), (53, 57.6), (57, 55.5), (58, 57.5), (54, 60.4), (10, 60.4), (6, 57.5)], (0, 200, 190))


def _lantern(c: Canvas, head: tuple[float, float], body: tuple[float, float]) -> None:
    x, y = head[0] + 20, body[1] - 2
    c.line([(head[0] + 11, body[1] - 6), (x, body[1] - 9)], (60, 45, 40), 1.4)
    c.ellipse(x, y, 6.5, 7.5, (255, 245, 170), plain=True)
    c.rectangle(x - 3.6, y - 5, x + 3.6, y + 5, (255, 175, 40))
    c.rectangle(x - 4.6, y - 7, x + 4.6, y - 4.6, (60, 45, 40))
    c.rectangle(x - 4.6, y + 4.6, x + 4.6, y + 7, (60, 45, 40))


HELD: dict[str | None, Callable[[Canvas, tuple[float, float], tuple[float, float]], None]] = {
    "umbrella": _umbrella, "balloon": _balloon, "lantern": _lantern,
}  # fmt: skip
