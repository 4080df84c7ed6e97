"""What changes from one sample of a picture to the next, and that nothing but (seed, epoch, picture, repeat) decides it."""

import colorsys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lorasmith.datasets.augment import ColourChange, crop_seen, drawn_colour, drawn_crop, is_mirrored, with_colours
from lorasmith.datasets.buckets import Fit
from lorasmith.datasets.latent_request import LatentRequest
from lorasmith.datasets.latents import bucket_pixels

WIDE = Fit((32, 24), (40, 24), (4, 0))


@given(seed=st.integers(0, 999), picture=st.integers(0, 999), repeats=st.integers(1, 9), epochs=st.integers(1, 6))
def test_of_every_two_repeats_of_a_picture_one_is_mirrored(seed, picture, repeats, epochs):
    seen = [is_mirrored(seed, epoch, picture, repeat, repeats) for epoch in range(1, epochs + 1) for repeat in range(repeats)]
    assert all(a != b for a, b in zip(seen[::2], seen[1::2], strict=False))
    assert abs(sum(seen) - len(seen) / 2) <= 0.5


def test_which_of_the_two_is_drawn_for_each_picture_and_pair():
    assert 60 < sum(is_mirrored(1, 1, picture, 0, 1) for picture in range(200)) < 140
    assert 60 < sum(is_mirrored(1, epoch, 0, 0, 1) for epoch in range(1, 400, 2)) < 140
    first = [is_mirrored(1, epoch, picture, 0, 3) for epoch in range(1, 9) for picture in range(9)]
    assert first == [is_mirrored(1, epoch, picture, 0, 3) for epoch in range(1, 9) for picture in range(9)]
    assert first != [is_mirrored(2, epoch, picture, 0, 3) for epoch in range(1, 9) for picture in range(9)]


def test_a_drawn_crop_comes_to_every_place_and_never_leaves_the_picture():
    fits = [drawn_crop(WIDE, seed=3, epoch=epoch, picture=0, repeat=0) for epoch in range(1, 401)]
    assert {fit.crop for fit in fits} == {(left, 0) for left in range(9)}
    assert {(fit.bucket, fit.resized) for fit in fits} == {(WIDE.bucket, WIDE.resized)}
    assert drawn_crop(Fit((32, 24), (32, 24), (0, 0)), 3, 1, 0, 0).crop == (0, 0)


def test_a_third_of_the_repeats_have_other_colours_within_the_ranges():
    drawn = [drawn_colour(7, 1, picture, repeat) for picture in range(300) for repeat in range(10)]
    changed = [change for change in drawn if change is not None]
    assert 0.30 < len(changed) / len(drawn) < 0.36
    hues, gammas = [c.hue for c in changed if c.hue], [c.gamma for c in changed if c.gamma != 1]
    assert len(hues) + len(gammas) == len(changed)
    assert 0.45 < len(hues) / len(changed) < 0.55
    assert -16 <= min(hues) < -14
    assert 14 < max(hues) <= 16
    assert 0.95 <= min(gammas) < 0.96
    assert 1.04 < max(gammas) <= 1.05


@pytest.mark.parametrize("hue", [-16.0, -3.0, 5.5, 16.0])
def test_hue_turns_and_brightness_stays(hue):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    ours = with_colours(pixels, ColourChange(hue=hue)) / 255
    for before, after in zip(pixels.reshape(-1, 3) / 255, ours.reshape(-1, 3), strict=True):
        h, s, v = colorsys.rgb_to_hsv(*before)
        assert after == pytest.approx(colorsys.hsv_to_rgb((h + hue / 360) % 1, s, v), abs=1e-4)


def test_gamma_makes_middle_tones_brighter_or_darker_and_keeps_black_and_white():
    pixels = np.array([[[0, 128, 255]]], dtype=np.uint8)
    assert with_colours(pixels, ColourChange(gamma=0.95))[0, 0] == pytest.approx([0, 255 * (128 / 255) ** 0.95, 255], abs=1e-3)
    assert with_colours(pixels, ColourChange())[0, 0] == pytest.approx([0, 128, 255], abs=1e-4)


@pytest.mark.parametrize("left", [0, 3, 4, 8])
def test_a_mirrored_picture_says_where_its_bucket_is_in_the_mirrored_picture(tmp_path, left):
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (24, 40, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    fit = Fit((32, 24), (40, 24), (left, 0))
    seen = bucket_pixels(LatentRequest(tmp_path / "a.png", "", fit, mirrored=True))
    whole = bucket_pixels(LatentRequest(tmp_path / "a.png", "", Fit((40, 24), (40, 24), (0, 0)), mirrored=True))
    x, y = crop_seen(fit, mirrored=True)
    assert (seen == whole[:, y : y + 24, x : x + 32]).all()
    assert crop_seen(fit, mirrored=False) == (left, 0)


def test_colours_change_before_the_mirror_and_within_the_range_of_pixels(tmp_path):
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (24, 32, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    plain = LatentRequest(tmp_path / "a.png", "", Fit((32, 24), (32, 24), (0, 0)))
    colour = ColourChange(hue=12)
    changed = bucket_pixels(LatentRequest(plain.path, "", plain.fit, colour=colour))
    both = bucket_pixels(LatentRequest(plain.path, "", plain.fit, mirrored=True, colour=colour))
    assert (both == changed.flip(-1)).all()
    assert not (changed == bucket_pixels(plain)).all()
    assert changed.min() >= -1.0001
    assert changed.max() <= 1.0001
