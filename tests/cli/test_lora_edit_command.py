"""`lorasmith lora edit` as a user meets it."""

import json

import pytest
import torch
from typer.testing import CliRunner

from lorasmith.adapters.files.header import read_lora_header
from lorasmith.adapters.files.lora_file import save_lora
from lorasmith.cli.main import app
from lorasmith.errors import InputError, SettingsError


def run(*arguments):
    result = CliRunner().invoke(app, ["lora", "edit", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout


@pytest.fixture
def lora(tmp_path):
    metadata = {"ss_output_name": "mimi", "wandb_api_key": "abcd1234", "ss_dataset_dirs": '{"10_anna": {"n_repeats": 10}}'}
    save_lora(tmp_path / "mimi.safetensors", {"a.alpha": torch.tensor(1.0)}, metadata, torch.float32)
    return tmp_path / "mimi.safetensors"


def test_an_edit_is_shown_with_the_hashes_and_can_be_undone(lora):
    before = lora.read_bytes()
    said = run(lora, "--title", "Mimi", "--license", "CC-BY-4.0", "--set", "my.key=a=b", "--private", "--in-place")
    metadata = read_lora_header(lora).metadata
    assert (metadata["modelspec.title"], metadata["modelspec.license"], metadata["my.key"]) == ("Mimi", "CC-BY-4.0", "a=b")
    assert not metadata.keys() & {"wandb_api_key", "ss_dataset_dirs"}
    assert "removed  ss_dataset_dirs" in said
    assert "set      modelspec.title: Mimi" in said
    assert "abcd1234" not in said
    auto_v3 = next(line for line in said.splitlines() if "AutoV3" in line)
    assert auto_v3.endswith("(the same)")
    assert "--undo" in said
    run(lora, "--undo")
    assert lora.read_bytes() == before


def test_of_a_table_it_is_said_what_changes_in_it(lora):
    """Their texts begin alike, so that cut short they would be the same."""
    table = {"base": {"path": "x" * 200}, "datasets": [1], "name": "mimi"}
    run(lora, "--set", f"settings={json.dumps(table)}", "--in-place")
    said = run(lora, "--set", f"settings={json.dumps(table | {'datasets': [2], 'more': 1})}", "--dry-run")
    assert "changed  settings: its datasets, more\n" in said


def test_a_dry_run_as_json_is_one_object(lora, tmp_path):
    before = lora.read_bytes()
    said = json.loads(run(lora, "--rename", "ss_output_name=name", "--remove", "wandb_api_key", "--dry-run", "--json"))
    assert [(each["key"], each["before"], each["after"]) for each in said["changes"]] == [
        ("name", None, "mimi"), ("ss_output_name", "mimi", None), ("wandb_api_key", "(not shown)", None),
    ]  # fmt: skip
    assert (said["out"], said["hashes"]["before"]["auto_v3"]) == (None, said["hashes"]["after"]["auto_v3"])
    assert lora.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    "arguments", [["--set", "title"], ["--set", "=x"], ["--rename", "a"], ["--undo", "--title", "x"], ["--title", "x"], []]
)
def test_what_is_not_clear_is_refused(lora, arguments):
    with pytest.raises((SettingsError, InputError)):
        run(lora, *arguments)
