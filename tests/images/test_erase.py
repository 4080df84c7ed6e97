"""Regions are painted over from what is around them."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from lorasmith.errors import DatasetError
from lorasmith.images.erase import METHODS, inpainted, region_of


def png(picture):
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def test_boxes_polygons_and_paint_are_one_region():
    painted = Image.new("RGBA", (40, 30), (0, 0, 0, 0))
    painted.paste((255, 255, 255, 255), (30, 20, 35, 25))
    painted.paste((255, 255, 255, 40), (0, 20, 5, 25))  # a breath of paint
    region = np.asarray(region_of((40, 30), [(2, 3, 6, 5)], [[(20, 0), (29, 0), (29, 9), (20, 9)]], png(painted)))
    wanted = np.zeros((30, 40), np.uint8)
    wanted[3:5, 2:6] = wanted[0:10, 20:30] = wanted[20:25, 30:35] = 255
    assert np.array_equal(region, wanted)
    on_black = Image.new("L", (40, 30))
    on_black.paste(255, (30, 20, 35, 25))
    assert np.count_nonzero(np.asarray(region_of((40, 30), painted=png(on_black)))) == 25


def test_a_painted_region_of_another_size_or_kind_is_refused():
    with pytest.raises(DatasetError, match="painted region is 20 x 30 pixels and the picture 40 x 30: paint it at the picture's own size"):
        region_of((40, 30), painted=png(Image.new("L", (20, 30), 255)))
    for data in (b"no picture", png(Image.new("L", (40, 30)))[:40]):
        with pytest.raises(DatasetError, match="not a PNG that can be read"):
            region_of((40, 30), painted=data)


@pytest.mark.parametrize("method", METHODS)
def test_a_mark_on_a_smooth_ground_disappears_and_nothing_else_changes(method):
    ground = np.tile(np.linspace(40, 200, 120).astype(np.uint8)[None, :, None], (80, 1, 3))
    marked = Image.fromarray(ground)
    ImageDraw.Draw(marked).text((50, 30), "(c) me", fill="white")
    region = np.asarray(region_of((120, 80), [(45, 25, 95, 50)]))
    clean = inpainted(np.asarray(marked), region, method)
    assert np.array_equal(clean[region == 0], ground[region == 0])
    assert np.abs(clean.astype(int) - ground).max() < 25  # of 160 grey levels from side to side; the letters are over 55 off
    assert np.abs(np.asarray(marked).astype(int) - ground).max() > 55
