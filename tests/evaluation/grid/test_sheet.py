"""Sheets: every cell in its place, labels in lines, sizes within limits."""

import pytest
from PIL import Image, ImageFont

from lorasmith.errors import SettingsError
from lorasmith.evaluation.grid import sheet as sheets
from lorasmith.evaluation.grid.sheet import Block, labelled_sheet, wrapped


def block(columns, rows, size, title=""):
    pictures = {(i, j): Image.new("RGB", size, (10 * i, 20 * j, 200)) for i in range(len(columns)) for j in range(len(rows))}
    return Block(title, columns, rows, pictures)


def colours(sheet):
    """How many pixels each colour of a cell has."""
    return {colour: number for number, colour in sheet.getcolors(1 << 24) if colour[2] == 200 and number > 100}


def test_every_cell_is_there_whole_and_labels_leave_it_alone():
    sheet, scale = labelled_sheet([block(["epoch 1", "epoch 2", "epoch 3"], ["weight 0.5", "weight 1"], (256, 192))])
    assert scale == 1
    assert colours(sheet) == {(10 * i, 20 * j, 200): 256 * 192 for i in range(3) for j in range(2)}
    assert sheet.width > 3 * 256
    assert sheet.getpixel((0, 0)) == (255, 255, 255)


def test_small_cells_are_enlarged_so_that_labels_fit():
    sheet, scale = labelled_sheet([block(["a", "b"], [""], (32, 32))])
    assert scale == 1
    assert colours(sheet) == {(0, 0, 200): 160 * 160, (10, 0, 200): 160 * 160}


def test_blocks_stand_one_below_the_other():
    one, both = (labelled_sheet([block(["a", "b"], ["c"], (200, 200), "seed 1")] * count)[0] for count in (1, 2))
    assert (both.width, both.height) == (one.width, 2 * one.height)


def test_a_sheet_that_would_be_too_large_is_made_smaller(monkeypatch):
    monkeypatch.setattr(sheets, "MOST_PIXELS", 300_000)
    sheet, scale = labelled_sheet([block(list("abcd"), list("ef"), (512, 512))])
    assert sheet.width * sheet.height <= 300_000
    assert 0.1 < scale < 0.5
    assert len(colours(sheet)) == 8
    with pytest.raises(SettingsError, match="160 pictures are too many for one sheet"):
        labelled_sheet([block([str(k) for k in range(40)], list("abcd"), (512, 512))])


def test_no_side_is_longer_than_a_webp_can_be():
    sheet, scale = labelled_sheet([block([str(k) for k in range(40)], ["one"], (512, 512))])
    assert sheet.width <= 16_383
    assert scale < 1


def test_labels_are_wrapped_between_words_and_inside_long_ones():
    font = ImageFont.load_default(20)
    assert wrapped("", font, 100) == []
    lines = wrapped("masterpiece, best quality a-very-long-file-name-000001.safetensors", font, 150)
    assert " ".join(lines).replace(" ", "") == "masterpiece,bestqualitya-very-long-file-name-000001.safetensors"
    assert all(font.getlength(line) <= 150 for line in lines)
    assert lines[:2] == ["masterpiece,", "best quality"]
