"""Bars, margins, subjects and views are found where they are, and not where they are not."""

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageDraw

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
