"""From probabilities to tags: thresholds, MCut, filters, and what becomes of captions that are there already."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.captions.caption import KAOMOJI, plain_tag
from lorasmith.captions.taggers.tag_choice import (
    TagChoice,
    TagProbability,
    choose_tags,
    mcut_threshold,
    merge_tags,
)
from lorasmith.captions.vocabulary import Vocabulary

PROBABILITIES = [
    TagProbability("solo", "general", 0.99), TagProbability("long_hair", "general", 0.9), TagProbability("^_^", "general", 0.6), TagProbability("hat", "general", 0.35),
    TagProbability("dog", "general", 0.3), TagProbability("saber_(fate)", "character", 0.86), TagProbability("rin", "character", 0.5),
    TagProbability("fate_(series)", "copyright", 0.7), TagProbability("safe", "rating", 0.8), TagProbability("explicit", "rating", 0.2),
]  # fmt: skip


def chosen(vocabulary=None, **choice):
    return choose_tags(PROBABILITIES, TagChoice(**choice), vocabulary)


def test_general_and_character_tags_have_their_own_thresholds():
    assert chosen() == ["solo", "long hair", "saber (fate)", "^_^"]
    assert chosen(general_threshold=0.2) == ["solo", "long hair", "saber (fate)", "^_^", "hat", "dog"]
    assert chosen(character_threshold=0.4) == ["solo", "long hair", "saber (fate)", "^_^", "rin"]
    assert chosen(general_threshold=0.35) == chosen(general_threshold=0.36)  # above, not at


def test_categories_are_a_choice_and_the_rating_has_its_own_switch():
    assert chosen(categories=("copyright",), thresholds={"copyright": 0.6}) == ["fate (series)"]
    assert chosen(categories=("copyright",), thresholds={"copyright": 0.8}) == []
    assert chosen(categories=("rating",)) == []
    assert chosen(categories=("character",), rating=True) == ["saber (fate)", "safe"]


def test_the_most_tags_are_the_most_probable_ones_after_what_is_unwanted_is_out():
    assert chosen(max_tags=2) == ["solo", "long hair"]
    assert chosen(max_tags=2, blacklist=("long hair",)) == ["solo", "saber (fate)"]
    assert chosen(max_tags=1, prepend=("zorvex",), append=("end",), rating=True) == ["zorvex", "solo", "safe", "end"]


def test_no_tag_is_repeated_and_prepended_ones_keep_their_place():
    assert chosen(prepend=("zorvex", "long hair"), append=("solo",)) == ["zorvex", "long hair", "solo", "saber (fate)", "^_^"]


def test_underscores_go_except_in_kaomoji_and_parentheses_are_escaped_on_request():
    assert chosen(keep_underscores=True) == ["solo", "long_hair", "saber_(fate)", "^_^"]
    assert chosen(escape_parentheses=True)[2] == "saber \\(fate\\)"
    faces = [TagProbability(face, "general", 0.9) for face in sorted(KAOMOJI)]
    assert set(choose_tags(faces, TagChoice(escape_parentheses=True))) == KAOMOJI
    assert choose_tags([TagProbability("ready,_set,_go!", "general", 0.9)], TagChoice()) == ["ready set go!"]
    assert plain_tag("a_b_\\(c_d\\)") == "a b (c d)"


def test_a_tag_beside_one_that_implies_it_is_left_out():
    known = Vocabulary({}, {}, {"solo": ["long_hair"]})
    assert chosen(known) == ["solo", "saber (fate)", "^_^"]
    assert chosen(known, drop_implied=False) == chosen()
    assert chosen(known, max_tags=3) == ["solo", "saber (fate)", "^_^"]  # the room goes to another tag


def test_mcut_cuts_in_the_widest_gap():
    assert mcut_threshold([0.99, 0.97, 0.9, 0.4, 0.38, 0.1, 0.02]) == pytest.approx(0.65)
    assert mcut_threshold([0.1, 0.9]) == pytest.approx(0.5)
    assert mcut_threshold([0.9]) == 1.0


def test_mcut_of_characters_never_goes_very_low():
    faint = [TagProbability("rin", "character", 0.14), TagProbability("solo", "general", 0.12)]
    assert choose_tags(faint, TagChoice(mcut=True)) == ["solo"]
    assert chosen(mcut=True) == ["solo", "long hair", "saber (fate)", "rin"]  # widest gaps: 0.9 to 0.6, and 0.5 to nothing


@given(st.lists(st.floats(0, 1), min_size=2, max_size=50))
def test_mcut_always_separates_the_highest_from_the_lowest(values):
    assert min(values) <= mcut_threshold(values) <= max(values)


def test_modes_ignore_append_and_overwrite():
    assert merge_tags(["cat"], ["dog"], "ignore") is None
    assert merge_tags([], ["dog"], "ignore") == ["dog"]
    assert merge_tags(["long hair", "cat"], ["long_hair", "dog"], "append") == ["long hair", "cat", "dog"]
    assert merge_tags(["cat"], ["dog"], "overwrite") == ["dog"]
    assert merge_tags(["cat"], ["cat"], "append") is None
    assert merge_tags(["cat"], ["cat"], "overwrite") is None
