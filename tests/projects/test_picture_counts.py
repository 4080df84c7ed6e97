"""Pictures and captions are counted by their names, and none is read again as long as no folder has changed."""

import os

import pytest

from lorasmith.projects import picture_counts
from lorasmith.projects.picture_counts import PictureCounts


@pytest.fixture
def dataset(tmp_path):
    for name in ("a.png", "a.txt", "5_hat/b.png", "regularisation/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def grow_old(dataset):
    """The folders as if nothing had changed in them for an hour."""
    for folder in (dataset, dataset / "5_hat"):
        os.utime(folder, ns=(0, 0))


def test_pictures_and_their_captions_are_counted_without_regularisation(dataset):
    assert PictureCounts()(dataset) == (2, 1)
    assert PictureCounts()(dataset / "nothing") == (0, 0)


def test_folders_that_have_not_changed_are_not_read_again(dataset, monkeypatch):
    grow_old(dataset)
    count = PictureCounts()
    assert count(dataset) == (2, 1)
    monkeypatch.setattr(picture_counts, "walk", lambda *arguments, **options: pytest.fail("the names were read again"))
    assert count(dataset) == (2, 1)


@pytest.mark.parametrize(("name", "then"), [("d.png", (3, 1)), ("5_hat/b.txt", (2, 2)), ("5_hat/more/e.png", (3, 1))])
def test_what_is_added_anywhere_is_counted(dataset, name, then):
    grow_old(dataset)
    count = PictureCounts()
    count(dataset)
    (dataset / name).parent.mkdir(exist_ok=True)
    (dataset / name).write_bytes(b"x")
    assert count(dataset) == then


def test_a_folder_that_has_only_just_changed_is_read_again(dataset):
    count = PictureCounts()
    count(dataset)
    (dataset / "d.png").write_bytes(b"x")
    now = os.stat(dataset / "5_hat").st_mtime_ns
    os.utime(dataset, ns=(now, now))  # as where the file system's clock has not moved on
    assert count(dataset) == (3, 1)


def test_a_dataset_that_has_gone_has_no_pictures(dataset):
    grow_old(dataset)
    count = PictureCounts()
    count(dataset)
    dataset.rename(dataset.with_name("elsewhere"))
    assert count(dataset) == (0, 0)
