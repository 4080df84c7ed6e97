"""A scene becomes a picture: Pillow shapes on a canvas of 64 x 64 units, drawn three times too large and reduced.

A picture is two layers, background and creature, so that a style can treat them apart: `flat` leaves them as they are,
`ink` outlines the creature and pales the background, `soft` shades the creature and blurs what is behind it. The
held-out styles are filters over the finished picture.
"""

from __future__ import annotations

import random

from PIL import Image

from lorasmith.demo.backgrounds import BACKGROUNDS
from lorasmith.demo.canvas import OVERSAMPLING, UNITS, Canvas
from lorasmith.demo.creature import draw_creature, draw_shadow
from lorasmith.demo.styles import finish
from lorasmith.demo.world import Scene


def draw_scene(scene: Scene, size: int = 64) -> Image.Image:
    """The picture of `scene`, RGB, `size` x `size` pixels; the same scene and size give the same bytes."""
    rng = random.Random(f"draw-{scene.seed}")
    k = size * OVERSAMPLING / UNITS
    background = Canvas(Image.new("RGB", (round(UNITS * k),) * 2), k)
    BACKGROUNDS[scene.background](background, rng)
    creature = Canvas(
        Image.new("RGBA", background.image.size),
        k,
        outline=1.3 if scene.style == "ink" else 0.0,
        origin=(rng.uniform(-2.5, 2.5), rng.uniform(-1.2, 1.2)),
        zoom=rng.uniform(0.95, 1.06),
    )
    if scene.pose == "jumping":
        draw_shadow(background, creature)
    draw_creature(creature, scene)
    return finish(background.image, creature.image, scene.style, size)
