"""The copy that is kept is the picture as it came, not the one with the most pixels."""

import pytest
from PIL import Image

from lorasmith.images.copies import Copy, best_copy
from lorasmith.images.measures import copy_of, measure
from tests.photographs import photograph

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")


def test_the_largest_copy_is_the_best_and_of_equally_large_ones_the_least_compressed():
    assert best_copy([Copy((400, 300), 95), Copy((800, 600), 60), Copy((200, 150), 100)]) == 1
    assert best_copy([Copy((800, 600), 60), Copy((796, 598), 95), Copy((400, 300), 100)]) == 1
    assert best_copy([Copy((800, 600)), Copy((800, 600))]) == 0


def test_of_equally_good_copies_the_captioned_one_is_kept_and_no_mirrored_or_animated_one():
    sound = Copy((800, 600), 80, name="long name.jpg")
    assert best_copy([sound, Copy((800, 600), 95, captioned=True)]) == 1
    assert best_copy([Copy((800, 600), 95, captioned=True, mirrored=True), sound]) == 1
    assert best_copy([Copy((1600, 1200), animated=True), sound]) == 1


def test_a_copy_that_was_enlarged_or_stretched_resolves_no_more():
    original = Copy((800, 600), fineness=(0.4, 0.4))
    assert best_copy([Copy((1600, 1200), fineness=(0.2, 0.2)), original]) == 1
    assert best_copy([Copy((800, 1000), fineness=(0.4, 0.24)), original]) == 1
    assert best_copy([Copy((450, 600), fineness=(0.4, 0.4)), original]) == 1
    assert best_copy([Copy((1600, 1200), fineness=(0.4, 0.4)), original]) == 0  # this one is the original, the other was made smaller


def test_a_jpeg_that_was_saved_again_at_a_higher_quality_is_not_better():
    assert best_copy([Copy((800, 600), 95, 300_000, blocking=1.31), Copy((800, 600), 50, 60_000, blocking=1.32)]) == 1
    assert best_copy([Copy((800, 600), 95, blocking=1.0), Copy((800, 600), 50, blocking=1.3)]) == 0


def saved(folder, name, picture, **options):
    path = folder / name
    picture.save(path, **options)
    return path


def best_of(*paths):
    return paths[best_copy([copy_of(path, measure(path, "", path.stat().st_size), False) for path in paths])].name


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_the_original_photograph_wins_over_what_was_made_of_it(name, tmp_path):
    photo = photograph(name)
    width, height = photo.size
    original = saved(tmp_path, "original.jpg", photo, quality=90)
    copies = [
        saved(tmp_path, "enlarged.png", photo.resize((2 * width, 2 * height), Image.Resampling.BICUBIC)),
        saved(tmp_path, "enlarged a little.png", photo.resize((3 * width // 2, 3 * height // 2), Image.Resampling.LANCZOS)),
        saved(tmp_path, "stretched.png", photo.resize((width, 3 * height // 2), Image.Resampling.BICUBIC)),
        saved(tmp_path, "squashed.png", photo.resize((width // 2, height))),
        saved(tmp_path, "smaller.png", photo.resize((width // 2, height // 2))),
        saved(tmp_path, "worse.jpg", photo, quality=30),
    ]
    for copy in copies:
        assert best_of(copy, original) == "original.jpg"
    assert best_of(*copies, original) == "original.jpg"


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_bad_jpeg_saved_again_as_a_good_one_does_not_win(name, tmp_path):
    bad = saved(tmp_path, "bad.jpg", photograph(name), quality=30)
    with Image.open(bad) as image:
        again = saved(tmp_path, "again.jpg", image, quality=97)
    assert best_of(again, bad) == "bad.jpg"
