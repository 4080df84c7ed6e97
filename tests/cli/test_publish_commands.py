"""publish and install as a user types them."""

import json

import pytest
import typer
from typer.testing import CliRunner

from lorasmith.cli.install import install
from lorasmith.cli.publish import publish
from tests.library.lora_files import write_lora

app = typer.Typer()
app.command("publish")(publish)
app.command("install")(install)


def run(*words, code=0):
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.stdout


@pytest.fixture
def lora(tmp_path):
    return write_lora(tmp_path / "zorvex.safetensors", {"modelspec.trigger_phrase": "zorvex"})


def test_publishing_says_what_is_missing_and_where_it_is(tmp_path, lora):
    said = run("publish", lora, "--out", tmp_path / "up")
    assert "warning: The LoRA has no licence." in said
    assert f"{lora} published as zorvex: Nobody has measured how good this LoRA is." in said
    assert said.splitlines()[-1] == f"{tmp_path / 'up'}: zorvex.safetensors, zorvex.json, README.md, card.json"


def test_an_error_writes_nothing_and_has_its_exit_code(tmp_path, lora):
    said = run("publish", lora, "--out", tmp_path / "up", "--description", "from /home/anna/loras", code=1)
    assert said.endswith("Nothing was written.\n")
    assert not (tmp_path / "up").exists()


def test_json_has_card_files_and_findings(tmp_path, lora):
    made = json.loads(run("publish", lora, "--out", tmp_path / "up", "--dry-run", "--json"))
    assert (made["name"], made["out"], made["card"]["triggers"], made["pushed"]) == ("zorvex", None, "zorvex", None)
    assert "publish.no_license" in [finding["code"] for finding in made["findings"]]


def test_a_zip_cannot_be_pushed(tmp_path, lora):
    run("publish", lora, "--out", tmp_path / "up.zip", "--push", "anna/zorvex", code=2)
    assert not (tmp_path / "up.zip").exists()


def test_what_was_made_is_pushed_on_request_alone(tmp_path, lora, monkeypatch):
    pushed = []
    monkeypatch.setattr(
        "lorasmith.library.publish.hub.push_folder",
        lambda folder, name, private: pushed.append((folder.name, name, private)) or "https://hub/anna/zorvex",
    )
    run("publish", lora, "--out", tmp_path / "up")
    assert pushed == []
    said = run("publish", lora, "--out", tmp_path / "up", "--overwrite", "--push", "anna/zorvex", "--private")
    assert pushed == [("up", "anna/zorvex", True)]
    assert said.endswith("Pushed to https://hub/anna/zorvex\n")
    run("publish", lora, "--out", tmp_path / "no", "--push", "anna/zorvex", "--description", "from /home/anna/x", code=1)
    assert len(pushed) == 1


def test_installing_says_where_and_what_to_do_next(tmp_path, lora):
    for mark in ("main.py", "comfy", "nodes.py"):
        (tmp_path / "ComfyUI" / mark).mkdir(parents=True)
    place = tmp_path / "ComfyUI" / "models" / "loras" / "zorvex.safetensors"
    lora.with_suffix(".png").touch()
    assert run("install", lora, "--into", tmp_path / "ComfyUI").splitlines() == [
        f"ComfyUI: {lora} copied to {place}",
        "  with zorvex.png",
        "Press R in the browser, and choose it in a Load LoRA node.",
    ]
    assert run("install", lora, "--into", tmp_path / "ComfyUI") == f"ComfyUI: {place} is this file already.\n"
    told = json.loads(run("install", lora, "--into", tmp_path / "ComfyUI", "--name", "b", "--link", "--json"))
    assert (told["ui"], told["way"], told["findings"]) == ("ComfyUI", "link", [])
    run("install", lora, "--into", tmp_path, "--link", "--copy", code=2)
