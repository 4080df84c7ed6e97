"""What training makes of a caption: nothing is lost, the head stays, and equal draws give equal captions."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.captions.caption import join_tags, split_tags
from lorasmith.captions.rules import CaptionRules, caption_for_training, longest_readings
from lorasmith.errors import SettingsError

TAGS = st.lists(st.sampled_from(["cat", "dog", "red hat", "solo", "night", "1girl", "smile (soft)", "猫"]), max_size=10)
SEEDS = st.integers(0, 2**32)


def trained_on(caption: str, rules: CaptionRules, seed: int = 0) -> str:
    return caption_for_training(caption, rules, random.Random(seed))


@pytest.mark.parametrize(
    "caption", ["A jar of 1,000 buttons, priced $2,50 each.", "red hat,blue coat", "a, , b,", "see http://a.b/c,d", " cat ,red hat,, solo "]
)
def test_without_rules_a_caption_is_read_as_the_file_has_it(caption: str):
    assert trained_on(caption, CaptionRules()) == caption.strip()
    assert trained_on(f"{caption}\nmore", CaptionRules(lines="all")) == f"{caption}\nmore".strip()


def test_a_trigger_changes_nothing_behind_it():
    assert trained_on("A jar of 1,000 buttons,", CaptionRules(trigger="zkw")) == "zkw, A jar of 1,000 buttons,"
    assert trained_on("zkw,red hat,1,000", CaptionRules(trigger="zkw")) == "zkw,red hat,1,000"
    assert trained_on("red hat,1,000, zkw,blue", CaptionRules(trigger="zkw")) == "zkw, red hat,1,000,blue"


def test_tags_are_joined_by_their_own_separator():
    moved = trained_on("red hat, big; coat; scarf", CaptionRules(separator=";", shuffle=True), 1)
    assert sorted(moved.split("; ")) == ["coat", "red hat, big", "scarf"]
    assert trained_on("red hat, big; coat", CaptionRules(separator=";")) == "red hat, big; coat"


def test_shuffled_sentences_stay_sentences():
    rules = CaptionRules(separator=". ", shuffle=True)
    moved = {trained_on("A lamp is on. It is red. A desk is below.", rules, seed) for seed in range(20)}
    assert len(moved) == 6
    assert all(sorted(text.removesuffix(".").split(". ")) == ["A desk is below", "A lamp is on", "It is red"] for text in moved)


def test_the_separator_of_kept_tags_never_reaches_the_model():
    caption = "lamp, ||| desk, 1,000 ||| soft light"
    assert trained_on(caption, CaptionRules(keep_tokens_separator="|||")) == "lamp, desk, 1,000, soft light"
    assert trained_on(caption, CaptionRules(keep_tokens_separator="|||", trigger="zkw")) == "zkw, lamp, desk, 1,000, soft light"
    assert trained_on("lamp, desk||| ||| light.", CaptionRules(keep_tokens_separator="|||")) == "lamp, desk, light."


def test_lines_are_read_as_asked_for():
    caption = "zkw, hat\n\nA hat, on 1,000 pins.\n"
    assert trained_on(caption, CaptionRules()) == "zkw, hat"
    assert {trained_on(caption, CaptionRules(lines="random"), seed) for seed in range(20)} == {"zkw, hat", "A hat, on 1,000 pins."}
    assert trained_on(caption, CaptionRules(lines="all")) == "zkw, hat\n\nA hat, on 1,000 pins."
    shuffled = {trained_on(caption, CaptionRules(lines="all", shuffle=True), seed) for seed in range(20)}
    assert shuffled == {"zkw, hat\n\nA hat, on 1,000 pins.", "hat, zkw\n\nA hat, on 1,000 pins."}
    assert trained_on("{red|red} hat\ncoat", CaptionRules(lines="first", wildcards=True)) == "red hat"


def test_only_the_first_line_is_trained_on():
    assert trained_on("cat, solo\nA cat sits alone.", CaptionRules()) == "cat, solo"


def test_blank_lines_before_the_caption_do_not_empty_it():
    assert trained_on("\n \ncat\ndog", CaptionRules()) == "cat"


def test_a_sentence_without_commas_is_left_whole():
    sentence = "A ginger cat looks straight at the camera; its eyes are green."
    assert trained_on(sentence, CaptionRules(shuffle=True)) == sentence


def test_the_trigger_is_put_first():
    assert trained_on("cat, solo", CaptionRules(trigger="zkw")) == "zkw, cat, solo"


def test_a_trigger_in_front_stays_alone():
    assert trained_on("zkw, cat", CaptionRules(trigger="zkw")) == "zkw, cat"


def test_a_trigger_further_back_is_moved_to_the_front():
    assert trained_on("cat, zkw, solo", CaptionRules(trigger="zkw")) == "zkw, cat, solo"


def test_a_tag_that_merely_contains_the_trigger_is_another_tag():
    assert trained_on("zkw hat, Zkw", CaptionRules(trigger="zkw")) == "zkw, zkw hat, Zkw"


def test_an_empty_caption_becomes_the_trigger():
    assert trained_on("", CaptionRules(trigger="zkw", shuffle=True)) == "zkw"


def test_shuffling_does_shuffle():
    orders = {trained_on("a, b, c, d, e", CaptionRules(shuffle=True), seed) for seed in range(20)}
    assert len(orders) > 10


def test_keep_tokens_counts_the_trigger():
    rules = CaptionRules(shuffle=True, keep_tokens=2, trigger="zkw")
    heads = {tuple(split_tags(trained_on("cat, a, b, c, d", rules, seed))[:2]) for seed in range(20)}
    assert heads == {("zkw", "cat")}


@given(TAGS, SEEDS, st.integers(0, 12))
def test_shuffling_neither_loses_nor_doubles_a_tag(tags: list[str], seed: int, keep: int):
    shuffled = split_tags(trained_on(join_tags(tags), CaptionRules(shuffle=True, keep_tokens=keep), seed))
    assert Counter(shuffled) == Counter(tags)


@given(TAGS, SEEDS, st.integers(0, 12))
def test_the_kept_head_is_unchanged(tags: list[str], seed: int, keep: int):
    shuffled = split_tags(trained_on(join_tags(tags), CaptionRules(shuffle=True, keep_tokens=keep), seed))
    assert shuffled[:keep] == tags[:keep]


@given(TAGS, SEEDS, st.booleans(), st.integers(0, 3))
def test_the_trigger_stands_first_and_once_and_the_other_tags_remain(tags: list[str], seed: int, shuffle: bool, keep: int):
    first, *rest = split_tags(trained_on(join_tags(tags), CaptionRules(shuffle, keep, trigger="solo"), seed))
    assert first == "solo"
    assert Counter(rest) == Counter(tag for tag in tags if tag != "solo")


@given(TAGS, SEEDS, st.floats(0, 1))
def test_the_same_seed_gives_the_same_caption(tags: list[str], seed: int, dropout: float):
    rules = CaptionRules(shuffle=True, trigger="zkw", dropout=dropout)
    assert trained_on(join_tags(tags), rules, seed) == trained_on(join_tags(tags), rules, seed)


def test_a_rule_that_is_off_draws_nothing():
    rng = random.Random(5)
    before = rng.getstate()
    caption_for_training("cat, dog", CaptionRules(trigger="zkw", keep_tokens=1), rng)
    assert rng.getstate() == before


def test_dropout_drops_about_its_share_of_captions_with_their_trigger():
    rng = random.Random(0)
    rules = CaptionRules(trigger="zkw", dropout=0.3)
    dropped = sum(caption_for_training("cat", rules, rng) == "" for _ in range(2000))
    assert 540 < dropped < 660  # 600, give or take three standard deviations


def test_dropout_of_one_drops_all_and_of_zero_none():
    assert all(trained_on("cat", CaptionRules(dropout=1.0), seed) == "" for seed in range(50))
    assert all(trained_on("cat", CaptionRules(dropout=0.0), seed) == "cat" for seed in range(50))


@pytest.mark.parametrize("trigger", ["", " ", "zkw, hat", " zkw", "zkw,"])
def test_a_trigger_that_is_not_one_tag_is_refused(trigger: str):
    with pytest.raises(SettingsError, match="one tag"):
        CaptionRules(trigger=trigger)


def test_values_out_of_range_are_refused():
    with pytest.raises(SettingsError, match="keep_tokens is -1"):
        CaptionRules(keep_tokens=-1)
    with pytest.raises(SettingsError, match=r"dropout is 5"):
        CaptionRules(dropout=5)


# BREAK


@pytest.mark.parametrize("caption", ["a, b BREAK c,d", "BREAK a", "a,BREAK,b", "a BREAK", "a BREAK BREAK b"])
def test_a_break_stays_as_it_is_written_where_nothing_is_asked(caption: str):
    assert trained_on(caption, CaptionRules()) == caption


@pytest.mark.parametrize("caption", ["a, b, c BREAK d, e, f", "a, b, c, BREAK, d, e, f"])
def test_tags_are_shuffled_on_their_side_of_a_break(caption: str):
    seen = {trained_on(caption, CaptionRules(shuffle=True), seed) for seed in range(40)}
    sides = [[split_tags(side) for side in one.split("BREAK")] for one in seen]
    assert all([sorted(left), sorted(right)] == [["a", "b", "c"], ["d", "e", "f"]] for left, right in sides)
    assert len(seen) > 10


def test_tags_that_are_kept_may_reach_over_a_break_which_is_none_of_them():
    seen = {trained_on("a, b BREAK c, d, e", CaptionRules(shuffle=True, keep_tokens=3), seed) for seed in range(20)}
    assert seen == {"a, b BREAK c, d, e", "a, b BREAK c, e, d"}


def test_the_trigger_comes_in_front_from_behind_a_break():
    assert trained_on("hat BREAK zkw, coat", CaptionRules(trigger="zkw")) == "zkw, hat BREAK coat"
    assert trained_on("zkw BREAK hat,coat", CaptionRules(trigger="zkw")) == "zkw BREAK hat,coat"
    assert {trained_on("zkw BREAK a, b", CaptionRules(trigger="zkw", shuffle=True), s) for s in range(9)} == {
        "zkw BREAK a, b",
        "zkw BREAK b, a",
    }


def test_a_break_is_never_dropped_and_no_tag_of_a_warm_up():
    assert trained_on("a BREAK b, c", CaptionRules(tag_dropout=1.0, keep_tokens=1)) == "a BREAK"
    warmed = caption_for_training("a, b BREAK c, d", CaptionRules(token_warmup_step=10), random.Random(0), step=5, max_train_steps=20)
    assert warmed == "a, b BREAK"


@pytest.mark.parametrize(
    ("rules", "longest"),
    [
        (CaptionRules(), ["hat, {red|bright blue}"]),
        (CaptionRules(lines="random", shuffle=True, dropout=1.0), ["hat, {red|bright blue}", "A long sentence."]),
        (CaptionRules(lines="all", tag_dropout=1.0), ["hat, {red|bright blue}\nA long sentence."]),
        (CaptionRules(lines="first", wildcards=True, trigger="zkw", suffix="end"), ["zkw, hat, bright blue end"]),
    ],
)
def test_the_longest_texts_are_of_the_lines_that_train_with_all_that_is_put_to_them(rules: CaptionRules, longest: list[str]):
    assert longest_readings("hat, {red|bright blue}\nA long sentence.", rules) == longest
