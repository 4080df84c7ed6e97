"""Filters find what a person would find, and say where they cannot be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.captions.caption import Caption
from lorasmith.captions.collection import Entry
from lorasmith.captions.filters import parse_filter
from lorasmith.errors import InputError


def entry(text: str, picture: str = "anna/0001.png") -> Entry:
    return Entry(picture.rsplit(".", 1)[0] + ".txt", (picture,), Caption(text.encode()), exists=True)


CAPTIONS = {
    "hat": entry("zorvex, red hat, beach", "anna/0001.png"),
    "long": entry("zorvex, long hair, blue eyes, city (night), smile", "anna/0002.jpg"),
    "sentence": entry("A cat sits on a beach, it's asleep.", "bob/draft-1.png"),
    "escaped": entry(r"zorvex, cat \(animal\), :3, what?!", "bob/0003.png"),
    "empty": entry("", "bob/0004.png"),
}


def found(text: str, **options) -> set[str]:
    matches = parse_filter(text, **options).matches
    return {name for name, one in CAPTIONS.items() if matches(one)}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("tag:zorvex", {"hat", "long", "escaped"}),
        ("tag:ZORVEX", {"hat", "long", "escaped"}),
        ("tag:hat", set()),
        ("tag:*hat", {"hat"}),
        ("tag:zorve?", {"hat", "long", "escaped"}),
        ('tag:"red hat"', {"hat"}),
        ("tag:'red hat'", {"hat"}),
        ('tag:"cat (animal)"', {"escaped"}),
        (r'tag:"cat \(animal\)"', {"escaped"}),
        ("tag:*(night)", {"long"}),
        ("(tag:*(night))", {"long"}),
        ("tag::3", {"escaped"}),
        (r"tag:what\?!", {"escaped"}),
        (r"tag:\?", set()),
        ("caption:beach", {"hat", "sentence"}),
        ('caption:"on a"', {"sentence"}),
        ("caption:cat*asleep", {"sentence"}),
        ("caption:it's", {"sentence"}),
        ("name:draft", {"sentence"}),
        ("name:anna", set()),
        ("path:anna/", {"hat", "long"}),
        ("path:anna/*.jpg", {"long"}),
        ("beach", {"hat", "sentence"}),
        ("bob", {"sentence", "escaped", "empty"}),
        ("tags:3", {"hat"}),
        ("tags:>=4", {"long", "escaped"}),
        ("tags:<=2", {"sentence", "empty"}),
        ("tags:!=0", {"hat", "long", "sentence", "escaped"}),
        ("chars:0", {"empty"}),
        ("chars:>40", {"long"}),
        ("NOT tag:zorvex", {"sentence", "empty"}),
        ("NOT NOT tag:zorvex", {"hat", "long", "escaped"}),
        ("tag:zorvex AND beach", {"hat"}),
        ("tag:smile OR name:draft AND tags:2", {"long", "sentence"}),
        ("(tag:smile OR name:draft) AND tags:2", {"sentence"}),
        ("NOT (tag:zorvex OR chars:0)", {"sentence"}),
        ("NOT tag:zorvex AND chars:0", {"empty"}),
        ('"AND"', set()),
        ("and", set()),
    ],
)
def test_a_filter_finds(text, names):
    assert found(text) == names


def test_tokens_are_counted_by_the_counter_that_is_given():
    assert found("tokens:>6", count_tokens=lambda text: len(text.split())) == {"long", "sentence"}


def test_tokens_are_those_of_the_line_that_training_reads():
    one = entry("zorvex, hat\nA long sentence that is never trained.")
    assert parse_filter("tokens:2", lambda text: len(text.split())).matches(one)


@pytest.mark.parametrize(
    ("text", "character", "words"),
    [
        ("", 1, "ends where a condition"),
        ("tag:hat AND", 12, "ends where a condition"),
        ("tag:red hat", 9, "needs quotes"),
        ("(tag:hat", 1, "never closed"),
        ("tag:hat)", 8, "never opened"),
        ("tag:hat OR OR tag:a", 12, "instead of OR"),
        ('tag:"hat', 5, "quote is never closed"),
        ('tag:"hat"x', 10, "closing quote"),
        ("tga:hat", 1, "did you mean tag:"),
        ("re:zero", 1, "needs quotes"),
        ("tags:>many", 6, "compares with a number"),
        ("tags:", 6, "needs a value"),
        ("tag:hat AND tokens:>75", 13, "name the base"),
    ],
)
def test_a_text_that_is_not_a_filter_is_refused_with_the_place(text, character, words):
    with pytest.raises(InputError, match=f"at character {character}: ") as refusal:
        parse_filter(text)
    assert words in str(refusal.value)


TERMS = st.sampled_from(["tag:zorvex", "beach", "tags:>2", "name:draft", 'tag:"red hat"'])
FILTERS = st.recursive(
    TERMS,
    lambda inner: st.one_of(
        inner.map(lambda one: f"NOT ({one})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}) AND ({two[1]})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}) OR ({two[1]})"),
    ),
    max_leaves=6,
)


@given(FILTERS, FILTERS)
def test_filters_obey_the_laws_of_logic(one, other):
    both, either = found(f"({one}) AND ({other})"), found(f"({one}) OR ({other})")
    assert both == found(one) & found(other)
    assert either == found(one) | found(other)
    assert found(f"NOT ({one})") == set(CAPTIONS) - found(one)


@given(st.text("tagnmeORANDNOT:()\"'\\*?<>= 0129", max_size=30))
def test_any_text_is_a_filter_or_is_refused_with_a_place(text):
    refused = ""
    try:
        found(text)
    except InputError as refusal:
        refused = str(refusal)
    assert not refused or "at character" in refused
