"""`import lorasmith` is a library: quick, lazy, complete for editors, and its examples run."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

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


PATH_ALONE = {"audit", "import_pictures", "import_settings", "read_events", "resume", "train", "with_lora"}
"""Still to take strings, too."""


@pytest.mark.parametrize("name", [name for name in NAMES if name.islower() and name not in PATH_ALONE])
def test_a_public_function_takes_paths_as_strings_too(name):
    for parameter in inspect.signature(getattr(lorasmith, name)).parameters.values():
        kind = str(parameter.annotation)
        assert not PATHS.search(kind) or "str" in kind, f"{name}({parameter.name}: {kind})"


@pytest.mark.parametrize("module", sorted({module for module, _ in PLACES.values()}))
def test_the_examples_of_the_public_face_run(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {name for place, name in PLACES.values() if place == module}
    tests = doctest.DocTestFinder().find(importlib.import_module(module))
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    output: list[str] = []
    for test in tests:
        if test.name.removeprefix(f"{module}.").partition(".")[0] in names:
            runner.run(test, out=output.append)
    assert runner.failures == 0, "".join(output)


def test_it_runs_as_a_module():
    assert subprocess.run([sys.executable, "-m", "lorasmith", "--version"], capture_output=True, text=True, check=True).stdout.startswith(
        "lorasmith "
    )
