"""A creature from back to front: its limbs, body, head and face, what it wears, and the parts that make a character."""

from __future__ import annotations

import math

from PIL import Image, ImageDraw

from lorasmith.demo.canvas import INK, PALETTE, RGB, Canvas, mix
from lorasmith.demo.held_things import HELD, skateboard
from lorasmith.demo.world import Scene

_LAYOUT = {
    "standing": ((32.0, 28.0), (32.0, 47.0), (8.5, 9.0)),
    "sitting": ((32.0, 33.0), (32.0, 52.0), (11.0, 8.0)),
    "jumping": ((32.0, 24.0), (32.0, 42.5), (8.5, 8.5)),
    "lying": ((22.0, 38.0), (42.0, 52.0), (15.0, 7.5)),
}
"""Pose -> centre of the head, centre and radii of the body; in units."""

_HEAD_RX, _HEAD_RY = 14.0, 12.0


def draw_creature(c: Canvas, scene: Scene) -> None:
    """From back to front: what is behind, limbs, body, what is worn on it, head, face, what is on or held."""
    color = PALETTE[scene.color]
    worn = PALETTE[scene.accessory_color] if scene.accessory_color else None
    head, body, radii = _LAYOUT[scene.pose]
    if "cape" in scene.parts:
        _cape(c, head, body)
    if "bat wings" in scene.parts:
        _wings(c, head, body)
    if scene.concept == "skateboard":
        skateboard(c, scene.pose)
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
    if scene.concept in HELD:
        HELD[scene.concept](c, head, body)


def _limbs(c: Canvas, scene: Scene, color: RGB, sleeve: RGB, body: tuple[float, float]) -> None:
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


def _head_back(c: Canvas, species: str, color: RGB, x: float, y: float) -> None:
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


def _head_front(c: Canvas, species: str, color: RGB, x: float, y: float) -> None:
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


def _face(c: Canvas, scene: Scene, head: tuple[float, float]) -> None:
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


def _on_head(c: Canvas, scene: Scene, worn: RGB | None, head: tuple[float, float]) -> None:
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


def _scarf(c: Canvas, worn: RGB, head: tuple[float, float], body: tuple[float, float], pose: str) -> None:
    x, y = head[0], head[1] + _HEAD_RY - 0.6
    tail = 6.0 if pose != "lying" else 4.5
    c.polygon([(x + tail - 3, y), (x + tail + 3.2, y), (x + tail + 4, y + 9.5), (x + tail - 2, y + 9.5)], worn)
    c.ellipse(x, y, 11.0, 3.6, worn)


def _stripes(c: Canvas, x: float, y: float, rx: float, ry: float) -> None:
    for t in (-0.62, 0.0, 0.62):
        half = rx * math.sqrt(1 - t * t)
        if t == 0.0 and rx == _HEAD_RX:
            for side in (-1, 1):
                c.line([(x + side * half, y), (x + side * half * 0.72, y)], INK, 2.4)
        else:
            c.line([(x - half, y + t * ry), (x + half, y + t * ry)], INK, 2.4)


def _spots(c: Canvas, head: tuple[float, float], body: tuple[float, float]) -> None:
    for dx, dy, r in ((-9.5, -5, 2.4), (9.5, -4, 2.2), (-10, 4, 1.9), (10, 4.5, 2.4)):
        c.ellipse(head[0] + dx, head[1] + dy, r, r, (255, 245, 215), plain=True)
    for dx, dy, r in ((-4, -1, 2.2), (4, 3, 2.2)):
        c.ellipse(body[0] + dx, body[1] + dy, r, r, (255, 245, 215), plain=True)


def _cape(c: Canvas, head: tuple[float, float], body: tuple[float, float]) -> None:
    hx, hy = head
    c.polygon([(hx - 7, hy + 6), (hx + 7, hy + 6), (body[0] + 17, body[1] + 10), (body[0] - 17, body[1] + 10)], (205, 30, 60))


def _wings(c: Canvas, head: tuple[float, float], body: tuple[float, float]) -> None:
    x, y = body[0], body[1] - 4
    for s in (-1, 1):
        c.polygon([(x + s * 5, y + 3), (x + s * 14, y - 9), (x + s * 27, y - 7), (x + s * 24, y), (x + s * 25, y + 7),
                   (x + s * 18, y + 4), (x + s * 14, y + 9)], (95, 50, 120))  # fmt: skip


def draw_shadow(background: Canvas, creature: Canvas) -> None:
    """The shadow of a jumping creature on the ground."""
    x, y = creature.at(32, 60)
    overlay = Image.new("L", background.image.size, 0)
    r = 11 * background.k
    ImageDraw.Draw(overlay).ellipse((x - r, y - r * 0.22, x + r, y + r * 0.22), fill=130)
    background.image.paste((10, 10, 20), mask=overlay)
