"""The command line as a user meets it: exit codes, one sentence for bad input, nothing half-written."""

import json
import os
import subprocess
import sys

import pytest
from PIL import Image

from lorasmith.training.settings.toml import load_settings, settings_toml
from lorasmith.training.settings.tree import settings_from
from tests.command_line import lorasmith


@pytest.fixture
def settings_file(settings_for, tmp_path):
    def write(**sections):
        path = tmp_path / "settings.toml"
        path.write_text(settings_toml(settings_for(**sections)), encoding="utf-8")
        return path

    return write


def _is_one_sentence(result, words, code=2):
    assert result.returncode == code, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("error: ")
    assert words in lines[0]


def test_train_plan_stop_and_report(settings_file, tmp_path):
    file = settings_file(samples={"prompts": ["{trigger}, happy"], "steps": 1})
    planned = lorasmith("plan", file, "--json")
    assert json.loads(planned.stdout)["steps"] == 6
    trained = lorasmith("train", file, "--out", tmp_path / "run")
    assert trained.returncode == 0, trained.stderr
    lora, report = tmp_path / "run" / "checkpoints" / "toy.safetensors", tmp_path / "run" / "report.html"
    assert lora.is_file()
    assert report.is_file()
    prove = f"Which checkpoint to use: lorasmith prove {tmp_path / 'run'}"
    assert trained.stdout.splitlines() == [f"The LoRA: {lora}", f"The report: {report}", prove]
    again = lorasmith("train", file, "--out", tmp_path / "run")
    _is_one_sentence(again, "lorasmith resume")


def test_bad_input_is_one_sentence_exit_code_2_and_nothing_is_written(settings_file, settings_for, tmp_path, toy_base):
    empty = tmp_path / "empty"
    empty.mkdir()
    uncaptioned = tmp_path / "uncaptioned"
    uncaptioned.mkdir()
    Image.new("RGB", (40, 40), "red").save(uncaptioned / "a.png")
    out = tmp_path / "run"
    cases = [
        ({"datasets": [{"path": str(tmp_path / "missing")}]}, "missing"),
        ({"datasets": [{"path": str(empty)}]}, "empty"),
        ({"datasets": [{"path": str(uncaptioned)}], "captions": {"trigger": None}}, "caption"),
        ({"base": {"path": str(empty)}}, "model_index.json"),
        ({"training": {"epochs": 1, "max_train_steps": 5}}, "training.epochs"),
    ]
    for sections, words in cases:
        tree = settings_for().model_copy(update={}).model_dump(mode="json", exclude_none=True)
        for name, value in sections.items():
            tree[name] = {**tree[name], **value} if isinstance(value, dict) else value
        tree["captions"] = {k: v for k, v in tree["captions"].items() if v is not None}
        path = tmp_path / "settings.toml"
        path.write_text(settings_toml(settings_from(tree)), encoding="utf-8")
        _is_one_sentence(lorasmith("train", path, "--out", out), words)
        assert not out.exists(), sections
    (tmp_path / "misspelled.toml").write_text("nmae = 'x'", encoding="utf-8")
    _is_one_sentence(lorasmith("plan", tmp_path / "misspelled.toml"), "")
    _is_one_sentence(lorasmith("resume", empty), "is not the folder of a run")


def test_new_writes_a_settings_file_that_plan_accepts(creatures, toy_base, tmp_path):
    made = lorasmith("new", tmp_path / "my.toml", "--dataset", creatures, "--base", toy_base, "--trigger", "zorvex")
    assert made.returncode == 0, made.stderr
    planned = lorasmith("plan", tmp_path / "my.toml")
    assert planned.returncode == 0, planned.stderr
    assert "5 pictures" in planned.stdout
    _is_one_sentence(lorasmith("new", tmp_path / "my.toml", "--dataset", creatures, "--base", toy_base), "--force")


def test_new_takes_a_recipe_and_recipe_show_says_why(creatures, toy_base, tmp_path):
    file = tmp_path / "style.toml"
    made = lorasmith(
        "new", file, "--dataset", creatures, "--base", toy_base, "--trigger", "zorvex", "--recipe", "style", "--level", "quick"
    )
    assert made.returncode == 0, made.stderr
    settings = load_settings(file)
    assert (settings.network.rank, settings.network.train_text_encoder, settings.buckets.resolution) == (32, False, 32)
    shown = json.loads(lorasmith("recipe", "show", "style", "sd1", "--images", 5, "--level", "quick", "--json").stdout)
    assert {"setting": "network.rank", "value": 32}.items() <= next(c for c in shown["choices"] if c["setting"] == "network.rank").items()
    _is_one_sentence(lorasmith("recipe", "show", "stile", "sd1"), "did you mean 'style'")


def test_sample_writes_pictures(toy_base, tmp_path):
    result = lorasmith("sample", "--base", toy_base, "--prompt", "red cat", "--prompt", "blue cat", "--steps", 1, "--out", tmp_path / "p")
    assert result.returncode == 0, result.stderr
    assert [Image.open(p).size for p in sorted((tmp_path / "p").glob("*.png"))] == [(32, 32), (32, 32)]
    _is_one_sentence(lorasmith("sample", "--base", toy_base, "--prompt", "x", "--lora", tmp_path / "none.safetensors"), "none.safetensors")


def test_the_help_comes_without_heavy_imports():
    code = "import sys, lorasmith.cli.main; print([m for m in ('torch', 'diffusers', 'transformers', 'numpy', 'PIL') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_the_shell_completes_verbs_and_options():
    asked = {"_LORASMITH_COMPLETE": "complete_bash", "COMP_WORDS": "lorasmith cap", "COMP_CWORD": "1"}
    program = "import sys; sys.argv[0] = 'lorasmith'; from lorasmith.cli.main import main; main()"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=os.environ | asked, check=False)
    assert result.stdout.split() == ["captions"], result.stderr
