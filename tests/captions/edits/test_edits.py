"""Edits do what a person would expect of them, in the scope they are given, and only when they are saved."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import Field
from typer.testing import CliRunner

from lorasmith.captions.caption import Caption
from lorasmith.captions.collection import open_captions
from lorasmith.captions.edits.edit import Edit, EditContext
from lorasmith.captions.edits.planning import plan_edit
from lorasmith.captions.edits.registry import EDITS, edit_of
from lorasmith.captions.scope import Scope, select
from lorasmith.captions.statistics import tags_of_all, tags_of_any, tags_of_these_only
from lorasmith.captions.vocabulary import Vocabulary
from lorasmith.cli.captions.app import app
from lorasmith.errors import DatasetError, InputError, SettingsError

VOCABULARY = Vocabulary(
    {"cat": (0, 9), "animal": (0, 5), "kitten": (0, 3), "red_hat": (0, 2), "hat": (0, 7)},
    aliases={"kitty": "cat"},
    implications={"kitten": ["cat"], "cat": ["animal"], "red_hat": ["hat"]},
)
CONTEXT = EditContext(
    captions=[Caption(text.encode()) for text in ("zorvex, hat, solo", "zorvex, BREAK, solo", "zorvex, beach", r"zorvex, cat \(a\)")],
    count_tokens=lambda text: len(text.replace(",", " ,").split()),
    load_probabilities=lambda: {"1.txt": {"a": 0.2, "b": 0.9, "c": 0.5, "long hair": 0.7, "saber (fate)": 0.6, "^_^": 0.4}},
    vocabulary=VOCABULARY,
    folder_name="10_anna, red dress",
)


def edited(text: str, edit: str, **arguments) -> str:
    return edit_of(edit, **arguments).prepare(CONTEXT)("1.txt", Caption(text.encode())).text


SENTENCE = "zorvex, solo, A happy cat on a beach, asleep."


@pytest.mark.parametrize(
    ("edit", "arguments", "before", "after"),
    [
        ("add", {"tags": ["new"]}, "a, b", "a, b, new"),
        ("add", {"tags": ["new", "b"]}, "a, b", "a, b, new"),
        ("add", {"tags": ["x", "y"], "front": True}, "a, b", "x, y, a, b"),
        ("add", {"tags": ["b"], "front": True}, "a, b", "a, b"),
        ("add", {"tags": ["b"], "front": True, "move": True}, "a, b", "b, a"),
        ("add", {"tags": ["new"], "after": "a"}, "a, b", "a, new, b"),
        ("add", {"tags": ["new"], "after": "z"}, "a, b", "a, b"),
        ("add", {"tags": ["cat (a)"]}, r"cat \(a\)", r"cat \(a\)"),
        ("add", {"tags": ["a"]}, "", "a"),
        ("remove", {"tags": ["a"]}, "a, b, a", "b"),
        ("remove", {"tags": ["A"]}, "a, b", "a, b"),
        ("remove", {"tags": ["*hat"]}, "red hat, hat, *hat", "red hat, hat"),
        ("remove", {"tags": ["*hat"], "wildcards": True}, "red hat, hat, hats", "hats"),
        ("remove", {"tags": ["a"]}, "a", ""),
        ("remove", {"tags": ["cat (a)"]}, r"b, cat \(a\)", "b"),
        ("replace", {"tags": ["a", "c"], "by": ["x", "y"]}, "z, a, b, c", "z, x, y, b"),
        ("replace", {"tags": ["a"], "by": ["b"]}, "a, b", "b"),
        ("rename", {"old": "a", "new": "b"}, "z, a, c, b", "z, b, c"),
        ("rename", {"old": "a", "new": "a"}, "a, b", "a, b"),
        ("rename", {"old": "long_hair", "new": "long hair"}, "long_hair, b", "long hair, b"),
        ("regex", {"pattern": r"(\w+) hat", "replacement": r"hat that is \1"}, "a, red hat", "a, hat that is red"),
        ("regex", {"pattern": "^a$", "replacement": "b", "each_tag": True}, "a, aa, a", "b, aa, b"),
        ("regex", {"pattern": "a+", "replacement": "", "each_tag": True}, "a, b, aa", "b"),
        ("regex", {"pattern": "A", "replacement": "x", "ignore_case": True}, "a, b", "x, b"),
        ("front", {"tags": ["c", "b"]}, "a, b, c", "c, b, a"),
        ("sort", {"by": "name"}, "b, C, a", "a, b, C"),
        ("sort", {"by": "name", "reverse": True, "keep": 1}, "b, a, c", "b, c, a"),
        ("sort", {"by": "frequency"}, "beach, solo, zorvex", "zorvex, solo, beach"),
        ("sort", {"by": "probability"}, "a, b, c", "b, c, a"),
        ("sort", {"by": "probability"}, r"b, zorvex, ^_^, saber_\(fate\), long_hair", r"b, long_hair, saber_\(fate\), ^_^, zorvex"),
        ("sort", {"by": "name"}, SENTENCE, "solo, zorvex, A happy cat on a beach, asleep."),
        ("sort", {"by": "name"}, "c, b, BREAK, d, a, BREAK", "b, c, BREAK, a, d, BREAK"),
        ("dedupe", {}, "a, b, a, c, b", "a, b, c"),
        ("dedupe", {}, "a, BREAK, b, a, BREAK, c", "a, BREAK, b, BREAK, c"),
        ("truncate", {"tags": 2}, "a, b, c", "a, b"),
        ("truncate", {"tokens": 4}, "a, b, c", "a, b"),
        ("truncate", {"tokens": 2}, "a BREAK b, c", "a BREAK b"),
        ("truncate", {"tokens": 1}, "a cat on a mat, b", "a cat on a mat"),
        ("drop-rare", {"fewer_than": 2}, "zorvex, hat, solo", "zorvex, solo"),
        ("drop-rare", {"fewer_than": 2, "keep": ["hat"]}, "zorvex, hat, beach", "zorvex, hat"),
        ("drop-rare", {"fewer_than": 2}, SENTENCE, SENTENCE),
        ("drop-rare", {"fewer_than": 2}, "zorvex, BREAK, hat, solo", "zorvex, BREAK, solo"),
        ("drop-common", {"above": 0.6}, "zorvex, solo, hat", "solo, hat"),
        ("split", {"keep": "tags"}, SENTENCE, "zorvex, solo"),
        ("split", {"keep": "sentence"}, SENTENCE, "A happy cat on a beach, asleep."),
        ("split", {"keep": "lines"}, SENTENCE, "zorvex, solo\nA happy cat on a beach, asleep."),
        ("split", {"keep": "sentence"}, "a, b", "a, b"),
        ("split", {"keep": "tags"}, "a, b\nA sentence below.", "a, b"),
        ("spell", {"manner": "spaces"}, "long_hair, ^_^, o_o", "long hair, ^_^, o_o"),
        ("spell", {"manner": "underscores"}, "long hair, a", "long_hair, a"),
        ("spell", {"manner": "escaped"}, r"cat (a), dog \(b\)", r"cat \(a\), dog \(b\)"),
        ("spell", {"manner": "unescaped"}, r"cat \(a\), \m/", r"cat (a), \m/"),
        ("spell", {"manner": "lower"}, "Red Hat, a", "red hat, a"),
        ("spell", {"manner": "lower"}, "Red Hat BREAK A, BREAK, UNBREAKABLE", "red hat BREAK a, BREAK, unbreakable"),
        ("spell", {"manner": "underscores"}, "red hat BREAK a b", "red_hat BREAK a_b"),
        ("implications", {}, "kitten, cat, animal, b", "kitten, b"),
        ("implications", {"keep": ["cat"]}, "kitten, cat, animal", "kitten, cat"),
        ("implications", {"add": True}, "red hat, b", "red hat, b, hat"),
        ("aliases", {}, "kitty, cat, b", "cat, b"),
        ("set-triggers", {"triggers": ["zorvex"], "replacing": ["old"]}, "old, hat, zorvex", "zorvex, hat"),
        ("folder-triggers", {}, "red dress, hat", "anna, red dress, hat"),
        ("mend-triggers", {"triggers": ["zorvex"]}, "zorvexian hat, zorvex", "zorvex, hat"),
    ],
)
def test_an_edit_makes(edit, arguments, before, after):
    assert edited(before, edit, **arguments) == after


def test_every_edit_is_shown_above():
    shown = {row[0] for row in test_an_edit_makes.pytestmark[0].args[1]}
    assert shown == set(EDITS)


@pytest.mark.parametrize(
    ("edit", "arguments", "words"),
    [
        ("shuffle", {}, "choose one of add"),
        ("add", {"tags": []}, "tags"),
        ("add", {"tags": ["a, b"]}, "one tag"),
        ("add", {"tags": ["a"], "places": "front"}, "places"),
        ("add", {"tags": ["a"], "front": True, "after": "hat"}, "both in front of the others and behind hat"),
        ("drop-common", {"above": 90}, "less than 1"),
        ("regex", {"pattern": "(", "replacement": ""}, "cannot be used"),
        ("regex", {"pattern": "a", "replacement": r"\3"}, "cannot be used"),
        ("truncate", {}, "tags or tokens"),
    ],
)
def test_an_edit_that_cannot_be_is_refused(edit, arguments, words):
    with pytest.raises(InputError, match=words):
        edit_of(edit, **arguments).prepare(CONTEXT)


@pytest.mark.parametrize(
    ("edit", "arguments", "words"),
    [
        ("sort", {"by": "probability"}, "captions tag"),
        ("truncate", {"tokens": 75}, "base model"),
        ("implications", {}, "--vocabulary"),
        ("aliases", {}, "--vocabulary"),
    ],
)
def test_an_edit_says_what_it_needs(edit, arguments, words):
    with pytest.raises(InputError, match=words):
        edit_of(edit, **arguments).prepare(EditContext())


TAGS = st.lists(st.sampled_from(["cat", "kitten", "red hat", "a_b", r"x \(y\)", "^_^", "zorvex", "solo", "Beach"]), max_size=8)


@given(TAGS, st.sampled_from(["dedupe", "aliases", "implications", "spell", "sort", "front", "drop-rare"]))
def test_doing_it_twice_is_doing_it_once(tags, name):
    arguments = {"spell": {"manner": "spaces"}, "sort": {"by": "name"}, "front": {"tags": ["solo", "cat"]}, "drop-rare": {"fewer_than": 2}}
    once = edited(", ".join(tags), name, **arguments.get(name, {}))
    assert edited(once, name, **arguments.get(name, {})) == once


@given(TAGS, st.sampled_from(["sort", "front"]))
def test_putting_in_order_neither_loses_nor_doubles_a_tag(tags, name):
    arguments = {"sort": {"by": "frequency"}, "front": {"tags": ["solo", "cat"]}}[name]
    assert sorted(edited(", ".join(tags), name, **arguments).split(", ")) == sorted(", ".join(tags).split(", "))


# Scopes and plans


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for name, text in {"anna/1": "zorvex, hat", "anna/2": "zorvex, solo", "bob/1": "zorvex, hat, solo", "bob/2": None}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.png")
        if text is not None:
            (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("scope", "keys"),
    [
        (Scope(), ["anna/1.txt", "anna/2.txt", "bob/1.txt", "bob/2.txt"]),
        (Scope(where="tag:hat"), ["anna/1.txt", "bob/1.txt"]),
        (Scope(paths=("anna",)), ["anna/1.txt", "anna/2.txt"]),
        (Scope(paths=("./anna/", "bob/2.png")), ["anna/1.txt", "anna/2.txt", "bob/2.txt"]),
        (Scope(paths=("bob/1.txt",)), ["bob/1.txt"]),
        (Scope(where="tag:hat", paths=("bob",)), ["bob/1.txt"]),
        (Scope(where="chars:0"), ["bob/2.txt"]),
    ],
)
def test_a_scope_selects(pictures, scope, keys):
    assert [entry.key for entry in select(open_captions(pictures), scope)] == keys


def test_a_missing_path_is_named(pictures):
    with pytest.raises(DatasetError, match=r"has no picture, caption or folder ann\b"):
        select(open_captions(pictures), Scope(paths=("anna", "ann")))


def test_a_plan_writes_nothing_until_it_is_saved(pictures):
    collection = open_captions(pictures)
    plan = plan_edit(collection, edit_of("add", tags=["beach"]), Scope(where="tag:hat"))
    assert (plan.considered, list(plan.changes)) == (2, ["anna/1.txt", "bob/1.txt"])
    assert (pictures / "anna/1.txt").read_text() == "zorvex, hat"
    operation = plan.save()
    assert operation.summary == "add beach at the back where tag:hat"
    assert (pictures / "anna/1.txt").read_text() == "zorvex, hat, beach"
    assert plan_edit(collection, edit_of("add", tags=["beach"]), Scope(where="tag:hat")).save() is None


def test_adding_writes_captions_for_pictures_that_have_none(pictures):
    plan_edit(open_captions(pictures), edit_of("add", tags=["zorvex"], front=True)).save()
    assert (pictures / "bob/2.txt").read_text() == "zorvex"


def test_tags_are_counted_over_the_folder_or_the_scope(pictures):
    collection = open_captions(pictures)
    rare = edit_of("drop-rare", fewer_than=2)
    assert not plan_edit(collection, rare, Scope(paths=("anna",))).changes
    assert set(plan_edit(collection, rare, Scope(paths=("anna",)), count_in="scope").changes) == {"anna/1.txt", "anna/2.txt"}


def test_views_over_captions(pictures):
    anna, bob = ([entry.caption for entry in select(open_captions(pictures), Scope(paths=(who,)))] for who in ("anna", "bob/1.txt"))
    assert tags_of_any(anna) == ["zorvex", "hat", "solo"]
    assert tags_of_all(anna) == ["zorvex"]
    assert tags_of_all([]) == []
    assert tags_of_these_only(bob, anna[:1]) == ["solo"]


def test_arguments_are_checked_where_they_are_made():
    with pytest.raises(SettingsError, match="rename"):
        edit_of("rename", old="a")


# A new edit is a class and a line in the registry


class Shout(Edit):
    """Write all captions in capitals.

    lorasmith captions shout my-pictures
    """

    marks: int = Field(0, ge=0, description="Exclamation marks at the end.")

    def prepare(self, context):
        return lambda _, caption: caption.with_text(caption.text.upper() + "!" * self.marks)

    def summary(self):
        return "shout"


def test_an_edit_is_added_through_the_registry_alone(pictures, monkeypatch):
    monkeypatch.setitem(EDITS, "shout", Shout)
    assert (
        plan_edit(open_captions(pictures), edit_of("shout", marks=1), Scope(paths=("bob/1.txt",))).changes["bob/1.txt"].text
        == "ZORVEX, HAT, SOLO!"
    )
    assert "Write all captions in capitals." in CliRunner().invoke(app, ["--help"]).output
    assert "Exclamation marks at the end." in CliRunner().invoke(app, ["shout", "--help"]).output
    result = CliRunner().invoke(app, ["shout", str(pictures), "--marks", "2", "--where", "tag:solo AND path:anna/"])
    assert "shout where tag:solo AND path:anna/: changed 1 of 1 caption" in result.output
    assert (pictures / "anna/2.txt").read_text() == "ZORVEX, SOLO!!"
