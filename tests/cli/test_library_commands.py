"""The verbs on the catalogue as a user types them."""

import json

import pytest
from typer.testing import CliRunner

from lorasmith.cli.library import app
from tests.library.lora_files import write_lora


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("LORASMITH_LIBRARY", str(tmp_path / "library"))

    def call(*words, code=0):
        result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result.stdout

    return call


@pytest.fixture
def loras(tmp_path):
    folder = tmp_path / "loras"
    for epoch in (1, 2):
        said = {"ss_session_id": "7", "ss_output_name": "zorvex", "ss_epoch": str(epoch), "modelspec.trigger_phrase": "zorvex"}
        write_lora(folder / f"zorvex-{epoch:06d}.safetensors", said, seed=epoch)
    (folder / "torn.safetensors").write_bytes(b"nothing of the kind")
    return folder


def test_adding_a_folder_says_what_is_in_it_and_what_cannot_be_read(run, loras):
    said = run("add", loras)
    assert said.splitlines()[0] == "3 files in 1 folder: 3 new"
    assert f"not read: {loras / 'torn.safetensors'} is not a safetensors file" in said
    assert run("add", loras).splitlines()[0] == "3 files in 1 folder: nothing new"


def test_a_training_is_one_line_with_its_checkpoints(run, loras):
    run("add", loras)
    head, line, *_ = run("list").splitlines()
    assert head.split() == ["name", "base", "kind", "rank", "trigger", "day", "checkpoints", "folder"]
    assert line.startswith("zorvex-000002  sd1 (animagine.safetensors)  lora  4     zorvex")
    assert len(run("find", "zorvex", "--all").splitlines()) == 3


def test_json_names_what_was_found(run, loras):
    run("add", loras)
    found = json.loads(run("find", "--trigger", "zorvex", "--json"))
    (file,) = found["files"]
    assert (file["file"], file["ranks"], file["epoch"]) == (str(loras / "zorvex-000002.safetensors"), [4], 2)
    assert file["checkpoints"] == [str(loras / f"zorvex-00000{epoch}.safetensors") for epoch in (1, 2)]
    assert found["problems"] == []
    assert [each["file"] for each in json.loads(run("list", "--json"))["problems"]] == [str(loras / "torn.safetensors")]


def test_nothing_found_is_said_and_has_its_exit_code(run, loras):
    assert run("find", "x", code=1) == "The catalogue is empty. Add a folder with: lorasmith library add FOLDER\n"
    run("add", loras)
    assert run("find", "--kind", "lorra", code=1) == "No LoRA of the catalogue has the kind 'lorra'; did you mean 'lora'?\n"
    assert run("find", "aquarelle", code=1) == "Nothing is found.\n"


def test_duplicates_are_listed_with_what_they_take(run, loras):
    write_lora(loras / "again.safetensors", {"ss_training_comment": "a copy"}, seed=1)
    run("add", loras)
    said = run("list", "--duplicates")
    assert said.splitlines()[1:3] == [f"  {loras / 'zorvex-000001.safetensors'}", f"  {loras / 'again.safetensors'}"]
    assert "1 LoRA in more than one file" in said


def test_a_folder_can_be_taken_out_and_all_be_read_again(run, loras):
    run("add", loras)
    assert run("rescan").splitlines()[0] == "3 files in 1 folder: 3 changed"
    assert run("remove", loras).splitlines()[0] == "0 files in 0 folders: 3 gone"
