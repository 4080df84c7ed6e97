"""`lorasmith undo`: whatever was done last to a dataset is taken back."""

import json

import pytest
from typer.testing import CliRunner

from lorasmith.cli.main import app
from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.world import random_scene
from lorasmith.errors import DatasetError, InputError


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    draw_scene(random_scene(0)).save(folder / "0.png")
    (folder / "0.txt").write_text("mimi", encoding="utf-8")
    return folder


def call(*arguments):
    done = CliRunner().invoke(app, [*map(str, arguments)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.stdout


def test_what_was_done_last_is_undone_and_redone(dataset, tmp_path):
    assert call("undo", dataset, "--list") == f"Nothing was done to {dataset} yet.\n"
    call("mend", dataset, "--rotate", 90, "--only", "0.png")
    call("layout", dataset, "--concept", "mimi", "--repeats", "mimi=3")
    lines = call("undo", dataset, "--list").splitlines()
    assert [line.split("  ")[-1] for line in lines] == ["lay out 3_mimi", "0.png: turned by 90 degrees"]
    assert call("undo", dataset, "--cache", tmp_path / "cache") == "undone: lay out 3_mimi\n"
    assert (dataset / "0.txt").exists()
    assert "lay out 3_mimi (undone)" in call("undo", dataset, "--list")
    assert call("undo", dataset, "--redo") == "redone: lay out 3_mimi\n"
    (operation,) = json.loads(call("undo", dataset, "--json", "--cache", tmp_path / "cache"))["operations"]
    assert (operation["what"], operation["state"], operation["count"]) == ("moves", "undone", 1)


def test_nothing_to_undo_and_two_wishes_at_once_are_sentences(dataset):
    with pytest.raises(DatasetError, match="nothing to undo"):
        call("undo", dataset)
    with pytest.raises(DatasetError, match="nothing to redo"):
        call("undo", dataset, "--redo")
    with pytest.raises(InputError, match="one of the two"):
        call("undo", dataset, "--redo", "--list")
    with pytest.raises(DatasetError, match="is not a folder"):
        call("undo", dataset / "gone")
