"""Concepts get equal time, and a dataset is laid out so without losing a caption, a mend or a record."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.curation import moves
from lorasmith.curation.chosen_pictures import dataset_pictures
from lorasmith.curation.imports.imports import import_pictures
from lorasmith.curation.layout import lay_out, plan_layout, settings_for
from lorasmith.curation.mend.mend import mend, undo
from lorasmith.curation.mend.proposals import propose
from lorasmith.curation.mend.recipes import recipes
from lorasmith.curation.moves import settle
from lorasmith.datasets.balance import MOST_PASSES, balanced_repeats, findings_of
from lorasmith.datasets.folders import open_folder
from lorasmith.errors import DatasetError, InputError, SettingsError
from lorasmith.findings import MendChange
from tests.curation.imports.test_imports import listing, png, write


def test_the_largest_concept_is_shown_once_and_the_others_make_up_for_it():
    shares = balanced_repeats({"anna": 40, "bert": 20, "cleo": 15, "dora": 39})
    assert {name: share.repeats for name, share in shares.items()} == {"anna": 1, "bert": 2, "cleo": 3, "dora": 1}
    assert balanced_repeats({"anna": 40, "bert": 16}, repeats=2)["bert"].repeats == 5


@given(st.dictionaries(st.text(min_size=1), st.integers(1, 500), min_size=1), st.integers(1, 10))
def test_no_concept_is_off_by_more_than_half_its_pictures(pictures, repeats):
    most = max(pictures.values()) * repeats
    for share in balanced_repeats(pictures, repeats).values():
        assert abs(share.samples - most) <= share.pictures / 2 + 1e-9 or share.repeats == 1


def test_a_small_folder_that_would_over_bake_is_said_with_what_it_lacks():
    shares = balanced_repeats({"anna": 100, "bert": 4}, epochs=10)
    assert shares["bert"].passes == 250 > MOST_PASSES
    (finding,) = findings_of(shares)
    assert (finding.code, finding.subjects, finding.evidence.number) == ("layout.over_baked", ("bert",), 250)
    assert "bert has 4 pictures, each of which would be seen 250 times" in finding.message
    assert "Find 1 more" in finding.fix.words
    assert not findings_of(balanced_repeats({"anna": 100, "bert": 5}, epochs=10))


def test_nothing_cannot_be_balanced():
    with pytest.raises(SettingsError, match="'bert' has no pictures"):
        balanced_repeats({"anna": 3, "bert": 0})
    with pytest.raises(SettingsError, match="at least 1"):
        balanced_repeats({"anna": 3}, epochs=0)


@pytest.fixture
def two(tmp_path):
    """A dataset of two concepts, 6 and 2 pictures."""
    files = {f"1_anna, red hat/{n}.png": png(n) for n in range(6)} | {f"1_bert/{n}.png": png(10 + n) for n in range(2)}
    pile = write(tmp_path / "pile", files | {"1_anna, red hat/0.txt": b"anna", "1_bert/0.caption": b"bert"})
    import_pictures([pile], tmp_path / "ds")
    return tmp_path / "ds"


def test_folders_are_renamed_to_their_balanced_repeats(two):
    layout = plan_layout(two)
    assert [(one.folder, one.share.pictures) for one in layout.concepts] == [("1_anna, red hat", 6), ("3_bert", 2)]
    assert layout.moves == (("1_bert", "3_bert"),)
    lay_out(two, layout)
    assert "3_bert/0.caption" in listing(two)
    assert {(one.folder, one.repeats) for one in open_folder(two).pictures} == {("1_anna, red hat", 1), ("3_bert", 3)}
    assert plan_layout(two).moves == ()
    assert import_pictures([two.parent / "pile"], two).added == []


def test_loose_pictures_get_a_folder_and_their_mends_follow(tmp_path):
    pile = write(tmp_path / "pile", {f"{n}.png": png(n, (40, 30)) for n in range(3)} | {"0.txt": b"zero", "note.png.bak": b""})
    dataset = tmp_path / "ds"
    import_pictures([pile], dataset)
    mend(
        dataset,
        propose(
            dataset, dataset_pictures(dataset, ["0.png"]), [MendChange("rotate", {"degrees": 90}), MendChange("convert", {"to": "jpg"})]
        ),
    )
    with pytest.raises(DatasetError, match="--concept NAME"):
        plan_layout(dataset)
    lay_out(dataset, plan_layout(dataset, concept="anna: cat", base_repeats=5))
    assert set(listing(dataset)) == {"5_anna cat/0.jpg", "5_anna cat/0.txt", "5_anna cat/1.png", "5_anna cat/2.png"}
    undo(dataset, recipes(dataset))
    assert listing(dataset)["5_anna cat/0.png"] == png(0, (40, 30))
    assert import_pictures([pile], dataset).added == []


def test_plain_folders_become_concepts_and_one_is_marked_as_regularisation(tmp_path):
    root = write(tmp_path / "ds", {"anna/a.png": png(1), "woman/b.png": png(2), "more/c.png": png(3), "anna/b.png": png(4)})
    layout = plan_layout(root, names={"more": "woman"}, regularisation=["woman"])
    with pytest.raises(InputError, match="no folder 'nobody'"):
        plan_layout(root, regularisation=["nobody"])
    lay_out(root, layout)
    assert set(listing(root)) == {"1_anna/a.png", "1_anna/b.png", "regularisation/1_woman/b.png", "2_woman/c.png"}
    assert [one.is_reg for one in layout.concepts] == [False, False, True]
    assert "is_reg = true" in settings_for(root)
    assert len(open_folder(root / "regularisation", is_reg=True).pictures) == 1


def test_two_folders_of_one_concept_become_one(tmp_path):
    root = write(tmp_path / "ds", {"1_anna/a.png": png(1), "anna/a.png": png(2), "anna/a.txt": b"two", "5_anna/A.png": png(3)})
    lay_out(root, plan_layout(root, repeats={"anna": 7}))
    assert sorted(listing(root).values()) == sorted([png(1), png(2), b"two", png(3)])
    assert len({path.rsplit(".", 1)[0].casefold() for path in listing(root)}) == 3
    said = {one.path.read_bytes(): one.caption for one in open_folder(root).pictures}
    assert said == {png(1): "anna", png(2): "two", png(3): "anna"}


def test_a_layout_cut_short_is_finished_by_the_next_call(two, monkeypatch):
    layout = plan_layout(two, names={"bert": "berta"}, repeats={"anna, red hat": 9})
    assert len(layout.moves) == 2

    def power_cut(root):
        old, new = json.loads((root / ".lorasmith" / "moves.json").read_bytes())["moves"][0]
        (root / old).rename(root / new)
        raise KeyboardInterrupt

    monkeypatch.setattr(moves, "finish_moves", lambda root: None if not (root / ".lorasmith" / "moves.json").exists() else power_cut(root))
    with pytest.raises(KeyboardInterrupt):
        lay_out(two, layout)
    monkeypatch.undo()
    settle(two)
    assert {path.split("/")[0] for path in listing(two)} == {"9_anna, red hat", "3_berta"}
    assert import_pictures([two.parent / "pile"], two).added == []
