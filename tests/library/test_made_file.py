"""Where what is made of LoRAs goes, unless its user says otherwise."""

from pathlib import Path

import pytest

from lorasmith.library.made_file import place_for


@pytest.fixture
def checkpoint(tmp_path):
    """A checkpoint of a run in a workspace."""
    checkpoints = tmp_path / "projects" / "mimi" / "runs" / "first" / "checkpoints"
    checkpoints.mkdir(parents=True)
    (checkpoints.parent / "events.jsonl").touch()
    return checkpoints / "mimi-000004.safetensors"


def test_what_is_made_of_a_checkpoint_is_not_put_into_its_run(tmp_path, checkpoint):
    assert place_for("resized", tmp_path, checkpoint) == Path("loras/mimi-000004-resized.safetensors")


def test_what_is_made_of_another_lora_is_beside_it(tmp_path):
    workspace = tmp_path / "workspace"
    assert place_for("merged", workspace, tmp_path / "webui" / "anna.v2.pt") == tmp_path / "webui" / "anna.v2-merged.safetensors"
    assert place_for("converted", workspace, workspace / "loras" / "anna.safetensors") == Path("loras/anna-converted.safetensors")


def test_nothing_is_put_where_something_is_already(tmp_path, checkpoint):
    for name in ("extracted.safetensors", "extracted-2.safetensors", "mimi-000004-resized.safetensors"):
        (tmp_path / "loras").mkdir(exist_ok=True)
        (tmp_path / "loras" / name).touch()
    (tmp_path / "publish" / "mimi-000004").mkdir(parents=True)
    assert place_for("extracted", tmp_path) == Path("loras/extracted-3.safetensors")
    assert place_for("resized", tmp_path, checkpoint) == Path("loras/mimi-000004-resized-2.safetensors")
    assert place_for("published", tmp_path, checkpoint) == Path("publish/mimi-000004-2")
