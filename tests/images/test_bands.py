"""Of very many pictures those with a hash in common are compared: the same groups as by all pairs, in n log n."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from benchmarks.duplicates import SETS, with_copies
from lorasmith.images import bands, duplicates
from lorasmith.images.bands import NEAREST, PER_KEY
from lorasmith.images.duplicates import Signature, near_duplicate_groups, signature
from tests.images.test_duplicates import COPIES, laid_over, strangers

__all__ = ["laid_over", "strangers"]


def by_bands(signatures):
    """The groups when there are too many pairs to look at all of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "ALL_PAIRS", 0)
        return near_duplicate_groups(signatures)


def keys_of(signatures):
    """The views, and one band's keys: places of views, keys x views of one key."""
    views = bands.joined([bands.views_of(halves) for halves in duplicates._halves(signatures)])
    count, each, size = views.values.shape
    [runs] = bands._runs(views.values.reshape(-1, size), views.noise, np.arange(count * each), np.random.default_rng(0))
    return views, runs


def test_the_groups_are_those_of_the_comparison_of_all_pairs(strangers):
    changed = [change() for change in COPIES.values()]
    signatures = [signature(picture) for picture in (*strangers, *changed, *(ImageOps.mirror(copy) for copy in changed))]
    groups = near_duplicate_groups(signatures)
    assert [len(group.indices) for group in groups] == [1 + 2 * len(COPIES)]
    banded = by_bands(signatures)
    assert [(group.indices, group.turned) for group in banded] == [(group.indices, group.turned) for group in groups]


@pytest.mark.parametrize("of", SETS)
def test_copies_are_found_in_any_kind_of_set(of):
    """Of eight copies each; a copy is missed by one band in about forty, and by six of them in many millions."""
    signatures, planted = with_copies(800, of)
    groups = by_bands(signatures)
    assert {group.indices for group in groups} == planted == {group.indices for group in near_duplicate_groups(signatures)}


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 2), st.booleans()), min_size=2, max_size=60))
def test_any_mixture_of_pictures_and_copies_gives_the_same_groups(names):
    def made(seed, noise, mirrored):
        rough = np.random.default_rng(seed).integers(0, 256, (6, 6), dtype=np.uint8)
        luma = np.kron(rough, np.ones((8, 8), np.uint8)) // 2 + 32
        luma = luma + np.random.default_rng(noise).integers(0, 1 + 2 * noise, (48, 48)).astype(np.uint8)
        return Signature(np.ascontiguousarray(luma[:, :: -1 if mirrored else 1]), np.full((24, 24, 2), 128, np.uint8))

    signatures = [made(*name) for name in names]
    assert [group.indices for group in by_bands(signatures)] == [group.indices for group in near_duplicate_groups(signatures)]


def test_only_what_is_new_is_compared_with_what_was_compared_before():
    signatures, planted = with_copies(400, "varied")
    new = set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "ALL_PAIRS", 0)
        for pair in duplicates.near_duplicate_pairs(signatures, compared=398):
            new.add((pair.first, pair.second))
    assert new == {pair for pair in planted if pair[1] >= 398}
    assert len(new) == 2


def test_thousands_of_blank_pictures_are_one_group_and_none_is_laid_over_another(laid_over):
    blank = [signature(Image.new("RGB", (8, 8), "white"))] * 3000
    [group] = by_bands([*blank, signature(Image.new("RGB", (8, 8), "black"))])
    assert group.indices == tuple(range(3000))
    assert len(group.pairs) == 2999
    assert laid_over() == 0


def test_nearly_equal_pictures_fill_no_key(laid_over):
    """Frames of one shot, each a little different: they are connected by far fewer pairs than there are."""
    rng = np.random.default_rng(0)
    shot = rng.integers(40, 200, (48, 48))
    frames = [Signature((shot + rng.integers(-2, 3, shot.shape)).astype(np.uint8), np.full((24, 24, 2), 128, np.uint8)) for _ in range(400)]
    [group] = by_bands(frames)
    assert group.indices == tuple(range(400))
    assert laid_over() < 400 * PER_KEY
    views, runs = keys_of(frames)
    pairs, _ = bands._alike(views, runs, 0)
    assert 0 < len(pairs) <= runs.size * NEAREST  # of half of `PER_KEY` times as many


def test_no_key_is_held_by_many_views():
    signatures, _ = with_copies(700, "one backdrop")
    views, runs = keys_of(signatures)
    assert runs.shape[1] <= PER_KEY
    assert np.array_equal(np.unique(runs), np.arange(views.values.shape[0] * views.values.shape[1]))


def test_what_one_band_misses_another_finds(monkeypatch):
    signatures, planted = with_copies(800, "varied")
    monkeypatch.setattr(bands, "PER_KEY", 2)  # more bits, so that a copy is parted more often
    found = {}
    for count in (1, 6):
        monkeypatch.setattr(bands, "BANDS", count)
        found[count] = {group.indices for group in by_bands(signatures)}
    assert found[1] < found[6] <= planted


def test_more_views_than_are_hashed_together_are_parted_first(monkeypatch):
    signatures, planted = with_copies(700, "varied")
    monkeypatch.setattr(bands, "AT_ONCE", 1000)
    assert {group.indices for group in by_bands(signatures)} == planted
