"""Runs are found wherever they are below a folder, and folders in which nothing came or went are not read again."""

import os
import shutil
import time

import pytest

from lorasmith.evaluation import run_folders
from lorasmith.evaluation.run_folders import RunFolders

LONG_AGO = time.time() - 3600


def make_run(folder):
    (folder / "state").mkdir(parents=True)
    (folder / "settings.toml").touch()
    return folder


def settle(root):
    """All that is below a folder was made an hour ago."""
    for place, _, _ in os.walk(root):
        os.utime(place, (LONG_AGO, LONG_AGO))


@pytest.fixture
def workspace(tmp_path):
    """Two runs, and a dataset."""
    make_run(tmp_path / "runs" / "anna")
    make_run(tmp_path / "projects" / "mimi" / "runs" / "mimi-1")
    (tmp_path / "projects" / "mimi" / "dataset" / "5_mimi").mkdir(parents=True)
    (tmp_path / ".lorasmith" / "bin").mkdir(parents=True)
    settle(tmp_path)
    return tmp_path


@pytest.fixture
def read(monkeypatch):
    """The folders that were read."""
    places = []
    read_one = run_folders._read
    monkeypatch.setattr(run_folders, "_read", lambda place, facts: places.append(place) or read_one(place, facts))
    return places


def names(folders):
    return [run.name for run in folders.found()]


def test_folders_in_which_nothing_came_or_went_are_not_read_again(workspace, read):
    folders = RunFolders(workspace)
    assert names(folders) == ["mimi-1", "anna"]
    assert not any(".lorasmith" in place for place in read)
    read.clear()
    assert names(folders) == ["mimi-1", "anna"]
    assert read == []


def test_what_came_and_went_is_seen_by_reading_its_folder_alone(workspace, read):
    folders = RunFolders(workspace)
    folders.found()
    read.clear()
    make_run(workspace / "runs" / "bert")
    shutil.rmtree(workspace / "projects" / "mimi" / "runs" / "mimi-1")
    assert names(folders) == ["anna", "bert"]
    assert {*read} == {str(workspace / place) for place in ("runs", "runs/bert", "projects/mimi/runs")}


def test_a_folder_that_changed_a_moment_ago_is_read_again(workspace, read):
    folders = RunFolders(workspace)
    (workspace / "runs" / "bert").mkdir()
    folders.found()
    read.clear()
    folders.found()
    assert str(workspace / "runs") in read, "another change may get the same time"


def test_a_folder_that_becomes_a_run_is_one(workspace):
    (workspace / "runs" / "bert").mkdir()
    settle(workspace)
    folders = RunFolders(workspace)
    assert names(folders) == ["mimi-1", "anna"]
    make_run(workspace / "runs" / "bert")
    assert names(folders) == ["mimi-1", "anna", "bert"]


def test_another_folder_under_the_name_of_one_is_looked_at(workspace):
    (workspace / "runs" / "bert").mkdir()
    settle(workspace)
    folders = RunFolders(workspace)
    folders.found()
    (workspace / "runs" / "bert").rmdir()
    shutil.move(workspace / "runs" / "anna", workspace / "runs" / "bert")
    settle(workspace)
    assert names(folders) == ["mimi-1", "bert"]


def test_links_are_passed_over_and_a_run_is_found_five_folders_down_at_most(workspace):
    (workspace / "again").symlink_to(workspace / "runs")
    make_run(workspace / "a" / "b" / "c" / "d" / "e")
    make_run(workspace / "a" / "b" / "c" / "f" / "g" / "h")
    assert names(RunFolders(workspace)) == ["e", "mimi-1", "anna"]
    assert names(RunFolders(workspace / "runs" / "anna")) == ["anna"]
    assert names(RunFolders(workspace / "nothing")) == []
