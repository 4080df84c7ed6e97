"""What a dataset's folder is: the one walk, the one lock."""

from __future__ import annotations

import os

import pytest
from PIL import Image

from lorasmith.captions.caption import Caption
from lorasmith.captions.collection import open_captions
from lorasmith.captions.history import History
from lorasmith.curation.imports.imports import import_pictures
from lorasmith.curation.mend.mend import alone_in
from lorasmith.dataset_folder import CAPTION_HISTORY, LOCK, SET_ASIDE, locked, pictures_below, pictures_in, sidecars, walk
from lorasmith.datasets.folders import open_folder
from lorasmith.errors import DatasetError
from lorasmith.lock_holder import program_of


@pytest.fixture
def dataset(tmp_path):
    """A dataset with empty files in place of pictures: only names are read."""
    root = tmp_path / "anna"
    for place in (
        "b.png", "a.JPG", "a.txt", "a.caption", "notes.md", ".hidden.png", "Thumbs.db", "10_hat/c.webp", "10_hat/deep/d.png",
        "holdout/1_hat/e.png", "regularisation/1_woman/f.png", ".lorasmith/originals/ab/g.png", "__MACOSX/h.png",
    ):  # fmt: skip
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).touch()
    return root


def names(root, paths):
    return [path.relative_to(root).as_posix() for path in paths]


def test_the_walk_finds_pictures_in_all_folders_but_hidden_ones_and_those_of_desktops(dataset):
    assert names(dataset, pictures_below(dataset)) == [
        "10_hat/c.webp", "10_hat/deep/d.png", "a.JPG", "b.png", "holdout/1_hat/e.png", "regularisation/1_woman/f.png",
    ]  # fmt: skip
    assert pictures_below(str(dataset)) == pictures_below(dataset)


def test_folders_set_aside_and_deep_ones_are_left_out_where_asked(dataset):
    assert names(dataset, pictures_below(dataset, leave_out=SET_ASIDE)) == ["10_hat/c.webp", "10_hat/deep/d.png", "a.JPG", "b.png"]
    assert names(dataset, pictures_below(dataset, depth=1)) == ["10_hat/c.webp", "a.JPG", "b.png"]
    assert names(dataset, pictures_in(dataset)) == ["a.JPG", "b.png"]


def test_a_folder_comes_before_the_folders_inside_it(dataset):
    places = [place for place, _ in walk(dataset)]
    assert places == ["", "10_hat", "10_hat/deep", "holdout", "holdout/1_hat", "regularisation", "regularisation/1_woman"]
    assert dict(walk(dataset))[""] == ["a.JPG", "a.caption", "a.txt", "b.png", "notes.md"]


@pytest.mark.skipif(os.name != "posix", reason="links need a permission on Windows")
def test_links_to_folders_are_followed_where_asked_and_never_in_a_circle(dataset, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "i.png").touch()
    (dataset / "linked").symlink_to(tmp_path / "elsewhere")
    (dataset / "10_hat" / "back").symlink_to(dataset)
    (dataset / "itself.png").symlink_to(dataset / "itself.png")
    assert "linked/i.png" not in names(dataset, pictures_below(dataset))
    assert names(dataset, pictures_below(dataset, through_links=True)) == [
        *names(dataset, pictures_below(dataset))[:-1], "linked/i.png", "regularisation/1_woman/f.png",
    ]  # fmt: skip


def test_the_captions_of_a_picture_are_beside_it(dataset):
    assert [file.name for file in sidecars(dataset / "a.JPG")] == ["a.txt", "a.caption"]
    assert sidecars(dataset / "b.png") == []


def test_what_changes_captions_and_what_changes_pictures_wait_for_each_other(dataset):
    captions = open_captions(dataset, patience=0.0)
    with alone_in(dataset), pytest.raises(DatasetError, match="is being changed by another program"):
        captions.save({"a.txt": Caption(b"anna")}, "write")
    with locked(dataset), pytest.raises(DatasetError, match="wait until it is done") as refused, alone_in(dataset):
        pass
    assert refused.value.code == "dataset.locked"
    captions.save({"a.txt": Caption(b"anna")}, "write")
    assert History(dataset).file == dataset / CAPTION_HISTORY
    assert [path.name for path in dataset.glob(".lorasmith/*lock")] == [LOCK.name]


def test_who_is_refused_is_told_who_changes_the_dataset(dataset, monkeypatch):
    monkeypatch.setattr("sys.argv", ["/usr/bin/lorasmith", "captions", "add", str(dataset), "hat"])
    with locked(dataset), pytest.raises(DatasetError) as refused, locked(dataset):
        pass
    assert f"another program (lorasmith captions add, process {os.getpid()}, since " in str(refused.value)
    assert (refused.value.values["program"], refused.value.values["process"]) == ("lorasmith captions add", os.getpid())


def test_who_waits_long_for_another_program_is_told_so(dataset, monkeypatch, caplog):
    monkeypatch.setattr("lorasmith.dataset_folder.SOON", 0.0)
    with locked(dataset), pytest.raises(DatasetError), locked(dataset, patience=0.1):
        pass
    assert "is being changed by another program" in caplog.text
    assert "Waiting up to" in caplog.text


def test_captions_are_read_while_another_program_has_the_dataset(dataset):
    open_captions(dataset).save({"a.txt": Caption(b"anna")}, "write")
    with locked(dataset):
        assert open_captions(dataset, patience=0.0)["a.txt"].caption.text == "anna"


@pytest.mark.parametrize(
    ("command", "program"),
    [
        (["/usr/bin/lorasmith", "mend", "pets"], "lorasmith mend pets"), (["/x/lorasmith/__main__.py", "studio", "--workspace", "w"], "lorasmith studio"),
        (["/usr/bin/lorasmith", "captions", "add", "./pets", "hat"], "lorasmith captions add"), (["-c"], "python"), ([], "python"),
    ],
)  # fmt: skip
def test_a_program_is_named_by_its_verbs(command, program):
    assert program_of(command) == program


def test_a_lock_needs_a_folder(tmp_path):
    with pytest.raises(DatasetError, match="is not a folder") as refused, locked(tmp_path / "nothing"):
        pass
    assert refused.value.code == "dataset.no_folder"


@pytest.mark.parametrize(
    "place", ["@eaDir/a.png/SYNOPHOTO_THUMB_M.jpg", "10_a/@eaDir/a.jpg", "#recycle/a.png", "$RECYCLE.BIN/a.png", "@Recycle/a.png",
              ".ipynb_checkpoints/a.png", "_latent_cache/a.png", "System Volume Information/a.png", "10_a/b-masklabel.png", "B-CONDLABEL.PNG"],
)  # fmt: skip
def test_what_systems_and_other_trainers_leave_is_no_picture_of_the_dataset(tmp_path, place):
    root, into = tmp_path / "set", tmp_path / "into"
    for name in ("10_a/b.png", place):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16)).save(root / name)
    assert pictures_below(root) == [root / "10_a" / "b.png"]
    assert [entry.pictures for entry in open_captions(root)] == [("10_a/b.png",)]
    assert [picture.path.name for picture in open_folder(root).pictures] == ["b.png"]
    left = import_pictures([root], into).left_out
    assert [picture.name for picture in pictures_below(into)] == ["b.png"]
    of_masks = [finding.code for finding in open_folder(root).findings if "mask" in finding.code]
    if "condlabel" in place.lower():
        assert [finding.code for finding in left] == ["imports.mask"]
        assert of_masks == ["folder.mask_without_picture"]
    if "masklabel" in place.lower():  # comes along with its picture
        assert (left, of_masks, (into / place).is_file()) == ([], [], True)
