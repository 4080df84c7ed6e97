"""Held-out pictures are chosen by their bytes, stay held out, and have no copy among those that train."""

import hashlib
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lorasmith.curation import measuring
from lorasmith.curation.chosen_pictures import dataset_pictures
from lorasmith.curation.holdout import held_out, hold_out, plan_holdout
from lorasmith.curation.imports.imports import import_pictures
from lorasmith.curation.layout import lay_out, plan_layout
from lorasmith.curation.mend.mend import mend
from lorasmith.curation.mend.proposals import propose
from lorasmith.curation.undo import undo_mends
from lorasmith.datasets.folders import open_folder
from lorasmith.errors import DatasetError, SettingsError
from lorasmith.findings import MendChange
from tests.curation.imports.test_imports import listing
from tests.photographs import photograph


def names(count, first=0):
    return [hashlib.sha256(str(n).encode()).hexdigest() for n in range(first, first + count)]


def test_about_the_share_is_held_out():
    assert 160 < sum(held_out(names(2000), [], 0.1)) < 240
    assert sum(held_out(names(2000), [], 0)) == 0
    assert held_out(names(2000), [], 0.1, seed=1) != held_out(names(2000), [], 0.1, seed=2)


def test_the_choice_depends_neither_on_order_nor_on_the_pictures_beside():
    few, many = names(300), names(600)
    chosen = dict(zip(many, held_out(many, [], 0.1), strict=True))
    backwards = dict(zip(reversed(few), held_out(list(reversed(few)), [], 0.1), strict=True))
    assert all(chosen[name] == side for name, side in backwards.items())


@given(
    st.lists(st.lists(st.integers(0, 39), min_size=2, max_size=4), max_size=6),
    st.lists(st.lists(st.integers(0, 59), min_size=2, max_size=4), max_size=6),
    st.integers(0, 5),
)
def test_near_duplicates_stay_together_and_decisions_stand(early_groups, late_groups, seed):
    contents = names(60)
    first = held_out(contents[:40], early_groups, 0.25, seed)
    for group in early_groups:
        assert len({first[i] for i in group}) == 1
    earlier = dict(zip(contents, first, strict=False))
    second = held_out(contents, [*early_groups, *late_groups], 0.25, seed, earlier)
    for group in (*early_groups, *late_groups):
        assert len({second[i] for i in group}) == 1
    assert all(was or not now for was, now in zip(first, second, strict=False))  # what trained never becomes held out
    assert held_out(contents, early_groups, 0.25, seed, earlier)[:40] == first  # and nothing changes sides without need


def test_small_sets_hold_out_the_number_that_was_asked_for():
    assert all(sum(held_out(names(5, n * 5), [], 0.1)) == 1 for n in range(40))
    assert all(sum(held_out(names(30, n * 30), [], 0.1)) == 3 for n in range(40))
    first = dict(zip(names(30), held_out(names(30), [], 0.1), strict=True))
    more = dict(zip(names(50), held_out(names(50), [], 0.1, 0, first), strict=True))
    assert sum(more.values()) == 5
    assert all(more[name] == side for name, side in first.items())
    assert held_out(names(2), [], 0.001) == [False, False]
    with pytest.raises(SettingsError, match="0 to 0.5"):
        held_out(names(3), [], 0.9)


@pytest.fixture
def dataset(tmp_path):
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        picture = photograph(name).resize((160, 120))
        for n, box in enumerate(((0, 0, 80, 60), (80, 0, 160, 60), (0, 60, 80, 120), (80, 60, 160, 120))):
            picture.crop(box).resize((160, 120)).save(tmp_path / f"{name}{n}.png")
            (tmp_path / f"{name}{n}.txt").write_text(name)
    return tmp_path


def test_held_out_pictures_move_aside_with_their_captions_and_stay_there(dataset):
    split = plan_holdout(dataset, 0.25)
    assert len(split.held_out) + len(split.training) == 16
    before = listing(dataset)
    hold_out(dataset, split)
    assert sorted(listing(dataset).values()) == sorted(before.values())
    aside = {path.name for path in (dataset / "holdout").rglob("*.png")}
    assert aside == {path.name for path in split.held_out}
    assert len(open_folder(dataset).pictures) == len(split.training)
    assert all((path.with_suffix(".txt")).exists() for path in (dataset / "holdout").rglob("*.png"))
    assert plan_holdout(dataset, 0.25).moves == ()
    for path in dataset_pictures(dataset, [f"*/{name}" for name in aside]):  # mended, it is the same picture
        mend(dataset, propose(dataset, [path], [MendChange("rotate", {"degrees": 180})]))
    assert plan_holdout(dataset, 0.25).moves == ()


def test_what_layout_set_aside_is_neither_trained_on_nor_a_problem(dataset):
    lay_out(dataset, plan_layout(dataset, concept="things"))
    hold_out(dataset, split := plan_holdout(dataset, 0.25))
    (dataset / "regularisation" / "1_thing").mkdir(parents=True)
    photograph("astronaut").resize((90, 90)).save(dataset / "regularisation" / "1_thing" / "neutral.png")
    for recursive in (False, True):
        contents = open_folder(dataset, recursive=recursive)
        assert contents.findings == ()
        assert len(contents.pictures) == len(split.training) == 12
    assert len(open_folder(dataset / "holdout").pictures) == 4
    shutil.rmtree(dataset / ".lorasmith")  # somebody's own folders of these names are folders like any other
    assert len(open_folder(dataset, recursive=True).pictures) == 17


def test_a_copy_of_a_held_out_picture_is_held_out_too(dataset):
    split = plan_holdout(dataset, 0.25)
    hold_out(dataset, split)
    one = next((dataset / "holdout").rglob("*.png"))
    with Image.open(one) as image:
        image.convert("RGB").save(dataset / "copy.jpg", quality=70)
    again = plan_holdout(dataset, 0.25)
    assert [old for old, _ in again.moves] == ["copy.jpg"]


def test_an_empty_dataset_is_a_sentence(tmp_path):
    with pytest.raises(DatasetError, match="holds no pictures"):
        plan_holdout(tmp_path)


def test_a_binned_copy_that_comes_back_joins_its_twin_whichever_side_that_is_on(dataset):
    for picture in sorted(dataset.glob("*.png")):
        with Image.open(picture) as image:
            image.convert("RGB").save(picture.with_name(f"{picture.stem} again.jpg"), quality=92)
    mend(dataset, propose(dataset, dataset_pictures(dataset), [MendChange("duplicates")]))
    assert len(dataset_pictures(dataset)) == 16
    hold_out(dataset, plan_holdout(dataset, 0.3))
    undone = undo_mends(dataset)
    assert len(undone) == 16
    assert all(path.is_file() for one in undone for path in one.after)
    sides: dict[str, set[bool]] = {}
    for picture in dataset_pictures(dataset):
        sides.setdefault(picture.stem.removesuffix(" again"), set()).add(dataset / "holdout" in picture.parents)
    assert len(sides) == 16
    assert all(len(side) == 1 for side in sides.values())
    assert {frozenset(side) for side in sides.values()} == {frozenset({True}), frozenset({False})}
    assert not plan_holdout(dataset, 0.3).moves  # and it stays so


def test_without_holdout_pictures_come_back_where_they_were(dataset):
    before = listing(dataset)
    mend(dataset, propose(dataset, [dataset / "coffee0.png"], [MendChange("remove")]))
    undo_mends(dataset)
    assert listing(dataset) == before


def test_a_picture_without_a_copy_comes_back_to_its_own_side(dataset):
    hold_out(dataset, plan_holdout(dataset, 0.3))
    held = next(iter(sorted((dataset / "holdout").rglob("*.png"))))
    mend(dataset, propose(dataset, [held], [MendChange("remove")]))
    (undone,) = undo_mends(dataset)
    assert undone.after == (held,)


def test_a_copy_that_is_imported_later_joins_its_twin(dataset, tmp_path_factory):
    hold_out(dataset, plan_holdout(dataset, 0.3))
    source = tmp_path_factory.mktemp("more")
    held = {path.stem: path for path in (dataset / "holdout").rglob("*.png")}
    trained = next(path for path in sorted(dataset.glob("*.png")))
    for picture in (next(iter(held.values())), trained):
        with Image.open(picture) as image:
            image.convert("RGB").save(source / f"{picture.stem} again.jpg", quality=92)
        (source / f"{picture.stem} again.txt").write_text("again")
    imported = import_pictures([source], dataset)
    sides = {one.path.stem.removesuffix("_again"): dataset / "holdout" in one.path.parents for one in imported.added}
    assert sides == {next(iter(held)): True, trained.stem: False}
    assert all(path.is_file() for one in imported.added for path in (one.path, *one.captions))
    assert import_pictures([source], dataset).added == []  # the record knows where they are now


def test_where_pictures_are_held_out_only_those_that_come_are_decoded(dataset, tmp_path_factory, monkeypatch):
    aside = tmp_path_factory.mktemp("aside")
    measured = []
    real = measuring.measure
    monkeypatch.setattr(measuring, "measure", lambda path, *rest: measured.append(path.name) or real(path, *rest))
    hold_out(dataset, plan_holdout(dataset, 0.3, cache=aside / "cache"))
    assert len(measured) == 16
    held = next(iter(sorted((dataset / "holdout").rglob("*.png"))))
    with Image.open(held) as image:
        image.convert("RGB").save(aside / "again.jpg", quality=92)
    [added] = import_pictures([aside / "again.jpg"], dataset, cache=aside / "cache").added
    assert dataset / "holdout" in added.path.parents
    assert measured[16:] == ["again.jpg"]
    mend(dataset, propose(dataset, dataset_pictures(dataset), [MendChange("duplicates")], cache=aside / "cache"))
    assert not added.path.exists() or not held.exists()
    undo_mends(dataset, cache=aside / "cache")
    assert added.path.exists()
    assert held.exists()
    assert not plan_holdout(dataset, 0.3, cache=aside / "cache").moves
    assert len(measured) == 17
