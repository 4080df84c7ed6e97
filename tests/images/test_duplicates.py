"""A copy is found whatever was done to it, and a picture of the same kind is no copy."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.world import random_scene
from lorasmith.images import bounds, duplicates
from lorasmith.images.duplicates import (
    MANY,
    SIEVE,
    Signature,
    _compared,
    _Spectra,
    near_duplicate_groups,
    near_duplicate_pairs,
    signature,
)
from tests.photographs import photograph


def compressed(picture: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


@pytest.fixture(scope="module")
def strangers() -> list[Image.Image]:
    """Pictures that have nothing to do with one another, though scenes have their backdrops in common."""
    return [
        *(photograph(name) for name in ("astronaut", "chelsea", "coffee", "rocket")),
        *(draw_scene(random_scene(900 + i), 160) for i in range(30)),
    ]


def cat() -> Image.Image:
    return photograph("chelsea")


COPIES = {
    "compressed": lambda: compressed(cat(), 40),
    "small": lambda: cat().resize((135, 90)),
    "large": lambda: cat().resize((902, 600)),
    "a corner cut off": lambda: cat().crop((0, 0, 406, 270)),
    "the other corner cut off": lambda: cat().crop((45, 30, 451, 300)),
    "narrower": lambda: cat().crop((20, 0, 430, 300)),
    "grey tinted by compression": lambda: compressed(cat().resize((200, 133)), 50),
}


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("change", COPIES)
def test_a_changed_copy_is_found_among_strangers_with_whether_it_is_mirrored(strangers, change, mirrored):
    copy = COPIES[change]()
    if mirrored:
        copy = ImageOps.mirror(copy)
    [group] = near_duplicate_groups([signature(picture) for picture in (*strangers, copy)])
    assert group.indices == (1, len(strangers))
    assert group.relation(1, len(strangers)) == ("mirrored" if mirrored else "same")


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_large_crop_of_hard_edges_is_found(mirrored):
    """The directions of neither picture explain such a crop: the distance along them is 0.19 of the contrast, above what the sieve lets through."""
    icon = Image.new("RGB", (256, 256), "white")
    drawn = ImageDraw.Draw(icon)
    drawn.rounded_rectangle((10, 10, 246, 246), 60, fill=(20, 40, 160))
    drawn.polygon([(90, 70), (190, 128), (90, 186)], fill=(240, 230, 180))
    icon = icon.resize((64, 64), Image.Resampling.LANCZOS)
    copy = icon.crop((0, 0, 58, 58))
    [pair] = near_duplicate_pairs([signature(icon), signature(ImageOps.mirror(copy) if mirrored else copy)])
    assert pair.relation == ("mirrored" if mirrored else "same")


def test_strangers_are_no_copies(strangers):
    assert near_duplicate_groups([signature(picture) for picture in strangers]) == []


def test_another_expression_on_the_same_creature_is_another_picture():
    faces = [draw_scene(random_scene(77, expression=mood, style="flat"), 256) for mood in ("happy", "surprised")]
    assert near_duplicate_pairs([signature(face) for face in faces]) == []


def test_a_copy_of_a_copy_belongs_to_the_group_and_its_side_is_found_along_the_way():
    pictures = [cat(), ImageOps.mirror(cat()), ImageOps.mirror(cat()).crop((0, 0, 420, 280)), photograph("coffee")]
    [group] = near_duplicate_groups([signature(picture) for picture in pictures])
    assert group.indices == (0, 1, 2)
    assert group.relation(1, 2) == "same"
    assert group.relation(0, 2) == "mirrored"


def test_the_bounds_lose_no_pair_that_is_found_without_them(strangers):
    copies = [signature(ImageOps.mirror(change()) if mirrored else change()) for change in COPIES.values() for mirrored in (False, True)]
    figures = [draw_scene(random_scene(30 + i, background="meadow"), 96) for i in range(20)]  # alike, and no copies
    signatures = [*(signature(picture) for picture in (*strangers, *figures)), *copies]
    found = {(pair.first, pair.second) for pair in near_duplicate_pairs(signatures)}
    one, other = np.triu_indices(len(signatures), 1)
    brightness = np.array([each.luma.sum(dtype=int) for each in signatures])
    swapped = brightness[one] > brightness[other]
    one, other = np.where(swapped, other, one), np.where(swapped, one, other)
    everything = set()
    for turned in (False, True):
        near = _Spectra(signatures).uncropped_distance(one, other, turned) < SIEVE
        everything |= {(p.first, p.second) for p in _compared(signatures, one[near], other[near], "mirrored" if turned else "same")}
    assert len(everything) > 50
    assert found == everything


@pytest.mark.parametrize("words", [1, 3])
def test_how_many_words_are_compared_at_once_changes_nothing(strangers, words, monkeypatch):
    signatures = [signature(picture) for picture in (*strangers, COPIES["compressed"](), COPIES["narrower"]())]
    usual = near_duplicate_pairs(signatures)
    assert usual
    monkeypatch.setattr(bounds, "_words_at_once", lambda ones, others: words)
    monkeypatch.setattr(bounds, "ENOUGH", 7)
    monkeypatch.setattr(bounds, "COLUMNS", 5)
    assert near_duplicate_pairs(signatures) == usual


@pytest.fixture
def laid_over(monkeypatch):
    """Counts the pairs of pictures that are laid over one another, which is what takes the time."""
    counts = []
    compare = duplicates._compared

    def counted(signatures, ones, others, relation):
        counts.append(len(ones))
        return compare(signatures, ones, others, relation)

    monkeypatch.setattr(duplicates, "_compared", counted)
    return lambda: sum(counts)


def test_a_thousand_frames_of_one_shot_are_one_group_without_comparing_all_of_them(laid_over):
    small = np.asarray(photograph("coffee").resize((96, 64))).astype(int)
    rng = np.random.default_rng(0)
    frames = [
        np.clip(small + rng.integers(-6, 7, small.shape), 0, 255).astype(np.uint8)[:, :: -1 if i % 4 == 3 else 1] for i in range(1000)
    ]
    [group] = near_duplicate_groups([signature(Image.fromarray(frame)) for frame in frames])
    assert group.indices == tuple(range(1000))
    assert group.turned == frozenset(range(3, 1000, 4))
    assert len(group.pairs) < 1000 * MANY / 2  # of half a million
    assert laid_over() < 1000 * MANY


def test_the_order_of_the_pictures_changes_the_groups_only_in_their_numbers(strangers):
    pictures = [*strangers, COPIES["compressed"](), COPIES["narrower"]()]
    forward = near_duplicate_groups([signature(p) for p in pictures])
    backward = near_duplicate_groups([signature(p) for p in reversed(pictures)])
    last = len(pictures) - 1
    assert [g.indices for g in forward] == [tuple(sorted(last - i for i in g.indices)) for g in backward]


def test_equal_flat_pictures_are_copies_and_different_ones_are_not():
    flat = [Image.new("RGB", (64, 64), colour) for colour in ("white", "white", "black", "teal")]
    assert [group.indices for group in near_duplicate_groups([signature(p) for p in flat])] == [(0, 1)]


@pytest.mark.parametrize("count", [0, 1])
def test_none_and_one_are_no_group(count):
    assert near_duplicate_groups([signature(cat())] * count) == []


@pytest.mark.parametrize("size", [(1, 1), (3, 400), (2000, 2)])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "CMYK"])
def test_any_picture_has_a_signature_that_survives_its_bytes(size, mode):
    one = signature(Image.new(mode, size))
    again = Signature.from_bytes(one.to_bytes())
    assert np.array_equal(one.luma, again.luma)
    assert np.array_equal(one.chroma, again.chroma)


def test_of_three_thousand_strangers_few_pairs_are_laid_over_one_another(laid_over):
    rng = np.random.default_rng(0)
    rough = rng.integers(0, 256, (3000, 6, 6, 3), dtype=np.uint8)
    signatures = [signature(Image.fromarray(one).resize((48, 48), Image.Resampling.BICUBIC)) for one in rough]
    signatures.append(signatures[1234])
    [group] = near_duplicate_groups(signatures)
    assert group.indices == (1234, 3000)
    assert laid_over() < len(signatures)  # of four and a half million


def test_of_a_group_those_that_are_the_other_way_round_than_most_are_the_mirrored_ones():
    rocket = photograph("rocket")
    pictures = [ImageOps.mirror(rocket), rocket, rocket.resize((320, 214))]
    (group,) = near_duplicate_groups([signature(one) for one in pictures])
    assert group.mirrored == {0}
    (pair,) = near_duplicate_groups([signature(one) for one in pictures[:2]])
    assert pair.mirrored == frozenset()  # either may be
