"""What all verbs have in common, each run on one picture with one caption of one tag: the JSON is one object, and one is no plural."""

import json
import re
import shutil

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from lorasmith.cli.main import app
from lorasmith.errors import LorasmithError, SettingsError
from lorasmith.training.run import train
from lorasmith.training.settings.toml import settings_toml
from lorasmith.training.settings.tree import settings_from
from tests.curation.imports.test_imports import png
from tests.test_words import NOUNS

VERBS = {
    "import": "{pile} --into {out}", "audit": "{dataset}", "mend": "{dataset} --max 16 --dry-run", "layout": "{dataset} --concept zorvex --dry-run",
    "export": "{dataset} {out}", "new": "{out}.toml --base {base} --dataset {dataset}", "cache": "{settings}", "import-settings": "{command}", "plan": "{settings}",
    "train": "{settings} --out {out}", "compare": "{run} {run} --html {out}.html", "report": "{run}",
    "sample": "--base {base} --prompt zorvex --steps 1 --out {out}",
    "grid": "{lora} --base {base} --prompt zorvex --steps 1 --x seed=1 --out {out}", "check": "{lora}", "captions tag": "{dataset} --tagger demo",
    "captions triggers": "{dataset} --trigger zorvex", "captions list": "{dataset}", "captions show": "{dataset} 1.png",
    "captions tags": "{dataset}", "captions autocomplete": "ha --vocabulary demo", "captions check": "{dataset}",
    "captions report": "{dataset} --out {out}", "captions convert": "{dataset}", "captions undo": "{dataset} --steps 9",
    "captions redo": "{undone} --steps 9", "captions history": "{dataset}", "captions add": "{dataset} hat",
    "captions remove": "{dataset} zorvex", "captions replace": "{dataset} zorvex --by hat", "captions rename": "{dataset} zorvex hat",
    "captions regex": "{dataset} zor mor", "captions front": "{dataset} zorvex", "captions sort": "{dataset}", "captions dedupe": "{dataset}",
    "captions truncate": "{dataset} --tags 1", "captions drop-rare": "{dataset} --fewer-than 2", "captions drop-common": "{dataset} --above 0.5",
    "captions split": "{dataset} --keep tags", "captions spell": "{dataset} spaces", "captions implications": "{dataset} --vocabulary demo",
    "captions aliases": "{dataset} --vocabulary demo", "captions set-triggers": "{dataset} hat", "captions folder-triggers": "{dataset}",
    "captions mend-triggers": "{dataset} zorvex", "base inspect": "{base}", "recipe list": "", "recipe show": "style sd1 --images 1",
    "lora show": "{lora}", "lora resize": "{lora} --rank 1 --out {out}.safetensors", "lora merge": "{lora} --out {out}.safetensors",
    "lora convert": "{lora} --out {out}.safetensors", "lora extract": "{base} --base {base} --out {out}.safetensors",
    "lora compare": "{lora} {lora}", "lora edit": "{lora} --title one --dry-run", "install": "{lora} --into {pile}", "publish": "{lora} --out {out} --license mit",
    "library add": "{run} --catalogue {catalogue}", "library list": "--catalogue {catalogue}",
    "library find": "one --catalogue {catalogue}", "library rescan": "--catalogue {catalogue}",
    "library remove": "{run} --catalogue {catalogue}", "jobs list": "", "jobs kinds": "", "runs": "{run}",
}  # fmt: skip
"""Verb -> what it is given here."""
ELSEWHERE = {
    "undo",
    "captions describe",
    "retrain",
    "lora extract",
    "resume",
    "signal",
    "sweep",
    "prove",
    "demo run",
    "demo data",
    "bench audit",
    "bench verdict",
    "studio",
    "jobs add",
    "jobs stop",
    "jobs pause",
    "jobs resume",
    "jobs cancel",
    "jobs dismiss",
    "jobs retry",
    "jobs move",
    "jobs log",
    "jobs work",
}
"""Verbs that need a server, minutes or a run under way: their own tests have them."""


def commands(group=None, words=()):
    """(verb, command) of every verb."""
    for name in (group := group or typer.main.get_command(app)).list_commands(None):
        command = group.get_command(None, name)
        if hasattr(command, "list_commands"):
            yield from commands(command, (*words, name))
        else:
            yield " ".join((*words, name)), command


COMMANDS = dict(commands())
WITH_JSON = [verb for verb in VERBS if verb in COMMANDS and any("--json" in option.opts for option in COMMANDS[verb].params)]
PLURAL = re.compile(rf"(?<![\w.,:/=-])1 (?:[a-z-]+ )?(?:{NOUNS}|times)\b")
"""One of the nouns that are counted, an adjective before it allowed."""


def lorasmith(verb, given, places):
    result = CliRunner().invoke(app, [*verb.split(), *given.format_map(places).split()])
    assert result.exception is None or isinstance(result.exception, (SystemExit, LorasmithError)), result.exception
    return result


def write_picture(folder):
    folder.mkdir()
    Image.radial_gradient("L").resize((32, 32)).convert("RGB").save(folder / "1.png")
    (folder / "1.txt").write_text("zorvex", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def trained(toy_base, tmp_path_factory):
    """A run of one step on one picture, which is finished, with its settings and its LoRA."""
    folder = tmp_path_factory.mktemp("one")
    tree = {
        "name": "one", "base": {"path": str(toy_base)}, "datasets": [{"path": str(write_picture(folder / "set"))}],
        "buckets": {"resolution": 32, "min_bucket_reso": 16, "max_bucket_reso": 64, "bucket_reso_steps": 8},
        "captions": {"trigger": "zorvex"}, "network": {"rank": 1}, "training": {"epochs": 1, "batch_size": 1}, "cache": str(folder / "cache"),
    }  # fmt: skip
    settings = settings_from(tree)
    (folder / "settings.toml").write_text(settings_toml(settings), encoding="utf-8")
    train(settings, folder / "run")
    command = folder / "train.sh"
    command.write_text(
        f"accelerate launch train_network.py --pretrained_model_name_or_path={toy_base} --train_data_dir={folder} --network_dim=1\n"
    )
    return {
        "base": toy_base, "settings": folder / "settings.toml", "run": folder / "run", "command": command,
        "lora": folder / "run" / "checkpoints" / "one.safetensors",
    }  # fmt: skip


@pytest.fixture(scope="module")
def workspace(trained, tmp_path_factory):
    """Folders for the verbs: one picture, of which the caption was edited once, one of which the edit was undone, and a catalogue."""
    folder = tmp_path_factory.mktemp("workspace")
    write_picture(folder / "pile")
    datasets = {"dataset": write_picture(folder / "set"), "undone": write_picture(folder / "undone")}
    lorasmith("captions add", "{dataset} hat", datasets)
    lorasmith("captions add", "{undone} hat", datasets)
    lorasmith("captions undo", "{undone}", datasets)
    lorasmith("library add", VERBS["library add"], {**trained, "catalogue": folder / "catalogue"})
    return folder


@pytest.fixture
def places(trained, workspace, tmp_path, monkeypatch):
    """What the verbs are given: folders of their own."""
    folder = shutil.copytree(workspace, tmp_path / "workspace")
    monkeypatch.chdir(folder)
    names = {"dataset": "set", "undone": "undone", "pile": "pile", "catalogue": "catalogue", "out": "out"}
    return {**trained, **{name: folder / place for name, place in names.items()}}


def test_every_verb_is_tried_here_or_in_a_test_of_its_own():
    assert set(COMMANDS) == set(VERBS) | ELSEWHERE


def plurals_of_one(result):
    return PLURAL.findall(f"{result.output}{result.exception or ''}")


@pytest.mark.parametrize("verb", WITH_JSON)
def test_json_is_one_object_with_what_the_verb_was_given_and_one_is_no_plural(verb, places):
    printed = lorasmith(verb, f"{VERBS[verb]} --json", places)
    outcome = json.loads(printed.stdout)
    assert isinstance(outcome, dict)
    assert {one.name for one in COMMANDS[verb].params if one.param_type_name == "argument"} <= set(outcome)
    assert plurals_of_one(printed) == []


@pytest.mark.parametrize("verb", VERBS)
def test_one_is_no_plural(verb, places):
    assert plurals_of_one(lorasmith(verb, VERBS[verb], places)) == []


@pytest.mark.parametrize(
    ("words", "option"),
    [
        ("import DS --into other --repeats 3", "--repeats"), ("layout DS --concept x --seed 2", "--seed"), ("export DS out --resolution 512", "--resolution"),
        ("export DS out --for diffusers --absolute", "--absolute"), ("mend DS --list --last", "--last"), ("mend DS --undo --sheet look.png", "--sheet"),
        ("publish DS --out up --private", "--private"), ("publish DS --out up --prompt zorvex", "--prompt"),
        ("lora resize DS --rank 4 --out a.safetensors --target 0.8", "--target"),
        ("lora extract DS --base DS --out a.safetensors --target 0.8", "--target"), ("lora convert DS --out a.safetensors --rank 8", "--rank"),
        ("lora convert DS --out a.safetensors --to diff --rank 8", "--rank"), ("captions tag DS --again", "--again"),
        ("captions triggers DS --mend --replacing sks", "--replacing"), ("captions triggers DS --name Mimi", "--name"),
        ("captions triggers DS --set zorvex --trigger sks", "--trigger"),
    ],
)  # fmt: skip
def test_an_option_without_an_effect_is_refused_and_nothing_is_done(tmp_path, monkeypatch, words, option):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ds").mkdir()
    (tmp_path / "ds" / "a.png").write_bytes(png(1))
    result = CliRunner().invoke(app, [str(tmp_path / "ds") if word == "DS" else word for word in words.split()])
    assert isinstance(result.exception, SettingsError)
    assert option in str(result.exception)
    assert "no effect" in str(result.exception)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file() and ".lorasmith" not in path.parts] == ["a.png"]
