"""Advice: each rule finds what it is for, with its number, and is silent about a sound set."""

from __future__ import annotations

import pytest
from transformers import AutoTokenizer

from lorasmith.captions.advice import RULES, Checked, advise, likely_triggers, unasked
from lorasmith.captions.caption import Caption
from lorasmith.captions.vocabulary import Vocabulary
from lorasmith.demo.weights import BASE

SOUND = [
    "zorvex, happy, sitting, meadow, flat style, red hat", "zorvex, sad, standing, beach, ink style, blue hat",
    "zorvex, angry, lying, night, soft style, red scarf", "zorvex, happy, jumping, snow, flat style, green bow",
    "zorvex, sad, sitting, city, ink style, blue crown", "zorvex, surprised, standing, room, soft style, red shirt",
]  # fmt: skip


def checked(*texts, **more):
    return Checked({f"{k}.txt": Caption(text.encode()) for k, text in enumerate(texts)}, **{"triggers": ("zorvex",), **more})


def found(rule, *texts, **more):
    return list(RULES[rule](checked(*texts, **more)))


@pytest.fixture(scope="session")
def demo_tokenizer():
    return {"tokenizer": AutoTokenizer.from_pretrained(BASE / "tokenizer", local_files_only=True)}


def test_a_sound_set_gets_no_advice(demo_tokenizer):
    seen = {f"{k}.txt": {"meadow": 0.99, "standing": 0.9} for k in (0, 1)} | {f"{k}.txt": {} for k in range(2, 6)}
    everything = checked(*SOUND, family="pony", tokenizers=demo_tokenizer, seen=seen, vocabulary=Vocabulary({}, {}, {"cat": ["animal"]}))
    assert advise(everything) == []
    assert unasked(everything) == []
    assert len(unasked(checked(*SOUND))) == 4


def test_pictures_of_several_figures_are_to_be_few_and_said():
    two = [f"{text}, 2girls" for text in SOUND[:2]]
    (finding,) = found("several figures", *two, *SOUND[2:])
    assert (finding.pictures, finding.number) == (("0.txt", "1.txt"), 33.3)
    assert found("several figures", *two[:1], *SOUND[1:]) == []  # one in six is few
    (unsaid,) = found("several figures", *SOUND, seen={"3.txt": {"multiple boys": 0.9}, **{f"{k}.txt": {} for k in (0, 1, 2, 4, 5)}})
    assert (unsaid.pictures, unsaid.details) == (("3.txt",), ("multiple boys",))
    assert found("several figures", *(f"{text}, 1girl, group of trees" for text in SOUND)) == []


def test_empty_captions():
    (finding,) = found("empty", "zorvex", "", " \n")
    assert (finding.pictures, finding.number, finding.unit, finding.severity) == (("1.txt", "2.txt"), 2, "captions", "problem")


def test_a_trigger_that_leaks_is_reported_by_kind():
    by_kind = {
        finding.what: finding for finding in found("trigger", "hat, zorvex", "happy", "zorvexian, hat", "zorvex, big zorvex hat", "")
    }
    assert {what: finding.pictures for what, finding in by_kind.items()} == {
        "captions where the trigger zorvex is not first": ("0.txt",),
        "captions without the trigger zorvex": ("1.txt", "2.txt"),
        "captions with zorvex inside another word": ("2.txt",),
        "captions with zorvex inside another tag": ("3.txt",),
    }
    assert found("trigger", *SOUND) == []


def test_a_set_without_a_trigger_is_advised_to_have_one():
    assert found("trigger", *SOUND, triggers=())[0].what == "no trigger word"
    captions = [Caption(text.encode()) for text in SOUND]
    assert likely_triggers(captions) == ("zorvex",)
    assert likely_triggers([Caption(f"zorvex, red dress, {k}".encode()) for k in range(6)]) == ("zorvex", "red dress")
    assert likely_triggers([Caption(f"{k}, zorvex".encode()) for k in range(6)]) == ()
    assert likely_triggers([*captions, Caption(b"hat")]) == ("zorvex",)  # forgotten once
    assert likely_triggers([*captions, *[Caption(b"hat")] * 2]) == ()
    assert likely_triggers(captions[:2]) == ()


@pytest.mark.parametrize("mark", ["(yellow hair:1.2)", "[hat:0.5]", "( hat : 1.05 )", "<lora:x:1>"])
def test_prompt_weights(mark):
    (finding,) = found("prompt weights", f"zorvex, {mark}", "zorvex, hat")
    assert finding.details == (mark,)
    assert finding.pictures == ("0.txt",)


@pytest.mark.parametrize(
    "tag", ["saber (fate)", "saber \\(fate\\)", ":3", "ratio 16:9", "(o)_(o)", "nier:automata", "re:zero (2016)", "artist \\(name:2\\)"]
)
def test_no_weight_is_seen_where_there_is_none(tag):
    assert found("prompt weights", f"zorvex, {tag}") == []


def test_tokens_over_the_limit_and_exactly_what_falls_off(demo_tokenizer):
    (finding,) = found("too many tokens", "zorvex, happy, sitting, red hat", "happy", tokenizers=demo_tokenizer, limit=9)
    assert finding.details == ("0.txt: red hat",)  # z or v e x, comma, happy, comma, sitting: nine
    assert (finding.number, finding.unit) == (12, "tokens at most")
    assert (
        found("too many tokens", "\n\nhappy\n" + "many words " * 50, tokenizers=demo_tokenizer, limit=9) == []
    )  # the first line is what trains


def test_identical_captions_in_groups():
    (finding,) = found("identical", "zorvex, hat", "zorvex,  hat", "zorvex", "zorvex, cap", "zorvex", "", "")
    assert finding.pictures == ("0.txt", "1.txt", "2.txt", "4.txt")
    assert "2 groups" in finding.what


def test_over_tagging_of_one_picture_and_of_the_set():
    long = "zorvex, " + ", ".join(f"detail {k}" for k in range(31))
    (one,) = found("over-tagged", long, *SOUND)
    assert (one.pictures, one.number) == (("0.txt",), 31)
    both = found("over-tagged", *[", ".join(f"d{k}" for k in range(n)) for n in (20, 21, 22, 23)])
    assert [(finding.number, finding.unit) for finding in both] == [(21.5, "tags a picture on average")]
    assert found("over-tagged", "zorvex, " + ", ".join(f"d{k}" for k in range(20))) == []


def test_under_tagging_is_a_hint_and_none_of_sentences():
    (finding,) = found("under-tagged", "zorvex, hat, happy", "zorvex", "A red cat with a hat sits on the wall.", *SOUND)
    assert (finding.pictures, finding.number, finding.severity) == (("0.txt",), 2, "hint")


def test_a_set_of_single_tags_is_warned_of():
    (finding,) = found("single tag", *["zorvex"] * 6)
    assert (finding.severity, finding.number) == ("warning", 100)
    (finding,) = found("single tag", "zorvex", *SOUND)
    assert (finding.severity, finding.pictures) == ("hint", ("0.txt",))
    assert found("single tag", "A red cat with a hat sits on the wall.") == []


def test_a_tag_beside_one_that_implies_it_over_two_steps():
    known = Vocabulary({}, {}, {"german_shepherd": ["dog"], "dog": ["animal"], "zorvex": ["cat"]})
    texts = ("zorvex, german shepherd, animal", "zorvex, dog", "german_shepherd, dog")
    (finding,) = found("implied", *texts, vocabulary=known)
    assert finding.pictures == ("0.txt", "2.txt")
    assert finding.details == ("german shepherd implies animal", "german_shepherd implies dog")
    (finding,) = found("implied", "zorvex, Cat", "cat", vocabulary=known)  # the trigger, too, says what it implies
    assert (finding.pictures, finding.details) == (("0.txt",), ("zorvex implies Cat",))
    assert found("implied", *texts) == []


def test_captions_in_another_encoding():
    (finding,) = found("unreadable", *SOUND, unreadable=["9.txt"])
    assert (finding.pictures, finding.number, finding.severity) == (("9.txt",), 1, "problem")
    assert "lorasmith captions convert" in finding.remedy


def seen(tag, count, of, probability=0.9):
    return {f"{k}.txt": {tag: probability if k < count else 0.02} for k in range(of)}


def test_a_frequent_background_that_nobody_tagged():
    (finding,) = found("untagged background or pose", *SOUND, seen=seen("white_background", 4, 6))
    assert (finding.pictures, finding.number, finding.details) == (("0.txt", "1.txt", "2.txt", "3.txt"), 66.7, ("white background",))
    for silent in (seen("white_background", 1, 6), seen("white_background", 4, 6, 0.4), seen("horn", 6, 6)):
        assert found("untagged background or pose", *SOUND, seen=silent) == []
    tagged = [f"{text}, white_background" for text in SOUND]
    assert found("untagged background or pose", *tagged, seen=seen("white_background", 4, 6)) == []
    spoken = ["A zorvex stands before a white background and looks happy."] * 6
    assert found("untagged background or pose", *spoken, seen=seen("white_background", 4, 6)) == []


def test_untagged_signs_of_bad_quality():
    (finding,) = found("untagged quality", *SOUND, seen=seen("watermark", 1, 6))
    assert (finding.pictures, finding.details) == (("0.txt",), ("watermark",))


def test_a_tag_that_stands_everywhere_is_for_the_trigger_to_absorb():
    (finding,) = found("everywhere", *[f"{text}, horn" for text in SOUND])
    assert (finding.details, finding.number) == (("horn",), 100)
    assert found("everywhere", *[f"{text}, horn" for text in SOUND[:5]], SOUND[5]) == []
    assert found("everywhere", *[f"{text}, horn" for text in SOUND[:4]]) == []  # too few to say
    assert found("everywhere", *["zorvex, style"] * 6) == []  # single tags are another rule's


@pytest.mark.parametrize(
    ("family", "texts", "severity"),
    [
        ("pony", ["A red cat with a hat sits on the wall."], "warning"), ("pony", SOUND, None), ("flux", SOUND, "warning"),
        ("flux", ["A red cat with a hat sits on the wall."], None), ("sdxl", SOUND, "hint"), ("sd1", ["A red cat with a hat sits on the wall."], None),
        (None, SOUND, None),
    ],
)  # fmt: skip
def test_tags_or_sentences_by_the_family_of_the_base(family, texts, severity):
    assert [finding.severity for finding in found("style for the base", *texts, family=family)] == ([severity] if severity else [])


def test_repeated_tags_and_two_spellings():
    (finding,) = found("repeated", "zorvex, hat, hat", *SOUND)
    assert (finding.pictures, finding.details) == (("0.txt",), ("hat",))
    (finding,) = found("two spellings", "zorvex, red_hat", *SOUND)
    assert (finding.pictures, finding.details) == (("1.txt",), ("red_hat / red hat",)) or finding.pictures == ("0.txt",)
    assert found("two spellings", *SOUND) == []


def test_tags_that_the_base_does_not_know():
    (finding,) = found("unknown tags", *SOUND, vocabulary=Vocabulary({"red_hat": (0, 1), "happy": (0, 1)}))
    assert "red hat" not in finding.details
    assert finding.details[0] in ("flat style", "ink style", "sad", "sitting", "soft style", "standing")
    assert found("unknown tags", *SOUND) == []


def test_the_gravest_comes_first():
    severities = [finding.severity for finding in advise(checked("", "zorvex, (hat:1.2)", "happy", *["zorvex, horn"] * 4))]
    assert severities == sorted(severities, key=["problem", "warning", "hint"].index)
    assert severities[0] == "problem"
    assert severities[-1] == "hint"
