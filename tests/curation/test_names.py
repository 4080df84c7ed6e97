"""Names of pictures: legal everywhere, and one for each."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.curation.names import DEVICES, ILLEGAL, LONGEST, TakenNames, printable, safe_folder, safe_stem, same_place


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("cat", "cat"),
        ("my cat  (2)", "my_cat_(2)"),
        ('zorvex: what? "a horn" *', "zorvex_what_a_horn"),
        ("CON", "CON_"),
        ("nul.old", "nul_.old"),
        ("com¹", "com¹_"),
        ("context", "context"),
        (".hidden", "hidden"),
        ("ends in dots...", "ends_in_dots"),
        ("a\\b/c", "a_b_c"),
        ("tab\there\x00\x7f", "tab_here"),
        ("broken\udcff", "broken"),
        ("???", "picture"),
        ("", "picture"),
        (unicodedata.normalize("NFD", "zörvex ☃"), unicodedata.normalize("NFC", "zörvex_☃")),
    ],
)
def test_a_name_is_made_safe(name, safe):
    assert safe_stem(name) == safe


def test_a_folder_keeps_the_words_that_stand_in_for_captions():
    assert safe_folder("10_anna, red hat") == "10_anna, red hat"
    assert safe_folder("10_anna: red/hat ") == "10_anna red hat"


def test_long_names_are_cut_and_stay_apart():
    one, other = "ß" * 300 + "a", "ß" * 300 + "b"
    assert len(safe_stem(one).encode()) <= LONGEST
    assert safe_stem(one) != safe_stem(other)


@given(st.text())
def test_every_name_can_be_written_and_is_safe_already(name):
    safe = safe_stem(name)
    assert safe_stem(safe) == safe
    assert safe
    assert len(safe.encode()) <= LONGEST + 1
    assert not set(safe) & set(ILLEGAL + " ")
    assert safe.split(".")[0].casefold() not in DEVICES
    assert safe[0] != "."
    assert safe[-1] not in ". "


def test_names_that_some_system_takes_for_one_get_numbers():
    names = TakenNames(["cat"])
    given_out = [names.claim(stem) for stem in ("Cat", "CAT", "dog", "é", unicodedata.normalize("NFD", "é"))]
    assert given_out == ["Cat_2", "CAT_3", "dog", "é", unicodedata.normalize("NFD", "é") + "_2"]


def test_a_second_candidate_comes_before_a_number():
    names = TakenNames(["1"])
    assert names.claim("1", "dogs_1") == "dogs_1"
    assert names.claim("1", "dogs_1") == "1_2"


@given(st.lists(st.sampled_from(["a", "A", "a_2", "a_2_2", "é", "e\u0301", "straße", "STRASSE"])))
def test_no_two_pictures_ever_share_a_name(stems):
    names = TakenNames()
    claimed = [same_place(names.claim(stem)) for stem in stems]
    assert len(set(claimed)) == len(claimed)


def test_characters_that_are_not_seen_are_left_out_but_for_those_that_join_emoji():
    assert safe_stem("\u202egnp.exe") == "gnp.exe"
    assert safe_stem("a\u200bcat\ufeff") == "a_cat"
    assert safe_stem("family \U0001f468\u200d\U0001f469") == "family_\U0001f468\u200d\U0001f469"


def test_a_name_that_would_steer_the_terminal_is_shown_as_numbers():
    assert printable("pile/red\x1b[31m\ncat.png") == "pile/red\\x1b[31m\\ncat.png"
    assert printable("caf\udce9 \u732b.png") == "caf\\udce9 \u732b.png"
