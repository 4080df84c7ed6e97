"""Each sign measures what it says, at any resolution."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from lorasmith.images import adversarial, signs
from tests.photographs import photograph


def pixels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB"))


def jpeg(picture: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


@pytest.mark.parametrize("quality", [1, 5, 10, 25, 40, 50, 60, 75, 90, 95, 100])
def test_the_quality_of_a_jpeg_follows_from_its_tables(quality):
    tables = jpeg(photograph("chelsea"), quality).quantization
    assert signs.jpeg_quality([tables[0]]) == pytest.approx(quality, abs=1)


def test_without_tables_nothing_is_said_of_quality():
    assert signs.jpeg_quality([]) is None


@pytest.mark.parametrize("offset", [(0, 0), (3, 5)])
def test_blocks_grow_with_compression_wherever_the_grid_begins(offset):
    def strength(picture: Image.Image) -> float:
        cropped = picture.convert("RGB").crop((*offset, *picture.size))
        return signs.blocking([signs.grey_of(patch) for patch in signs.patches(pixels(cropped))])

    by_quality = [strength(jpeg(photograph("coffee"), q)) for q in (10, 30, 60, 95)]
    assert by_quality == sorted(by_quality, reverse=True)
    assert strength(photograph("coffee")) < 1.1 < 1.4 < by_quality[2]
    assert by_quality[0] > 3


@pytest.mark.parametrize("sigma", [1.5, 3.0, 5.0])
def test_the_width_of_edges_is_the_blur_that_was_laid_on(sigma):
    blurred = photograph("rocket").filter(ImageFilter.GaussianBlur(sigma))
    assert signs.edge_width(signs.grey_of(pixels(blurred))) == pytest.approx(sigma, rel=0.4)


def test_resolution_does_not_fool_sharpness():
    sharp = photograph("coffee")

    def width(picture: Image.Image) -> float:
        return signs.edge_width(signs.grey_of(signs.view_of(pixels(picture))))

    large = sharp.resize((2400, 1600), Image.Resampling.LANCZOS)
    assert width(large) == pytest.approx(width(sharp), abs=0.3)
    assert width(large.filter(ImageFilter.GaussianBlur(16))) > 2.5


def test_a_sharp_subject_before_a_soft_background_is_sharp():
    picture = photograph("astronaut")
    soft = picture.filter(ImageFilter.GaussianBlur(8))
    soft.paste(picture.crop((150, 60, 330, 240)), (150, 60))
    assert signs.edge_width(signs.grey_of(pixels(soft))) < 1.2


def test_an_even_picture_has_no_detail_and_no_edge():
    flat = np.full((200, 300, 3), 90, np.uint8)
    assert signs.detail_share(signs.grey_of(flat)) == 0
    assert signs.edge_width(signs.grey_of(flat)) == 9
    assert signs.detail_share(signs.grey_of(pixels(photograph("chelsea")))) > 0.5


def test_light_says_where_brightness_is():
    half = np.zeros((100, 100, 3), np.uint8)
    half[:50] = 255
    light = signs.light(half)
    assert (light.dark, light.bright, light.clipped, light.rest, light.coloured) == (0, 255, 0.5, 0, 0)


@pytest.mark.parametrize("size", [(2000, 1000), (1000, 2000), (512, 512), (30, 4000), (100, 50)])
def test_a_view_has_at_most_its_area_and_keeps_the_shape(size):
    view = signs.view_of(np.zeros((size[1], size[0], 3), np.uint8))
    assert view.shape[0] * view.shape[1] <= 1.02 * 512 * 512
    assert view.shape[1] / view.shape[0] == pytest.approx(size[0] / size[1], rel=0.1)


def test_noise_in_colour_scores_and_grain_in_brightness_does_not():
    rng = np.random.default_rng(0)
    clean = pixels(photograph("astronaut")).astype(float)
    grain = clean + rng.normal(0, 8, clean.shape[:2])[..., None]
    colour = clean + rng.normal(0, 12, clean.shape)

    def score(picture: np.ndarray) -> int:
        return adversarial.score(adversarial.noise_strength(signs.patches(picture.clip(0, 255).astype(np.uint8))))

    assert score(clean) < 5
    assert score(grain) < 20
    assert score(colour) > 60
