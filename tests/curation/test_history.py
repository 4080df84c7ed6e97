"""Captions, mends and moves are undone together, the newest first, and redone until something else is done."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from lorasmith.captions.collection import open_captions
from lorasmith.curation import moves as moving
from lorasmith.curation.arrange import arrange
from lorasmith.curation.history import operations, redo_next, to_redo, to_undo, undo_newest
from lorasmith.curation.holdout import hold_out, plan_holdout
from lorasmith.curation.layout import lay_out, plan_layout
from lorasmith.curation.mend.mend import mend, undo
from lorasmith.curation.mend.proposals import propose
from lorasmith.curation.mend.recipes import recipes
from lorasmith.curation.moves import settle
from lorasmith.curation.place import Place, put
from lorasmith.dataset_folder import pictures_below
from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.world import random_scene
from lorasmith.errors import DatasetError, InputError
from lorasmith.findings import MendChange
from tests.curation.imports.test_imports import listing


def make(root, count=6):
    root.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        draw_scene(random_scene(number)).save(root / f"{number}.png")
        (root / f"{number}.txt").write_text(f"mimi, {number}", encoding="utf-8")
    return root


@pytest.fixture
def dataset(tmp_path):
    return make(tmp_path / "set")


def add_tag(root):
    captions = open_captions(root)
    captions.save({entry.key: entry.caption.with_tags([*entry.caption.tags, "hat"]) for entry in captions}, "add hat")


def mended(root, change, first=0, last=None):
    mend(root, propose(root, pictures_below(root)[first:last], [change]))


DOINGS = {
    "captions": add_tag,
    "rotate": lambda root: mended(root, MendChange("rotate", {"degrees": 90})),
    "jpeg": lambda root: mended(root, MendChange("convert", {"to": "jpg"}), 1, 3),
    "cut": lambda root: mended(root, MendChange("cut", {"boxes": [(0, 0, 20, 30), (20, 0, 40, 30)]}), 0, 1),
    "erase": lambda root: mended(root, MendChange("erase", {"boxes": [(2, 2, 12, 12)]}), 0, 2),
    "remove": lambda root: mended(root, MendChange("remove"), 2, 3),
    "layout": lambda root: lay_out(root, plan_layout(root, concept="mimi", repeats={"mimi": 4})),
    "other layout": lambda root: lay_out(root, plan_layout(root, concept="mimi", repeats={"mimi": 7})),
    "hold out": lambda root: hold_out(root, plan_holdout(root, 0.3)),
    "place": lambda root: put(root, pictures_below(root), Place(concept="tama")),
    "by hand": lambda root: put(root, pictures_below(root)[:1], Place(held_out=True)),
}


def test_everything_is_listed_by_time_and_undone_newest_first(dataset):
    before = listing(dataset)
    for doing in ("captions", "rotate", "layout", "hold out", "jpeg"):
        DOINGS[doing](dataset)
    after = listing(dataset)
    listed = operations(dataset)
    assert [(one.what, one.count) for one in listed] == [("mends", 2), ("moves", 2), ("moves", 6), ("mends", 6), ("captions", 6)]
    assert [one.words for one in listed][1:3] == ["hold out 2 pictures", "lay out 4_mimi"]
    assert listed[3].words.endswith(" and 5 more: turned by 90 degrees")
    assert [one.at for one in listed] == sorted((one.at for one in listed), reverse=True)
    undone = [undo_newest(dataset).at for _ in listed]
    assert undone == [one.at for one in listed]
    assert listing(dataset) == before
    with pytest.raises(DatasetError, match="nothing to undo"):
        undo_newest(dataset)
    assert [redo_next(dataset).at for _ in listed] == undone[::-1]
    assert listing(dataset) == after
    with pytest.raises(DatasetError, match="nothing to redo"):
        redo_next(dataset)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.lists(st.sampled_from(sorted(DOINGS)), min_size=1, max_size=4), st.data())
def test_whatever_is_done_is_undone_and_redone_to_the_same_bytes(tmp_path_factory, doings, data):
    root = make(tmp_path_factory.mktemp("history") / "set", 4)
    seen = [listing(root)]
    for doing in doings:
        known = len(operations(root))
        try:
            DOINGS[doing](root)
        except (DatasetError, InputError):
            continue
        if len(operations(root)) > known:
            seen.append(listing(root))
    for _ in range(3):
        place = data.draw(st.integers(0, len(seen) - 1))
        now = sum(1 for one in operations(root) if one.state == "done")
        for _ in range(abs(place - now)):
            undo_newest(root) if place < now else redo_next(root)
        assert listing(root) == seen[place]


def test_what_was_undone_cannot_be_redone_once_something_else_is_done(dataset):
    DOINGS["rotate"](dataset)
    DOINGS["layout"](dataset)
    undo_newest(dataset)
    undo_newest(dataset)
    assert to_redo(operations(dataset)).what == "mends"
    DOINGS["captions"](dataset)
    assert [one.state for one in operations(dataset)] == ["done", "set aside", "set aside"]
    assert to_redo(operations(dataset)) is None
    assert to_undo(operations(dataset)).what == "captions"
    undo_newest(dataset)
    assert [one.state for one in operations(dataset)] == ["undone", "set aside", "set aside"]
    redo_next(dataset)


def test_a_mend_that_was_taken_back_by_itself_is_not_undone_twice(dataset):
    DOINGS["rotate"](dataset)
    undo(dataset, [recipe for recipe in recipes(dataset) if recipe.original.path != "0.png"])
    (done, undone) = sorted(operations(dataset), key=lambda one: one.state)
    assert (done.count, undone.count, done.at == undone.at) == (1, 5, True)
    undo_newest(dataset)
    assert [one.state for one in operations(dataset)] == ["undone"]
    assert recipes(dataset) == []


def test_what_changed_since_is_a_sentence_and_stays(dataset):
    DOINGS["rotate"](dataset)
    undo_newest(dataset)
    Image.new("RGB", (9, 9), "red").save(dataset / "3.png")
    now = listing(dataset)
    with pytest.raises(DatasetError, match="is not what it was when that was taken back"):
        redo_next(dataset)
    assert listing(dataset) == now


def test_a_layout_is_taken_back_with_captions_that_came_since_and_without_pictures_that_went(dataset):
    (dataset / "5.txt").unlink()
    DOINGS["layout"](dataset)
    (dataset / "4_mimi" / "5.txt").write_text("later", encoding="utf-8")
    (dataset / "4_mimi" / "4.png").unlink()
    undo_newest(dataset)
    assert (dataset / "5.txt").read_text(encoding="utf-8") == "later"
    assert [path.name for path in pictures_below(dataset)] == ["0.png", "1.png", "2.png", "3.png", "5.png"]


def test_nothing_is_moved_back_over_something_else(dataset):
    DOINGS["layout"](dataset)
    Image.new("RGB", (9, 9), "red").save(dataset / "3.png")
    now = listing(dataset)
    with pytest.raises(DatasetError, match="3.png is there already"):
        undo_newest(dataset)
    assert listing(dataset) == now


def test_what_is_held_out_is_decided_anew_once_it_was_undone(dataset):
    hold_out(dataset, plan_holdout(dataset, 0.3))
    first = {path.name for path in plan_holdout(dataset, 0.3).held_out}
    undo_newest(dataset)
    assert {path.name for path in plan_holdout(dataset, 0.3, seed=3).held_out} != first
    redo_next(dataset)
    assert {path.name for path in plan_holdout(dataset, 0.3, seed=3).held_out} == first


def test_an_undo_that_a_kill_interrupts_is_finished_by_the_next_call(dataset, monkeypatch):
    before = listing(dataset)
    DOINGS["layout"](dataset)
    with monkeypatch.context() as patched:
        patched.setattr(moving, "follow_moves", lambda root, after: exec("raise KeyboardInterrupt"))
        with pytest.raises(KeyboardInterrupt):
            undo_newest(dataset)
    settle(dataset)
    assert listing(dataset) == before
    assert [one.state for one in operations(dataset)] == ["undone"]


def test_a_journal_of_moves_by_an_earlier_version_is_finished(dataset):
    (dataset / ".lorasmith").mkdir(exist_ok=True)
    (dataset / ".lorasmith" / "moves.json").write_text(json.dumps([["0.png", "4_mimi/0.png"]]), encoding="utf-8")
    settle(dataset)
    assert (dataset / "4_mimi" / "0.png").exists()
    assert operations(dataset) == []


def test_a_dry_run_is_no_operation(dataset):
    arrange(dataset, concept="mimi", holdout=0.3, dry_run=True)
    assert operations(dataset) == []
