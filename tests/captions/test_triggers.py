"""Trigger words: first everywhere, leaking nowhere, and looked at as the base's own tokenizers see them."""

from __future__ import annotations

import pytest
from transformers import AutoTokenizer

from lorasmith.captions.caption import Caption
from lorasmith.captions.token_limit import count_tokens, pieces, what_falls_off
from lorasmith.captions.triggers import (
    check_trigger,
    find_leaks,
    mended,
    suggest_triggers,
    triggers_from,
    triggers_of_folder,
    with_triggers,
)
from lorasmith.demo.weights import BASE
from lorasmith.errors import InputError


@pytest.fixture(scope="session")
def tokenizer():
    return AutoTokenizer.from_pretrained(BASE / "tokenizer", local_files_only=True)


CLIP_PIECES = {"zorvex": ["zor", "vex</w>"], "sks": ["sks</w>"], "catgirl": ["cat", "girl</w>"], "cat": ["cat</w>"], "girl": ["girl</w>"],
               "vex": ["ve", "x</w>"], "zor": ["z", "or</w>"], "hat": ["hat</w>"]}  # fmt: skip


class Clip:
    """Splits as CLIP's tokenizer does a few words that matter here."""

    def tokenize(self, text):
        return [piece for word in text.lower().split() for piece in CLIP_PIECES.get(word, [*word[:-1], word[-1] + "</w>"])]


def caption(text):
    return Caption(text.encode())


def leaks(text, *triggers):
    return [(leak.kind, leak.where) for leak in find_leaks({"1.txt": caption(text)}, triggers or ("zorvex",))]


# -- setting ----------------------------------------------------------------------------------------------------------


def test_the_trigger_becomes_the_first_tag_once():
    assert with_triggers(caption("hat, zorvex, happy\n"), ["zorvex"]).raw == b"zorvex, hat, happy\n"
    assert with_triggers(caption(""), ["zorvex"]).text == "zorvex"
    assert with_triggers(caption("old,hat"), ["zorvex"], replacing=["old"]).raw == b"zorvex,hat"
    unchanged = caption("zorvex, hat,  happy,")
    assert with_triggers(unchanged, ["zorvex"]) is unchanged


def test_several_triggers_keep_their_order():
    both = triggers_from("anna, red dress")
    assert both == ("anna", "red dress") == triggers_of_folder("sets/10_anna, red dress")
    assert with_triggers(caption("red dress, hat, anna"), both).text == "anna, red dress, hat"
    assert triggers_of_folder("2024_holiday") == () == triggers_of_folder("anna")
    with pytest.raises(InputError, match="No trigger"):
        triggers_from(" , ")


# -- leaks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found", "after"),
    [
        ("zorvex, hat", [], "zorvex, hat"),
        ("hat, happy", [("missing", "")], "zorvex, hat, happy"),
        ("hat, zorvex, happy", [("not first", "place 2 of 3")], "zorvex, hat, happy"),
        ("zorvexian, hat", [("missing", ""), ("inside a word", "zorvexian")], "zorvex, hat"),
        ("zorvex, zorvex hat", [("inside a tag", "zorvex hat")], "zorvex, hat"),
        ("zorvex, happy Zorvexian face", [("inside a word", "happy Zorvexian face")], "zorvex, happy face"),
        ("zorvex sits on a wall in the evening sun", [], "zorvex sits on a wall in the evening sun"),
        ("A wall on which zorvex sits in the sun.", [("not first", "A wall on which zorvex sits in the sun.")], "zorvex, A wall on which zorvex sits in the sun."),
        ("", [("missing", "")], "zorvex"),
        ("hat, happy\nzorvex wears a hat.", [("not first", "zorvex wears a hat.")], "zorvex, hat, happy\nzorvex wears a hat."),
    ],
)  # fmt: skip
def test_leaks_are_found_and_mended(text, found, after):
    assert leaks(text) == found
    better = mended(caption(text), ["zorvex"])
    assert better.text == after
    assert find_leaks({"1.txt": better}, ["zorvex"]) == []
    assert mended(better, ["zorvex"]) is better


def test_a_pair_in_the_wrong_order_is_a_leak():
    assert leaks("red dress, anna, hat", "anna", "red dress") == [
        ("in another order", "place 2 of 3"),
        ("in another order", "place 1 of 3"),
    ]
    assert mended(caption("red dress, anna, hat"), ["anna", "red dress"]).text == "anna, red dress, hat"
    assert leaks("anna, hat, red dress", "anna", "red dress") == [("not first", "place 3 of 3")]
    assert leaks("saber \\(fate\\), hat", "saber (fate)") == []


# -- is it a good one? ------------------------------------------------------------------------------------------------


def doubts(word, **known):
    return [doubt.kind for doubt in check_trigger(word, {"tokenizer": Clip()}, **known).doubts]


def test_a_made_up_word_is_split_and_raises_no_doubt(tokenizer):
    check = check_trigger("zorvex", {"tokenizer": Clip(), "demo": tokenizer}, tags=["hat", "cat"])
    assert check.splits == {"tokenizer": ["zor", "vex"], "demo": ["z", "or", "v", "e", "x"]}
    assert check.doubts == ()


def test_ordinary_words_and_words_made_of_them_are_doubted(tokenizer):
    assert doubts("sks") == ["ordinary word"]
    assert doubts("zorvex cat") == ["ordinary word"]
    assert doubts("catgirl") == ["ordinary words"]
    assert [doubt.kind for doubt in check_trigger("hat", {"demo": tokenizer}).doubts] == ["ordinary word"]


def test_collisions_with_tags_and_other_triggers_are_doubted():
    assert doubts("zorvex", known=["zorvex"]) == ["known tag"]
    assert doubts("zorvex", others=["zorvexa"]) == ["other trigger"]
    assert doubts("zorvex", tags=["big zorvex hat", "hat"]) == ["inside a tag"]
    assert doubts("quilmarok") == ["many tokens"]
    assert doubts("Zorvex") == ["case"]


def test_suggested_words_are_new_and_raise_no_doubt(tokenizer):
    tokenizers = {"demo": tokenizer}
    suggested = suggest_triggers(tokenizers, tags=["hat", "red scarf"], count=5, seed=3)
    assert len({check.trigger for check in suggested}) == 5
    for check in suggested:
        assert len(check.splits["demo"]) >= 2
        assert not [doubt for doubt in check.doubts if doubt.warning]
    assert suggested == suggest_triggers(tokenizers, tags=["hat", "red scarf"], count=5, seed=3)
    assert suggested != suggest_triggers(tokenizers, tags=["hat", "red scarf"], count=5, seed=4)
    first = suggested[0].trigger
    assert first not in {check.trigger for check in suggest_triggers(tokenizers, tags=[f"a {first}"], count=5, seed=3)}


def test_a_suggested_word_reminds_of_the_name_where_that_means_nothing_yet(tokenizer):
    def suggested(name, **known):
        return [check.trigger for check in suggest_triggers({"demo": tokenizer}, name=name, count=3, **known)]

    assert suggested("Zoé Zorvex") == ["zoe", "zorvex", "zoezor"]
    assert suggested("The cat Mimi")[:1] == ["mimi"]  # `the` and `cat` are words that the base knows
    assert suggested("Mimi", tags=["mimi hat"])[0] != "mimi"
    assert suggested("ミミ 2") == suggested("")


# -- tokens -----------------------------------------------------------------------------------------------------------


def test_what_falls_off_begins_with_the_first_word_that_is_not_read_whole(tokenizer):
    text = "red body, happy, zorvex, sitting"
    assert pieces(text, tokenizer)[:4] == ["red", "body", ",", "happy"]
    everything = count_tokens(text, tokenizer)
    assert what_falls_off(text, tokenizer, everything) == ""
    assert what_falls_off(text, tokenizer, everything - 1) == "sitting"
    assert what_falls_off(text, tokenizer, 7) == "zorvex, sitting"  # its first pieces are read, the word is not
    assert what_falls_off(text, tokenizer, 1) == "body, happy, zorvex, sitting"
    assert what_falls_off("zorvex", tokenizer, 2) == "zorvex"
