"""The program itself: its version, its completion, its verbs."""

import json
from importlib.metadata import version

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from lorasmith.cli.main import app, main
from tests.curation.imports.test_imports import png
from tests.library.lora_files import write_lora


def lorasmith(*arguments):
    return CliRunner().invoke(app, arguments)


def test_it_says_its_version():
    assert lorasmith("--version").output == f"lorasmith {version('lorasmith')}\n"


def test_a_shell_can_complete_its_verbs():
    assert "--install-completion" in lorasmith("--help").output


@pytest.mark.parametrize("verb", ["new", "plan", "train", "resume", "signal", "report", "sample"])
def test_a_verb_shows_how_it_is_called(verb):
    shown = lorasmith(verb, "--help")
    assert shown.exit_code == 0
    assert f"lorasmith {verb} " in shown.output


def test_lora_strengths_are_given_once_or_for_each():
    refused = lorasmith("sample", "--base", "b", "--prompt", "p", "--lora", "a", "--lora", "b", *("--strength", "0.5") * 3)
    assert refused.exit_code == 2
    assert "once for each --lora" in refused.output


def test_each_example_is_on_a_line_of_its_own(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = lorasmith("resume", "--help").output.splitlines()
    assert "  lorasmith resume runs/zorvex --set training.epochs=20 --set optimizer.learning_rate=1e-5" in shown
    inspected = lorasmith("base", "inspect", "--help").output
    assert "--text-encoder clip_l.safetensors --text-encoder-2 t5xxl.safetensors --vae ae.safetensors\n" in inspected
    assert "--no-allow-pickle" not in inspected


@pytest.mark.parametrize("arguments", [(), ("captions",), ("lora",), ("recipe",), ("base",)], ids=" ".join)
def test_a_list_of_commands_cuts_no_sentence(arguments):
    shown = lorasmith(*arguments, "--help").output
    assert "..." not in shown.partition("Commands:")[2]


def test_what_recipes_there_are_is_listed_for_scripts():
    listed = json.loads(lorasmith("recipe", "list", "--json").output)
    assert "character" in listed["kinds"]
    assert "sdxl" in listed["families"]
    assert listed.keys() == {"kinds", "families", "levels", "sources"}


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (("audit", "set", "--kind", "charcter"), "character"),
        (("signal", "run", "stpo"), "stop"),
        (("export", "set", "out", "--for", "kohyas"), "kohya"),
        (("sample", "--base", "b", "--prompt", "p", "--device", "cdua"), "cuda"),
        (("trian", "a.toml"), "train"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_a_value_that_is_none_of_an_options_is_refused_once_with_the_nearest(arguments, meant):
    refused = lorasmith(*arguments)
    assert refused.exit_code == 2
    assert refused.output.count("Error") == 1
    assert "Value error" not in refused.output
    assert f"Did you mean '{meant}'" in refused.output


@pytest.mark.parametrize("verb", [("sample",), ("base", "inspect"), ("new",)], ids=" ".join)
def test_a_pickle_is_read_by_the_option_that_the_refusal_names(verb, tmp_path):
    file = tmp_path / "model.ckpt"
    file.write_bytes(b"\x80\x02}q\x00.")
    given = {
        "sample": ["--base", str(file), "--prompt", "p"],
        "inspect": [str(file)],
        "new": [str(tmp_path / "s.toml"), "--dataset", ".", "--base", str(file)],
    }
    refused = lorasmith(*verb, *given[verb[-1]])
    assert "is a pickle" in str(refused.exception)
    assert "--allow-pickle on the command line" in str(refused.exception)
    assert "is a pickle" not in str(lorasmith(*verb, *given[verb[-1]], "--allow-pickle").exception)
    help_text = lorasmith(*verb, "--help").output
    assert "--allow-pickle" in help_text
    assert "--no-allow-pickle" not in help_text


def test_what_a_stranger_wrote_gives_no_orders_to_the_terminal(tmp_path, monkeypatch, capsys):
    order = "\x1b]0;owned\x07\u202egnp"
    lora = write_lora(tmp_path / "zorvex.safetensors", {"modelspec.title": order, "modelspec.trigger_phrase": order, order: "x"})
    odd = tmp_path / "odd.safetensors"
    save_file(
        {f"a{order}": torch.ones(1), "lora_unet_x.lora_down.weight": torch.ones(2, 4), "lora_unet_x.lora_up.weight": torch.ones(4, 2)}, odd
    )
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.png").write_bytes(png(1))
    (tmp_path / "set" / "a.txt").write_text(f"zorvex, {order}", encoding="utf-8")
    library = ["--catalogue", str(tmp_path / "catalogue")]
    for verb in (
        ["lora", "show", str(lora)], ["lora", "edit", str(lora), "--remove", order, "--dry-run"], ["library", "add", str(tmp_path), *library],
        ["library", "list", *library], ["captions", "list", str(tmp_path / "set")], ["captions", "show", str(tmp_path / "set"), "a.png"],
        ["captions", "tags", str(tmp_path / "set")], ["check", str(odd), "--family", "sd1"],
        ["lora", "convert", str(odd), "--family", "sd1", "--out", str(tmp_path / "new.safetensors")],
    ):  # fmt: skip
        monkeypatch.setattr("sys.argv", ["lorasmith", *verb])
        with pytest.raises(SystemExit):
            main()
        printed = "".join(capsys.readouterr())
        assert r"\x1b]0;owned\x07\u202e" in printed or verb[:2] == ["library", "add"]
        assert not {"\x1b", "\x07", "\u202e"} & {*printed}
