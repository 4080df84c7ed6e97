"""`import lorasmith` is a library: quick, lazy, complete for editors, and its examples run."""

from __future__ import annotations

import ast
import contextlib
import doctest
import inspect
import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from PIL.PngImagePlugin import PngInfo

import lorasmith

SOURCE = Path(lorasmith.__file__)
PLACES = lorasmith._public()
NAMES = sorted(PLACES)


def run(program: str) -> str:
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_importing_the_library_loads_no_module_of_weight():
    """Which modules come along, and not the milliseconds, which depend on the machine."""
    loaded = json.loads(
        run("import json, sys; before = set(sys.modules); import lorasmith; print(json.dumps(sorted(set(sys.modules) - before)))")
    )
    assert [name for name in loaded if name.partition(".")[0] not in {*sys.stdlib_module_names, "_typing"}] == ["lorasmith"]


def test_the_version_is_that_of_the_package():
    assert lorasmith.__version__ == version("lorasmith")


def test_every_public_name_is_there_for_editors_and_in_dir():
    stub = ast.parse(SOURCE.with_suffix(".pyi").read_text(encoding="utf-8"))
    (listed,) = [ast.literal_eval(line.value) for line in stub.body if isinstance(line, ast.Assign)]
    assert set(listed) == {*NAMES, "__version__"} == set(lorasmith.__all__)
    assert set(listed) <= set(dir(lorasmith))
    assert (SOURCE.parent / "py.typed").exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_says_what_it_is(name):
    thing = getattr(lorasmith, name)
    assert thing is getattr(lorasmith, name)
    first = (inspect.getdoc(thing) or "").partition("\n")[0]
    assert first.endswith((".", ":")), f"the first line of {name}'s docstring is a sentence"


def test_a_name_that_is_not_there_is_an_ordinary_error():
    with pytest.raises(AttributeError, match="no attribute 'draw'"):
        lorasmith.draw  # noqa: B018
    assert not hasattr(lorasmith, "__path_of_nothing__")


PATHS = re.compile(r"\bPath\b")


@pytest.mark.parametrize("name", [name for name in NAMES if name.islower()])
def test_a_public_function_takes_paths_as_strings_too(name):
    for parameter in inspect.signature(getattr(lorasmith, name)).parameters.values():
        kind = str(parameter.annotation)
        assert not PATHS.search(kind) or "str" in kind, f"{name}({parameter.name}: {kind})"


@pytest.fixture(scope="module")
def workshop(tmp_path_factory, toy_base, creatures):
    """A folder as the examples have it: a base, a set of pictures, settings in TOML, a finished run and its LoRA."""
    folder = tmp_path_factory.mktemp("workshop")
    shutil.copytree(toy_base, folder / "base")
    shutil.copytree(creatures, folder / "my-set")
    shutil.copy(folder / "my-set" / "0.png", folder / "picture.png")
    (folder / "my-lora.toml").write_text(MY_LORA, encoding="utf-8")
    (folder / "theirs.toml").write_text(THEIRS, encoding="utf-8")
    with contextlib.chdir(folder):
        result = lorasmith.train(lorasmith.load_settings("my-lora.toml"), "runs/my-lora")
        shutil.copy(result.file, "my-lora.safetensors")
        made = lorasmith.sample("base", "zorvex, beach", steps=1)[0]
        info = PngInfo()
        info.add_text("parameters", made.info["parameters"])
        made.save("generated.png", pnginfo=info)
    return folder


MY_LORA = """
version = 2
name = "my-lora"
[base]
path = "base"
[[datasets]]
path = "my-set"
[buckets]
resolution = 32
min_bucket_reso = 16
max_bucket_reso = 64
bucket_reso_steps = 8
[captions]
trigger = "zorvex"
[network]
rank = 2
[training]
max_train_steps = 2
"""
THEIRS = """
network_module = "networks.lora"
network_dim = 16
max_train_epochs = 1
"""


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_of_a_public_name_run(name, workshop, monkeypatch):
    monkeypatch.chdir(workshop)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL)
    finder, output = doctest.DocTestFinder(recurse=False), []
    for test in finder.find(getattr(lorasmith, name), name, globs={"ls": lorasmith}):
        runner.run(test, out=output.append)
    assert runner.failures == 0, "".join(output)


def test_most_public_functions_have_an_example():
    without = {name for name in NAMES if name.islower() and ">>> " not in (inspect.getdoc(getattr(lorasmith, name)) or "")}
    assert without <= WITHOUT_EXAMPLE


WITHOUT_EXAMPLE = {"undo_mends"}  # in that of `mend`


def test_it_runs_as_a_module():
    assert subprocess.run([sys.executable, "-m", "lorasmith", "--version"], capture_output=True, text=True, check=True).stdout.startswith(
        "lorasmith "
    )
