"""The demo world keeps its promises: the same number gives the same picture, and the words are true of it."""

import hashlib
import os
import random
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.world import (
    ACCESSORIES,
    ACCESSORY_COLORS,
    CHARACTERS,
    COLORS,
    HELD_OUT_CONCEPTS,
    HELD_OUT_STYLES,
    STYLES,
    Scene,
    attribute_tags,
    character_scene,
    random_scene,
    sentence_caption,
    tag_caption,
)

SEEDS = st.integers(0, 10**9)

FINGERPRINT = """
import hashlib
from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.world import character_scene, random_scene, sentence_caption
scenes = [*map(random_scene, range(5)), random_scene(5, style="chalk", concept="umbrella"), character_scene("drixel", 6)]
print(hashlib.sha256(b"".join(draw_scene(s).tobytes() + sentence_caption(s).encode() for s in scenes)).hexdigest())
"""


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """Scenes of the base's world and such with a held-out character, style or concept."""
    fixed: dict[str, str | None] = {}
    if style := draw(st.sampled_from((None, *HELD_OUT_STYLES))):
        fixed["style"] = style
    fixed["concept"] = draw(st.sampled_from((None, *HELD_OUT_CONCEPTS)))
    name = draw(st.sampled_from((None, None, *CHARACTERS)))
    return character_scene(name, draw(SEEDS), **fixed) if name else random_scene(draw(SEEDS), **fixed)


def test_the_same_seed_draws_the_same_picture():
    for seed in range(4):
        assert random_scene(seed) == random_scene(seed)
        assert draw_scene(random_scene(seed)).tobytes() == draw_scene(random_scene(seed)).tobytes()


def test_other_seeds_draw_other_pictures():
    assert len({draw_scene(random_scene(seed)).tobytes() for seed in range(30)}) == 30


def test_two_processes_draw_the_same_pictures():
    prints = {
        subprocess.run(
            [sys.executable, "-c", FINGERPRINT], env={**os.environ, "PYTHONHASHSEED": hash_seed}, capture_output=True, check=True
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(prints) == 1


def test_a_scene_does_not_depend_on_the_global_random_state():
    random.seed(1)
    np.random.seed(1)
    before = hashlib.sha256(draw_scene(random_scene(3, style="chalk")).tobytes()).digest()
    random.seed(2)
    np.random.seed(2)
    assert hashlib.sha256(draw_scene(random_scene(3, style="chalk")).tobytes()).digest() == before


@given(SEEDS)
def test_the_base_never_meets_what_is_held_out(seed: int):
    scene = random_scene(seed)
    assert scene.style in STYLES
    assert scene.color in COLORS
    assert scene.concept is None
    assert scene.character is None
    assert scene.accessory is None or scene.accessory in ACCESSORIES
    assert scene.accessory_color is None or scene.accessory_color in ACCESSORY_COLORS


@given(scenes())
def test_an_accessory_has_a_colour_that_is_not_the_bodys(scene: Scene):
    assert (scene.accessory is None) == (scene.accessory_color is None)
    assert scene.accessory_color != scene.color


@given(scenes())
def test_tags_say_what_the_scene_is(scene: Scene):
    tags = attribute_tags(scene)
    expected = {scene.background, scene.expression, scene.pose, f"{scene.style} style"}
    expected |= {scene.character} if scene.character else {scene.species, f"{scene.color} body"}
    if scene.accessory:
        expected.add(f"{scene.accessory_color} {scene.accessory}")
    if scene.concept:
        expected.add(scene.concept)
    assert set(tags.values()) == expected
    assert len(tags) == len(expected)
    assert tag_caption(scene).split(", ") == list(tags.values())


@given(scenes(), SEEDS)
def test_shuffled_tags_are_the_same_tags(scene: Scene, seed: int):
    assert sorted(tag_caption(scene, random.Random(seed)).split(", ")) == sorted(tag_caption(scene).split(", "))


@given(scenes(), SEEDS)
def test_every_wording_of_the_sentence_says_what_the_tags_say(scene: Scene, seed: int):
    sentence = sentence_caption(scene, random.Random(seed)).replace(",", "")
    assert "  " not in sentence
    for tag in attribute_tags(scene).values():
        assert f" {tag.removesuffix(' body')} " in f" {sentence} "


@given(st.sampled_from(sorted(CHARACTERS)), SEEDS)
def test_a_character_keeps_its_body_and_is_called_by_its_name(name: str, seed: int):
    scene = character_scene(name, seed)
    assert (scene.species, scene.color, scene.parts) == (CHARACTERS[name].species, CHARACTERS[name].color, CHARACTERS[name].parts)
    said = f"{tag_caption(scene)}, {sentence_caption(scene)}".replace(",", "").split()
    assert name in said
    assert scene.species not in said
    assert scene.color not in said


def seen(scene: Scene, size: int, reduced: int) -> np.ndarray:
    """The picture drawn at `size` and reduced to `reduced` pixels a side, float32."""
    return np.asarray(draw_scene(scene, size).resize((reduced,) * 2, Image.Resampling.BOX), np.float32)


@pytest.mark.parametrize("size", [128, 256])
@pytest.mark.parametrize("style", STYLES)
def test_a_larger_picture_shows_the_same(style: str, size: int):
    scene = character_scene("zorvex", 12, style=style, concept="lantern")
    assert np.abs(seen(scene, size, 64) - seen(scene, 64, 64)).mean() < 4  # of 255


@pytest.mark.parametrize("style", HELD_OUT_STYLES)
def test_a_larger_picture_in_a_held_out_style_has_the_same_layout(style: str):
    """The grain of these filters is made of pixels, so only what is left at a sixteenth is compared."""
    scene = character_scene("zorvex", 12, style=style)
    likeness = [np.corrcoef(seen(s, size, 16).ravel(), seen(scene, 64, 16).ravel())[0, 1]
                for s, size in ((scene, 128), (random_scene(13, style=style), 64))]  # fmt: skip
    assert likeness[0] > 0.9
    assert likeness[1] < 0.5
