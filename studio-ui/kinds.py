"""Draws the pictures of the four kinds of LoRA on the home page, from the demo's world: python studio-ui/kinds.py"""

from pathlib import Path

from PIL import Image

from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.scenes import balanced_scenes, fixed_attributes

SIDE = 160  # pixels of each of the four pictures
FIRST_SEED = 990_000_001
HERE = Path(__file__).parent / "src" / "screens" / "home" / "kinds"


def four(*scenes):
    """Four pictures as one, two by two."""
    sheet = Image.new("RGB", (2 * SIDE, 2 * SIDE))
    for place, scene in enumerate(scenes):
        sheet.paste(draw_scene(scene, SIDE), (place % 2 * SIDE, place // 2 * SIDE))
    return sheet


zorvex, quorrin = fixed_attributes("character", "zorvex"), fixed_attributes("character", "quorrin")
pictures = {
    "character": four(*balanced_scenes(4, FIRST_SEED, **zorvex)),
    "style": four(*balanced_scenes(4, FIRST_SEED, style="stained glass")),
    "concept": four(*balanced_scenes(4, FIRST_SEED, concept="umbrella", style="flat")),
    "multi-concept": four(*balanced_scenes(2, FIRST_SEED, **zorvex), *balanced_scenes(2, FIRST_SEED, **quorrin)),
}
for kind, picture in pictures.items():
    picture.save(HERE / f"{kind}.webp", quality=80, method=6)
