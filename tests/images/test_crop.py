"""Bars, margins, subjects and views are found where they are, and not where they are not."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from lorasmith.images.crop import about_subject, inside_bars, inside_margins, views_on_sheet
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
def test_a_photograph_has_no_bars_and_is_no_sheet(name):
    pixels = np.asarray(photograph(name))
    assert inside_bars(pixels) is None
    assert views_on_sheet(pixels) == []


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


def test_an_even_picture_has_neither_margins_nor_a_subject():
    even = np.full((100, 120, 3), 200, np.uint8)
    assert inside_margins(even) is None
    assert inside_bars(even) is None
    assert about_subject(even) is None
    assert views_on_sheet(even) == []


def test_a_subject_on_uneven_ground_is_found():
    grain = np.random.default_rng(2).normal(0, 6, (400, 600, 3))
    slope = np.linspace(90, 150, 600)[None, :, None]
    ground = Image.fromarray((slope + grain).clip(0, 255).astype(np.uint8))
    ImageDraw.Draw(ground).ellipse((380, 120, 520, 330), fill=(220, 60, 20))
    left, top, right, bottom = about_subject(np.asarray(ground))
    assert left < 385
    assert left > 330
    assert top < 125
    assert top > 70
    assert 515 < right < 570
    assert 325 < bottom < 380


def test_a_subject_is_what_is_opaque():
    alpha = np.zeros((200, 300), np.uint8)
    alpha[50:150, 100:180] = 255
    assert about_subject(np.zeros((200, 300, 3), np.uint8), alpha) == (92, 42, 188, 158)


def test_a_sheet_is_cut_row_by_row():
    sheet = Image.new("RGB", (640, 460), "white")
    for n, name in enumerate(PHOTOGRAPHS):
        sheet.paste(photograph(name).resize((300, 210)), (10 + n % 2 * 320, 10 + n // 2 * 230))
    boxes = views_on_sheet(np.asarray(sheet))
    assert [(round(box[0], -1), round(box[1], -1)) for box in boxes] == [(10, 10), (330, 10), (10, 240), (330, 240)]


def test_a_subject_beside_a_speck_is_no_sheet():
    sheet = on("white", photograph("astronaut"), (700, 560), (20, 20))
    ImageDraw.Draw(sheet).rectangle((600, 20, 670, 90), fill="black")
    assert views_on_sheet(np.asarray(sheet)) == []
