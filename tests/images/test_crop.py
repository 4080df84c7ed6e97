"""Bars, margins, subjects and views are found where they are, and not where they are not."""

import math
import random

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageDraw

from lorasmith.demo.audit_bench.shipped import shipped_pictures
from lorasmith.images.crop import about_subject, inside_bars, inside_margins
from lorasmith.images.heads import heads_in
from tests.photographs import photograph

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")


def on(ground, picture, size, at):
    sheet = Image.new("RGB", size, ground)
    sheet.paste(picture, at)
    return sheet


def jpeg(picture, tmp_path, quality):
    picture.save(tmp_path / "p.jpg", quality=quality)
    with Image.open(tmp_path / "p.jpg") as image:
        return image.convert("RGB")


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_photograph_has_no_bars(name):
    pixels = np.asarray(photograph(name))
    assert inside_bars(pixels) is None


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
def test_a_photograph_has_no_margins(name):
    assert inside_margins(np.asarray(photograph(name))) is None


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
@pytest.mark.parametrize("ground", ["black", "white"])
@pytest.mark.parametrize("quality", [50, 95])
def test_bars_are_found_through_compression(name, ground, quality, tmp_path):
    photo = photograph(name)
    wide = jpeg(on(ground, photo, (photo.width, photo.height + 120), (0, 60)), tmp_path, quality)
    left, top, right, bottom = inside_bars(np.asarray(wide))
    assert (left, right) == (0, photo.width)
    assert abs(top - 60) <= 3
    assert abs(bottom - 60 - photo.height) <= 3
    tall = jpeg(on(ground, photo, (photo.width + 90, photo.height), (45, 0)), tmp_path, quality)
    left, top, right, bottom = inside_bars(np.asarray(tall))
    assert (top, bottom) == (0, photo.height)
    assert abs(left - 45) <= 3


def test_a_white_frame_is_a_margin_and_a_black_one_is_cut():
    photo = photograph("coffee")
    assert inside_bars(np.asarray(on("white", photo, (640, 420), (20, 10)))) is None
    assert inside_bars(np.asarray(on("white", photo, (620, 440), (10, 20)))) is None
    assert inside_bars(np.asarray(on("black", photo, (640, 420), (20, 10)))) == (20, 10, 620, 410)


def test_a_stripe_on_one_side_is_no_pair_of_bars():
    photo = photograph("coffee")
    assert inside_bars(np.asarray(on("black", photo, (600, 460), (0, 60)))) is None


@pytest.mark.parametrize("ground", [(244, 244, 240), (0, 0, 0), (30, 160, 60)])
def test_margins_are_cut_to_the_content_and_some_air(ground, tmp_path):
    small = photograph("astronaut").resize((150, 150))
    pixels = np.asarray(jpeg(on(ground, small, (900, 560), (610, 330)), tmp_path, 80))
    left, top, right, bottom = inside_margins(pixels)
    assert 595 <= left <= 610
    assert 315 <= top <= 330
    assert 760 <= right <= 775
    assert 480 <= bottom <= 495


def test_thin_lines_are_content_and_dust_is_not():
    drawing = Image.new("RGB", (400, 300), "white")
    draw = ImageDraw.Draw(drawing)
    draw.rectangle((150, 120, 250, 180), fill=(200, 60, 40))
    draw.line((150, 150, 60, 90), fill="black", width=1)  # a whisker
    drawing.putpixel((380, 280), (0, 0, 0))
    left, top, right, bottom = inside_margins(np.asarray(drawing), pad=0)
    assert (left, top, right, bottom) == (60, 90, 251, 181)


def test_an_even_picture_has_neither_margins_nor_a_subject():
    even = np.full((100, 120, 3), 200, np.uint8)
    assert inside_margins(even) is None
    assert inside_bars(even) is None
    assert about_subject(even) is None


def test_a_subject_on_uneven_ground_is_found():
    grain = np.random.default_rng(2).normal(0, 6, (400, 600, 3))
    slope = np.linspace(90, 150, 600)[None, :, None]
    ground = Image.fromarray((slope + grain).clip(0, 255).astype(np.uint8))
    ImageDraw.Draw(ground).ellipse((380, 120, 520, 330), fill=(220, 60, 20))
    left, top, right, bottom = about_subject(np.asarray(ground))
    assert left < 385
    assert left > 320
    assert top < 125
    assert top > 65
    assert 515 < right < 580
    assert 325 < bottom < 385


def test_a_subject_is_what_is_opaque():
    alpha = np.zeros((200, 300), np.uint8)
    alpha[50:150, 100:180] = 255
    assert about_subject(np.zeros((200, 300, 3), np.uint8), alpha) == (92, 42, 188, 158)


# -- a wrong crop is worse than none ----------------------------------------------------------------------------------

HEAD = (150, 0, 300, 205)
"""The astronaut's head with her hair, in pixels."""


def holds(box, inner):
    return box is None or (box[0] <= inner[0] and box[1] <= inner[1] and box[2] >= inner[2] and box[3] >= inner[3])


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket", "camera", "moon", "coins", "page"])
def test_nothing_of_a_photograph_without_an_even_ground_is_cut(name):
    pixels = getattr(skimage.data, name)()
    box = about_subject(pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, 2))
    assert box is None


@pytest.mark.parametrize(("name", "subject"), [("clock", (141, 92, 282, 216)), ("cell", (335, 290, 520, 465))])
def test_what_is_alone_on_an_even_ground_is_kept_with_its_soft_rim(name, subject):
    assert holds(about_subject(np.repeat(getattr(skimage.data, name)()[..., None], 3, 2)), subject)


@pytest.mark.parametrize("box", [(0, 0, 512, 512), (100, 0, 400, 512), (60, 0, 460, 300), (150, 30, 350, 400)])
@pytest.mark.parametrize("size", [(200, 200), (512, 512), (1400, 900)])
def test_no_head_in_a_portrait_is_cut(box, size):
    picture = photograph("astronaut").crop(box).resize(size)
    across, down = size[0] / (box[2] - box[0]), size[1] / (box[3] - box[1])
    head = ((HEAD[0] - box[0]) * across, (HEAD[1] - box[1]) * down, (HEAD[2] - box[0]) * across, (HEAD[3] - box[1]) * down)
    inside = (max(0, head[0]), max(0, head[1]), min(size[0], head[2]), min(size[1], head[3]))
    assert holds(about_subject(np.asarray(picture)), inside)


@pytest.mark.parametrize("ground", [(84, 57, 45), (227, 180, 155), (20, 20, 22), (255, 255, 255), (190, 190, 190)])
def test_a_portrait_on_a_ground_of_the_colour_of_hair_or_skin_is_kept_whole(ground):
    portrait = photograph("astronaut").crop((100, 0, 400, 512))
    picture = np.asarray(on(ground, portrait, (900, 700), (400, 188)))
    box = about_subject(picture)
    assert holds(box, (400, 188, 700, 700))
    assert holds(about_subject(picture, keep=heads_in(picture)), (450, 188, 600, 393))


def drawn_figure(ground: str, face: str, line: int, rng: random.Random) -> tuple[Image.Image, tuple[float, ...]]:
    """A figure drawn on a ground of its own, and the box of its head with its hair."""
    width, height = rng.randint(400, 900), rng.randint(400, 700)
    slope = np.linspace(-30, 30, height)[:, None, None] * np.array([rng.uniform(-1, 1) for _ in range(3)])
    pixels = np.array([rng.randint(150, 225) for _ in range(3)]) + np.zeros((height, width, 1))
    pixels = np.full((height, width, 3), 255.0) if ground == "white" else pixels + slope if ground == "slope" else pixels
    picture = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    x, top, r = rng.uniform(0.3, 0.7) * width, rng.uniform(0.1, 0.3) * height, rng.uniform(0.09, 0.15) * height
    here = picture.getpixel((int(x), int(top)))
    skin = {"pale": (250, 225, 200), "like the ground": tuple(max(0, value - 10) for value in here), "the ground": here}[face]
    for strand in range(9):
        angle = math.pi * (1.1 + 0.1 * strand)
        across, down = math.cos(angle), math.sin(angle)
        draw.line((x + r * across, top + r + r * down, x + 1.3 * r * across, top + r + 1.5 * r * down), fill=(60, 40, 40), width=line)
    draw.ellipse((x - r, top, x + r, top + 2 * r), fill=skin, outline=(60, 40, 40), width=line)
    draw.rectangle((x - 0.9 * r, top + 2 * r, x + 0.9 * r, height * 0.9), fill=tuple(rng.randint(0, 255) for _ in range(3)))
    return picture, (x - 1.2 * r, top - 0.49 * r, x + 1.2 * r, top + 2 * r)


@pytest.mark.parametrize("ground", ["white", "even", "slope"])
@pytest.mark.parametrize("face", ["pale", "like the ground", "the ground"])
@pytest.mark.parametrize("line", [1, 3])
def test_nothing_of_a_drawn_head_is_cut(ground, face, line):
    for number in range(3):
        picture, head = drawn_figure(ground, face, line, random.Random(f"{ground} {face} {line} {number}"))
        assert holds(about_subject(np.asarray(picture)), head)


@pytest.mark.parametrize("side", [600, 1400, 2400])
def test_lines_of_one_pixel_belong_to_the_subject_at_any_size(side):
    drawing = Image.new("RGB", (side, side), (244, 240, 230))
    draw = ImageDraw.Draw(drawing)
    draw.rectangle((0.4 * side, 0.5 * side, 0.6 * side, 0.8 * side), fill=(60, 90, 160))
    draw.line((0.5 * side, 0.5 * side, 0.52 * side, 0.2 * side), fill=(60, 40, 40), width=1)  # an antenna
    assert holds(about_subject(np.asarray(drawing)), (0.4 * side, 0.2 * side, 0.6 * side, 0.8 * side))


@pytest.mark.parametrize("part", [(0, 0, 1, 1), (0.1, 0, 0.9, 0.8), (0.15, 0, 0.85, 0.6)])
def test_nothing_of_grace_hopper_s_head_is_cut(part):
    if "grace_hopper" not in shipped_pictures():
        pytest.skip("the photograph comes with matplotlib: pip install matplotlib")
    portrait = shipped_pictures()["grace_hopper"]  # 512 x 600 pixels
    left, top, right, bottom = (round(share * side) for share, side in zip(part, portrait.size * 2, strict=True))
    picture = np.asarray(portrait.crop((left, top, right, bottom)))
    box = about_subject(picture)
    assert holds(box, (max(0, 130 - left), 0, min(picture.shape[1], 400 - left), 330 - top))  # her cap, face and chin
    (head,) = heads_in(picture)
    assert holds(head, (200 - left, 100 - top, 340 - left, 300 - top))


def test_what_is_faint_at_the_edge_of_the_subject_stays_whole():
    ground = Image.new("RGB", (600, 400), (200, 200, 200))
    draw = ImageDraw.Draw(ground)
    draw.rectangle((250, 200, 350, 390), fill=(200, 40, 30))  # a red coat
    draw.ellipse((260, 90, 340, 205), fill=(222, 200, 185))  # a pale face above it
    left, top, right, bottom = about_subject(np.asarray(ground))
    assert (left <= 250, top <= 90, right >= 351, bottom >= 391) == (True, True, True, True)


def test_soft_hair_on_clear_ground_stays_whole():
    alpha = np.zeros((200, 300), np.uint8)
    alpha[50:150, 100:180] = 255
    alpha[20:50, 120:160] = 60
    assert about_subject(np.zeros((200, 300, 3), np.uint8), alpha)[1] <= 20


def test_the_head_of_a_portrait_is_found():
    (head,) = heads_in(np.asarray(photograph("astronaut")))
    assert holds(head, (170, 30, 280, 180))


def test_a_crop_keeps_the_heads_that_it_is_given():
    ground = Image.new("RGB", (600, 400), "white")
    ImageDraw.Draw(ground).rectangle((300, 200, 400, 300), fill="black")
    assert holds(about_subject(np.asarray(ground), keep=[(200, 50, 320, 180)]), (200, 50, 400, 301))
