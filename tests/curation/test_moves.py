"""Moves within a dataset, also on disks that take names for one that differ in case alone, as those of Windows and macOS do."""

import os

import pytest

from lorasmith.curation.moved import read_moved
from lorasmith.curation.moves import make_moves, take_back
from lorasmith.errors import DatasetError


@pytest.fixture
def case_blind_disk(monkeypatch):
    """A file is found under every spelling of its name."""
    stat = os.stat

    def case_blind(path, **more):
        try:
            return stat(path, **more)
        except FileNotFoundError:
            folder, name = os.path.split(os.fspath(path))
            for other in os.listdir(folder or "."):
                if other.casefold() == name.casefold():
                    return stat(os.path.join(folder, other), **more)
            raise

    monkeypatch.setattr(os, "stat", case_blind)


def test_names_that_differ_in_case_alone_are_given_where_the_disk_takes_both_for_one(tmp_path, case_blind_disk):
    (tmp_path / "1_Anna").mkdir()
    for name in ("Foo.png", "Foo.txt", "1_Anna/a.png"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    assert (tmp_path / "foo.png").exists(), "the disk is blind"
    make_moves(tmp_path, [("Foo.png", "foo.png"), ("1_Anna", "1_anna")], "rename Foo.png")
    assert sorted(os.listdir(tmp_path)) == [".lorasmith", "1_anna", "foo.png", "foo.txt"]
    assert (tmp_path / "1_anna" / "a.png").read_text(encoding="utf-8") == "1_Anna/a.png"
    (made,) = read_moved(tmp_path)
    take_back(tmp_path, made)
    assert sorted(os.listdir(tmp_path)) == [".lorasmith", "1_Anna", "Foo.png", "Foo.txt"]


def test_what_is_in_the_way_is_never_written_over_be_it_the_same_file_by_a_link(tmp_path):
    (tmp_path / "Foo.png").write_bytes(b"foo")
    os.link(tmp_path / "Foo.png", tmp_path / "bar.png")
    with pytest.raises(DatasetError) as refused:
        make_moves(tmp_path, [("Foo.png", "bar.png")])
    assert refused.value.code == "dataset.in_the_way"
    assert sorted(os.listdir(tmp_path))[-2:] == ["Foo.png", "bar.png"]
