"""Advice: each rule finds what it is for, with its number, and finds nothing in a sound set."""

from __future__ import annotations

import pytest
from transformers import AutoTokenizer
from typer.testing import CliRunner

from lorasmith.captions.advice.advise import RULES, advise, skipped_checks
from lorasmith.captions.advice.checked import CheckedCaptions
from lorasmith.captions.caption import Caption
from lorasmith.captions.edits.edit import EditContext
from lorasmith.captions.edits.registry import edit_of
from lorasmith.captions.style import CaptionStyle
from lorasmith.captions.triggers import likely_triggers
from lorasmith.captions.vocabulary import Vocabulary
from lorasmith.cli.captions.app import app
from lorasmith.demo.weights import BASE
from lorasmith.findings import CaptionChange, Finding, SettingChange

SOUND = [
    "zorvex, happy, sitting, meadow, flat style, red hat", "zorvex, sad, standing, beach, ink style, blue hat",
    "zorvex, angry, lying, night, soft style, red scarf", "zorvex, happy, jumping, snow, flat style, green bow",
    "zorvex, sad, sitting, city, ink style, blue crown", "zorvex, surprised, standing, room, soft style, red shirt",
]  # fmt: skip
SENTENCE = "A red cat with a hat sits on the wall."

TAGS = CaptionStyle("tags", "It was trained on tags.", "Write tags.")
SENTENCES = CaptionStyle("sentences", "It was trained on sentences.", "Write sentences.")
SENTENCES_MOSTLY = CaptionStyle("sentences", "It was trained on sentences.", "Write sentences.", strict=False)


def checked(*texts, **more):
    return CheckedCaptions({f"{k}.txt": Caption(text.encode()) for k, text in enumerate(texts)}, **{"triggers": ("zorvex",), **more})


def found(rule, *texts, **more):
    return list(RULES[rule](checked(*texts, **more)))


def mended(finding, *texts, count_tokens=None, vocabulary=None):
    """The captions after a finding's own changes."""
    captions = checked(*texts).captions
    for change in finding.fix.changes:
        context = EditContext(list(captions.values()), count_tokens=count_tokens, vocabulary=vocabulary)
        function = edit_of(change.edit, **change.parameters).prepare(context)
        captions = {key: function(key, caption) if key in finding.subjects else caption for key, caption in captions.items()}
    return [caption.text for caption in captions.values()]


def test_lines_that_are_not_trained_are_named():
    (finding,) = found("lines_not_trained", "zorvex, hat\n\nA hat.\nA red hat.", "zorvex, coat\n")
    assert finding.subjects == ("0.txt",)
    assert finding.details == ("0.txt: A hat. / A red hat.",)
    assert "captions.caption_lines" in finding.fix.words


@pytest.fixture(scope="session")
def demo_tokenizer():
    return {"tokenizer": AutoTokenizer.from_pretrained(BASE / "tokenizer", local_files_only=True)}


def test_a_sound_set_gets_no_advice(demo_tokenizer):
    shown = {f"{k}.txt": {"meadow": 0.99, "standing": 0.9} for k in (0, 1)} | {f"{k}.txt": {} for k in range(2, 6)}
    everything = checked(
        *SOUND, style=TAGS, tokenizers=demo_tokenizer, probabilities=shown, vocabulary=Vocabulary({}, {}, {"cat": ["animal"]})
    )
    assert advise(everything) == []
    assert skipped_checks(everything) == []
    assert len(skipped_checks(checked(*SOUND))) == 4


def test_pictures_of_several_figures_should_be_few_and_tagged():
    two = [f"{text}, 2girls" for text in SOUND[:2]]
    (finding,) = found("several_figures", *two, *SOUND[2:])
    assert (finding.subjects, finding.evidence.number) == (("0.txt", "1.txt"), 33.3)
    assert found("several_figures", *two[:1], *SOUND[1:]) == []  # one in six is few
    assert found("several_figures", *(f"{text}, 1girl, group of trees" for text in SOUND)) == []
    shown = {"3.txt": {"multiple boys": 0.9}, **{f"{k}.txt": {} for k in (0, 1, 2, 4, 5)}}
    (untagged,) = found("untagged_figures", *SOUND, probabilities=shown)
    assert (untagged.subjects, untagged.details) == (("3.txt",), ("multiple boys",))
    assert mended(untagged, *SOUND)[3] == f"{SOUND[3]}, multiple boys"


def test_empty_captions_get_at_least_the_trigger():
    (finding,) = found("empty", "zorvex", "", " \n")
    assert (finding.code, finding.severity, finding.message) == ("captions.empty", "error", "2 of 3 pictures have no caption.")
    assert "trigger zorvex alone" in finding.why
    assert "Tag them" in finding.fix.words
    assert (finding.subjects, finding.evidence.number, finding.evidence.unit) == (("1.txt", "2.txt"), 2, "captions")
    assert mended(finding, "zorvex", "", "")[1:] == ["zorvex", "zorvex"]
    (without,) = found("empty", "", triggers=())
    assert without.fix.changes == ()
    assert without.why.startswith("Without words")


def test_a_trigger_that_leaks_is_reported_by_kind_and_mended():
    texts = ("hat, zorvex", "happy", "zorvexian, hat", "zorvex, big zorvex hat", "")
    findings = found("trigger_leaks", *texts)
    assert {finding.code: (finding.subjects, finding.message) for finding in findings} == {
        "captions.trigger_not_first": (("0.txt",), "1 caption does not begin with the trigger zorvex."),
        "captions.trigger_missing": (("1.txt", "2.txt"), "2 captions lack the trigger zorvex."),
        "captions.trigger_inside_word": (("2.txt",), "1 caption has zorvex inside another word."),
        "captions.trigger_inside_tag": (("3.txt",), "1 caption has zorvex inside another tag."),
    }
    for finding in findings:
        texts = mended(finding, *texts)
    assert found("trigger_leaks", *texts) == []
    assert found("trigger_leaks", *SOUND) == []


def test_a_set_without_a_trigger_is_advised_to_have_one():
    (finding,) = found("no_trigger", *SOUND, triggers=())
    assert (finding.about, finding.subjects, finding.message) == ("set", (), "The captions have no trigger word.")
    captions = [Caption(text.encode()) for text in SOUND]
    assert likely_triggers(captions) == ("zorvex",)
    assert likely_triggers([Caption(f"zorvex, red dress, {k}".encode()) for k in range(6)]) == ("zorvex", "red dress")
    assert likely_triggers([Caption(f"{k}, zorvex".encode()) for k in range(6)]) == ()
    assert likely_triggers([*captions, Caption(b"hat")]) == ("zorvex",)  # forgotten once
    assert likely_triggers([*captions, *[Caption(b"hat")] * 2]) == ()
    assert likely_triggers(captions[:2]) == ()


@pytest.mark.parametrize(
    ("mark", "bare"),
    [
        ("(yellow hair:1.2)", "zorvex, yellow hair"), ("[hat:0.5]", "zorvex, hat"), ("( hat : 1.05 )", "zorvex, hat"),
        ("<lora:x:1>", "zorvex"), ("(hat:1.2), <lora:x:1>", "zorvex, hat"),
    ],
)  # fmt: skip
def test_prompt_weights_are_found_and_the_fix_leaves_the_bare_tag(mark, bare):
    (finding,) = found("prompt_weights", f"zorvex, {mark}", "zorvex, hat")
    assert set(finding.details) == set(mark.split(", "))
    assert finding.subjects == ("0.txt",)
    assert mended(finding, f"zorvex, {mark}", "zorvex, hat") == [bare, "zorvex, hat"]


@pytest.mark.parametrize(
    "tag", ["saber (fate)", "saber \\(fate\\)", ":3", "ratio 16:9", "(o)_(o)", "nier:automata", "re:zero (2016)", "artist \\(name:2\\)"]
)
def test_no_weight_is_found_where_there_is_none(tag):
    assert found("prompt_weights", f"zorvex, {tag}") == []


def test_a_placeholder_of_ai_toolkit_is_found_and_the_fix_writes_the_trigger():
    texts = ("a photo of [trigger] in the snow", "[name], hat", "zorvex, [hat]")
    (finding,) = found("placeholders", *texts)
    assert (finding.subjects, finding.message) == (("0.txt", "1.txt"), "2 captions have a placeholder for the trigger.")
    assert mended(finding, *texts) == ["a photo of zorvex in the snow", "zorvex, hat", "zorvex, [hat]"]
    assert found("placeholders", *texts, triggers=())[0].fix.changes == ()


def test_tokens_over_the_limit_and_exactly_what_falls_off(demo_tokenizer):
    texts = ("zorvex, happy, sitting, red hat", "happy")
    (finding,) = found("too_many_tokens", *texts, tokenizers=demo_tokenizer, limit=9)
    assert finding.details == ("0.txt: red hat",)  # z or v e x, comma, happy, comma, sitting: nine
    assert (finding.evidence.number, finding.evidence.unit) == (12, "tokens")
    assert mended(finding, *texts, count_tokens=lambda text: len(demo_tokenizer["tokenizer"].tokenize(text)))[0] == "zorvex, happy, sitting"
    long = "\n\nhappy\n" + "many words " * 50
    assert found("too_many_tokens", long, tokenizers=demo_tokenizer, limit=9) == []  # the first line is what trains
    (finding,) = found("too_many_tokens", *texts, tokenizers=demo_tokenizer, limit=9, longer_limits={9: 9, 10: 10, 18: 18})
    assert finding.fix.changes == (SettingChange("base.max_token_length", 18),)


class Letters:
    """A token a letter."""

    def tokenize(self, text):
        return list(text.replace(" ", ""))


def test_a_break_takes_the_rest_of_its_chunk():
    text, clip = f"{'a' * 70} BREAK {'b' * 70} BREAK cc dd ee ff", {"clip": Letters()}
    (finding,) = found("too_many_tokens", text, tokenizers=clip, reads_breaks=True, limit=150, longer_limits={75: 75, 150: 150, 225: 225})
    assert finding.evidence.number == 75 + 70 + 8  # the third section finds no chunk of its own and follows the second
    assert finding.details == ("0.txt: ee ff",)
    assert finding.fix.changes == (SettingChange("base.max_token_length", 225),)
    assert found("too_many_tokens", text, tokenizers=clip, reads_breaks=True, limit=225) == []
    assert found("too_many_tokens", text, tokenizers=clip, reads_breaks=False, limit=160) == []


def test_a_break_that_the_encoder_does_not_know_is_named():
    texts = ("zorvex BREAK hat", "zorvex, BREAK, coat", "zorvex, break")
    assert found("breaks_not_read", *texts) == []
    assert found("breaks_not_read", *texts, reads_breaks=True, limit=150) == []
    (word,) = found("breaks_not_read", *texts, reads_breaks=False, limit=511)
    assert (word.severity, word.message) == ("warning", "2 captions have BREAK, which this base takes for the word.")
    assert mended(word, *texts) == ["zorvex, hat", "zorvex, coat", "zorvex, break"]
    (idle,) = found("breaks_not_read", *texts, reads_breaks=True, limit=75, longer_limits={75: 75, 150: 150, 225: 225})
    assert (idle.severity, idle.fix.changes) == ("note", (SettingChange("base.max_token_length", 150),))


def test_identical_captions_in_groups():
    (finding,) = found("identical", "zorvex, hat", "zorvex,  hat", "zorvex", "zorvex, cap", "zorvex", "", "")
    assert set(finding.subjects) == {"0.txt", "1.txt", "2.txt", "4.txt"}
    assert finding.message == "4 captions are the same as another one, in 2 groups."


def test_over_tagging_of_one_picture_and_of_the_set():
    long = "zorvex, " + ", ".join(f"detail {k}" for k in range(31))
    (one,) = found("over_tagged", long, *SOUND)
    assert (one.subjects, one.evidence.number) == (("0.txt",), 31)
    assert mended(one, long)[0] == "zorvex, " + ", ".join(f"detail {k}" for k in range(20))
    (whole,) = found("over_tagged", *[", ".join(f"d{k}" for k in range(n)) for n in (20, 21, 22, 23)])
    assert (whole.about, whole.subjects, whole.evidence.number) == ("set", (), 21.5)
    assert found("over_tagged", "zorvex, " + ", ".join(f"d{k}" for k in range(20))) == []


def test_under_tagging_is_a_note_and_sentences_are_not_counted():
    (finding,) = found("under_tagged", "zorvex, hat, happy", "zorvex", SENTENCE, *SOUND)
    assert (finding.subjects, finding.evidence.number, finding.severity) == (("0.txt",), 2, "note")


def test_a_set_of_single_tags_is_a_warning():
    (finding,) = found("single_tag", *["zorvex"] * 6)
    assert (finding.severity, finding.evidence.number) == ("warning", 100)
    (finding,) = found("single_tag", "zorvex", *SOUND)
    assert (finding.severity, finding.subjects) == ("note", ("0.txt",))
    assert found("single_tag", SENTENCE) == []


def test_a_tag_beside_one_that_implies_it_over_two_steps():
    known = Vocabulary({}, {}, {"german_shepherd": ["dog"], "dog": ["animal"], "zorvex": ["cat"]})
    texts = ("zorvex, german shepherd, animal", "zorvex, dog", "german_shepherd, dog")
    (finding,) = found("implied_tag", *texts, vocabulary=known)
    assert finding.subjects == ("0.txt", "2.txt")
    assert finding.details == ("german shepherd implies animal", "german_shepherd implies dog")
    assert mended(finding, *texts, vocabulary=known) == ["zorvex, german shepherd", "zorvex, dog", "german_shepherd"]
    (finding,) = found("implied_tag", "zorvex, Cat", "cat", vocabulary=known)  # a trigger implies tags too
    assert (finding.subjects, finding.details) == (("0.txt",), ("zorvex implies Cat",))
    assert found("implied_tag", *texts) == []


def test_captions_in_another_encoding():
    (finding,) = found("not_utf8", *SOUND, unreadable=["9.txt"])
    assert (finding.subjects, finding.message, finding.severity) == (("9.txt",), "1 caption is not UTF-8 text.", "error")
    assert "lorasmith captions convert" in finding.fix.words


def shown(tag, count, of, probability=0.9):
    return {f"{k}.txt": {tag: probability if k < count else 0.02} for k in range(of)}


def test_a_frequent_background_that_nobody_tagged():
    rule = "untagged_background_or_pose"
    (finding,) = found(rule, *SOUND, probabilities=shown("white_background", 4, 6))
    assert (finding.subjects, finding.evidence.number) == (("0.txt", "1.txt", "2.txt", "3.txt"), 66.7)
    assert finding.fix.changes == (CaptionChange("add", {"tags": ["white background"]}),)
    for probabilities in (shown("white_background", 1, 6), shown("white_background", 4, 6, 0.4), shown("horn", 6, 6)):
        assert found(rule, *SOUND, probabilities=probabilities) == []
    assert found(rule, *mended(finding, *SOUND), probabilities=shown("white_background", 4, 6)) == []
    tagged = [f"{text}, white_background" for text in SOUND]
    assert found(rule, *tagged, probabilities=shown("white_background", 4, 6)) == []
    sentences = ["A zorvex stands before a white background and looks happy."] * 6
    assert found(rule, *sentences, probabilities=shown("white_background", 4, 6)) == []


def test_untagged_faults():
    (finding,) = found("untagged_fault", *SOUND, probabilities=shown("watermark", 1, 6))
    assert (finding.subjects, finding.details) == (("0.txt",), ("watermark",))


def test_a_tag_that_is_everywhere_is_for_the_trigger_to_absorb():
    texts = [f"{text}, horn" for text in SOUND]
    (finding,) = found("tag_everywhere", *texts)
    assert (finding.details, finding.evidence.number) == (("horn",), 100)
    assert mended(finding, *texts) == SOUND
    assert found("tag_everywhere", *texts[:5], SOUND[5]) == []
    assert found("tag_everywhere", *texts[:4]) == []  # too few to tell
    assert found("tag_everywhere", *["zorvex, style"] * 6) == []  # single tags are another rule's


@pytest.mark.parametrize(
    ("style", "texts", "severity"),
    [
        (TAGS, [SENTENCE], "warning"), (TAGS, SOUND, None), (SENTENCES, SOUND, "warning"), (SENTENCES, [SENTENCE], None),
        (SENTENCES_MOSTLY, SOUND, "note"), (SENTENCES_MOSTLY, [SENTENCE], None), (SENTENCES_MOSTLY, [SENTENCE, SOUND[0]], None),
        (None, SOUND, None),
    ],
)  # fmt: skip
def test_tags_or_sentences_by_the_style_of_the_base(style, texts, severity):
    assert [finding.severity for finding in found("style_for_base", *texts, style=style)] == ([severity] if severity else [])


def test_repeated_tags_and_two_spellings():
    (finding,) = found("repeated_tag", "zorvex, hat, hat", *SOUND)
    assert (finding.subjects, finding.details) == (("0.txt",), ("hat",))
    assert mended(finding, "zorvex, hat, hat")[0] == "zorvex, hat"
    texts = ["zorvex, red_hat", *SOUND, "red hat, solo"]
    (finding,) = found("two_spellings", *texts)
    assert (finding.subjects, finding.details) == (("0.txt",), ("red hat / red_hat",))
    assert mended(finding, *texts)[0] == "zorvex, red hat"
    assert found("two_spellings", *SOUND) == []


def test_tags_that_are_not_in_the_list():
    (finding,) = found("unknown_tags", *SOUND, vocabulary=Vocabulary({"red_hat": (0, 1), "happy": (0, 1)}))
    assert "red hat" not in finding.details
    assert finding.details[0] in ("flat style", "ink style", "sad", "sitting", "soft style", "standing")
    assert found("unknown_tags", *SOUND) == []


def test_the_worst_comes_first_and_every_message_is_a_sentence():
    findings = advise(checked("", "zorvex, (hat:1.2)", "happy", *["zorvex, horn"] * 4))
    severities = [finding.severity for finding in findings]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    assert (severities[0], severities[-1]) == ("error", "note")
    for finding in findings:
        for sentence in (finding.message, finding.why, finding.fix.words, *([str(finding.evidence)] if finding.evidence else [])):
            assert sentence[0] == sentence[0].upper()
            assert sentence.endswith(".")


# A new rule is a function and a line in the registry


def shouting(checked):
    keys = tuple(key for key, caption in checked.captions.items() if caption.text.isupper())
    if keys:
        yield Finding(
            code="captions.shouting", severity="note", about="caption", subjects=keys, message="Some captions are written in capitals."
        )


def test_a_rule_is_added_through_the_registry_alone(tmp_path, monkeypatch):
    monkeypatch.setitem(RULES, "shouting", shouting)
    (tmp_path / "1.png").touch()
    (tmp_path / "1.txt").write_text("ZORVEX, HAT")
    assert "note: Some captions are written in capitals.\n  in 1.txt" in CliRunner().invoke(app, ["check", str(tmp_path)]).output
