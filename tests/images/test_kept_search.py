"""A search that is kept compares what is new with all, finds what a search from the start finds, and forgets what is gone."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorasmith.images import duplicates, kept_search
from lorasmith.images.duplicates import MANY, Signature, near_duplicate_groups
from lorasmith.images.kept_search import near_duplicates
from lorasmith.images.picture_cache import PictureCache


def signature(seed, noise=0):
    """A picture of soft blobs; one of the same seed and other noise is a copy of it."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 6), dtype=np.uint8)
    luma = np.kron(small, np.ones((8, 8), np.uint8))
    grain = np.random.default_rng(1000 + noise).integers(0, 3 if noise else 1, (48, 48), dtype=np.uint8)
    return Signature(np.clip(luma.astype(int) + grain, 0, 255).astype(np.uint8), np.full((24, 24, 2), 128, np.uint8))


PICTURES = {(seed, noise): signature(seed, noise) for seed in range(5) for noise in range(3)}


def content(name):
    return hashlib.sha256(repr(name).encode()).hexdigest()


def search(names, cache, pictures=PICTURES, place="set"):
    """Groups as the names that are in them."""
    groups = near_duplicates([content(name) for name in names], [pictures[name] for name in names], cache, place)
    return [[names[index] for index in group.indices] for group in groups]


@pytest.fixture
def looked_at(monkeypatch):
    """The pairs that come out of the first sieve's comparison of all with all: how many were looked at."""
    counted = []
    real = duplicates.possible_pairs

    def possible_pairs(bounds, settled, compared=0):
        count = len(bounds.value)
        counted.append(count * (count - 1) // 2 - compared * (compared - 1) // 2)
        yield from real(bounds, settled, compared)

    monkeypatch.setattr(duplicates, "possible_pairs", possible_pairs)
    return counted


def test_pictures_that_were_compared_are_not_compared_again(tmp_path, looked_at):
    names = list(PICTURES)
    with PictureCache(tmp_path) as cache:
        first = search(names, cache)
    assert looked_at == [15 * 14 // 2]
    assert first == [[(seed, noise) for noise in range(3)] for seed in range(5)]
    with PictureCache(tmp_path) as cache:
        assert search(names, cache) == first
        assert search(names[::-1], cache) == [group[::-1] for group in first[::-1]]
        assert search(names[3:], cache) == first[1:]
    assert len(looked_at) == 1


def test_a_new_picture_is_compared_with_all_and_a_changed_one_drops_its_pairs(tmp_path, looked_at):
    names = list(PICTURES)
    with PictureCache(tmp_path) as cache:
        search(names, cache)
        pictures = {**PICTURES, "new": signature(3, 9), "changed": signature(77)}
        assert search([*names, "new"], cache, pictures)[3] == [(3, 0), (3, 1), (3, 2), "new"]
        assert search(["changed", *names[1:], "new"], cache, pictures)[0] == [(0, 1), (0, 2)]
    assert looked_at == [15 * 14 // 2, 15, 15]


def test_pictures_of_two_places_were_not_compared_with_each_other(tmp_path):
    with PictureCache(tmp_path) as cache:
        assert search([(0, 0)], cache, place="one") == search([(0, 1)], cache, place="two") == []
        assert search([(0, 0), (0, 1)], cache, place="one") == [[(0, 0), (0, 1)]]


def test_the_same_bytes_are_copies_of_each_other():
    assert search([(0, 0), (1, 0), (0, 0), (0, 1)], PictureCache(None)) == [[(0, 0), (0, 0), (0, 1)]]


@settings(max_examples=15)
@given(st.lists(st.lists(st.sampled_from(sorted(PICTURES)), min_size=1, max_size=15), min_size=2, max_size=4))
def test_a_kept_search_finds_what_one_from_the_start_finds(tmp_path_factory, lists):
    with PictureCache(tmp_path_factory.mktemp("cache")) as cache:
        for names in lists:
            fresh = near_duplicate_groups([PICTURES[name] for name in names])
            assert search(names, cache) == [[names[index] for index in group.indices] for group in fresh]


def test_a_large_group_is_searched_again_where_one_of_it_is_gone(tmp_path, monkeypatch):
    """Not all pairs of a large group are looked for, so the one that is gone may have been all that connected the others."""
    count = MANY + 20
    pictures = {number: signature(0, number) for number in range(count)} | {"other": signature(1)}
    with PictureCache(tmp_path) as cache:
        assert search(list(pictures), cache, pictures) == [list(range(count))]
        kept = kept_search._recalled(cache.get(kept_search.KIND, kept_search.key_of("set")))
        degrees = np.bincount([place for pair in kept.pairs for place in (pair.first, pair.second)])
        gone = int(degrees.argmax())
        left = [name for name in pictures if name != gone]
        assert search(left, cache, pictures) == [[number for number in range(count) if number != gone]]
