"""A sheet is cut where its views are; one drawing, a page of text and a photograph are no sheets."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageDraw, ImageFont

from lorasmith.curation.audit.dataset import audit_dataset
from lorasmith.curation.mend.proposals import propose
from lorasmith.demo.audit_bench.drawn import line_art, sprite
from lorasmith.findings import MendChange
from lorasmith.images.sheets import views_on_sheet
from tests.photographs import photograph

FOUR = ("astronaut", "chelsea", "coffee", "rocket")


def sheet_of(pictures, columns, size, gutter, ground="white"):
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * (size[0] + gutter) + gutter, rows * (size[1] + gutter) + gutter), ground)
    for place, picture in enumerate(pictures):
        across, down = place % columns, place // columns
        sheet.paste(picture.resize(size), (gutter + across * (size[0] + gutter), gutter + down * (size[1] + gutter)))
    return sheet


def test_a_sheet_is_cut_row_by_row():
    boxes = views_on_sheet(np.asarray(sheet_of([photograph(name) for name in FOUR], 2, (300, 210), 20)))
    assert [(round(box[0], -1), round(box[1], -1)) for box in boxes] == [(20, 20), (340, 20), (20, 250), (340, 250)]


@pytest.mark.parametrize("height", [300, 900, 2000])
def test_five_slim_figures_are_five_views_at_any_size(height):
    figures = [sprite(random.Random(number)) for number in range(5)]
    sheet = sheet_of(figures, 5, (height * 2 // 5, height), height // 10)
    assert len(views_on_sheet(np.asarray(sheet))) == 5


def test_two_heads_beside_three_figures_are_views_too():
    sheet = Image.new("RGB", (1000, 500), "white")
    draw = ImageDraw.Draw(sheet)
    for left in (30, 230, 430):
        draw.rounded_rectangle((left, 40, left + 160, 460), 40, fill=(60, 110, 160), outline="black", width=4)
    for top in (40, 270):
        draw.ellipse((660, top, 850, top + 190), fill=(230, 190, 160), outline="black", width=4)
    assert len(views_on_sheet(np.asarray(sheet))) == 5


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket", "moon", "coins", "cell", "clock", "page", "text", "retina"])
def test_a_photograph_is_no_sheet(name):
    pixels = getattr(skimage.data, name)()
    assert views_on_sheet(pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, 2)) == []


@pytest.mark.parametrize("number", range(8))
def test_a_drawing_of_thin_lines_is_no_sheet(number):
    assert views_on_sheet(np.asarray(line_art(random.Random(number)))) == []


def test_lines_of_text_and_parts_of_one_figure_are_no_views():
    page = Image.new("RGB", (500, 640), "white")
    for row in range(7):
        ImageDraw.Draw(page).text((40, 30 + 84 * row), "so many words", fill="black", font=ImageFont.load_default(60))
    assert views_on_sheet(np.asarray(page)) == []
    floating = Image.new("RGB", (400, 400), "white")
    ImageDraw.Draw(floating).ellipse((120, 30, 280, 190), fill=(230, 180, 150))  # a head that floats above its body
    ImageDraw.Draw(floating).rectangle((110, 210, 290, 380), fill=(60, 90, 170))
    assert views_on_sheet(np.asarray(floating)) == []


def test_a_subject_beside_a_speck_is_no_sheet():
    sheet = Image.new("RGB", (700, 560), "white")
    sheet.paste(photograph("astronaut"), (20, 20))
    ImageDraw.Draw(sheet).rectangle((600, 20, 670, 90), fill="black")
    assert views_on_sheet(np.asarray(sheet)) == []


def test_the_audit_and_the_cut_agree(tmp_path: Path):
    figures = [sprite(random.Random(number)) for number in range(5)]
    sheet_of(figures, 5, (180, 420), 24).save(tmp_path / "five.png")
    sheet_of(figures, 5, (90, 210), 12).resize((2600, 1140)).save(tmp_path / "large.png")
    Image.fromarray(skimage.data.moon()).save(tmp_path / "moon.png")
    figures[0].save(tmp_path / "one.png")
    named = {
        name
        for finding in audit_dataset(tmp_path, resolution=256).findings
        if finding.code == "audit.several_views"
        for name in finding.subjects
    }
    cut = {one.path.name: len(one.after) for one in propose(tmp_path, sorted(tmp_path.glob("*.png")), [MendChange("cut")]) if one.steps}
    assert named == {"five.png", "large.png"}
    assert cut == {"five.png": 5, "large.png": 5}
