"""A project's trigger and its captions change by one operation, whoever undoes it."""

import pytest

from lorasmith.captions.collection import open_captions
from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.world import random_scene
from lorasmith.projects.project import Project
from lorasmith.projects.projects import Projects
from lorasmith.projects.trigger import TriggerChange
from tests.command_line import lorasmith


@pytest.fixture
def projects(tmp_path):
    projects = Projects(tmp_path)
    dataset = projects.make(Project(name="Mimi", trigger="mimi")).dataset
    draw_scene(random_scene(0)).save(dataset / "0.png")
    (dataset / "0.txt").write_text("mimi, hat", encoding="utf-8")
    captions = open_captions(dataset)
    note = TriggerChange(before="mimi", after="zorvex").note
    captions.save({"0.txt": captions["0.txt"].caption.with_tags(["zorvex", "hat"])}, "set the trigger", note)
    projects.change("mimi", {"trigger": "zorvex"})
    return projects


def state(projects):
    found = projects["mimi"]
    return found.read().trigger, (found.dataset / "0.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("back", [("undo",), ("captions", "undo")])
@pytest.mark.parametrize("again", [("undo", "--redo"), ("captions", "redo")])
def test_undoing_gives_both_back_and_redoing_both_again(projects, back, again):
    dataset = projects["mimi"].dataset
    assert lorasmith(*back, dataset).returncode == 0
    assert state(projects) == ("mimi", "mimi, hat")
    assert lorasmith(*again, dataset).returncode == 0
    assert state(projects) == ("zorvex", "zorvex, hat")


def test_a_trigger_that_was_chosen_since_then_stays(projects):
    projects.change("mimi", {"trigger": "quil"})
    lorasmith("undo", projects["mimi"].dataset)
    assert state(projects) == ("quil", "mimi, hat")


def test_a_dataset_that_is_no_projects_is_undone_all_the_same(projects, tmp_path):
    elsewhere = projects["mimi"].dataset.rename(tmp_path / "set")
    assert lorasmith("undo", elsewhere).returncode == 0
    assert (elsewhere / "0.txt").read_text(encoding="utf-8") == "mimi, hat"
    assert projects["mimi"].read().trigger == "zorvex"
