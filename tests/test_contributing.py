"""CONTRIBUTING's tables are true: the rooms are there in their order, and each addition touches what the table says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.test_imports import PACKAGE, ROOMS

ROOT = PACKAGE.parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def rows_below(heading: str) -> list[list[str]]:
    """The cells of the table in a section, without its head."""
    section = TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return lines[2:]


ADDITIONS = rows_below("To add X, touch Y")


def test_every_room_is_on_the_map_in_the_order_of_imports():
    rooms = [row[0].strip("`/") for row in rows_below("The house")]
    assert [room for room in rooms if room in ROOMS] == [room for room in ROOMS if (PACKAGE / room / "__init__.py").exists()]
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} <= set(rooms)


@pytest.mark.parametrize("row", rows_below("The house"), ids=lambda row: row[0])
def test_the_files_to_start_with_are_there(row):
    room = row[0].strip("`/").removeprefix("lorasmith")
    for name in re.findall(r"`([^`]+)`", row[2]):
        assert (PACKAGE / room / name).exists(), name


def entries_made(test_file: Path) -> set[str]:
    """The registries to which the tests of a file add something: the first argument of `monkeypatch.setitem`."""
    calls = [node for node in ast.walk(ast.parse(test_file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    made = [call.args[0] for call in calls if ast.unparse(call.func) == "monkeypatch.setitem" and call.args]
    return {node.id for node in made if isinstance(node, ast.Name)}


REGISTRIES = {name: file for row in ADDITIONS for name, file in [re.findall(r"`([^`]+)`", row[2])]}
"""Registry -> the file that holds it."""


def test_each_addition_has_one_row():
    assert len({row[2] for row in ADDITIONS}) == len(ADDITIONS)


@pytest.mark.parametrize("row", ADDITIONS, ids=lambda row: row[0])
def test_an_addition_is_its_own_definition_and_one_line(row):
    """Its example in the tests adds to this registry and changes nothing else of the package; the shared files are counted."""
    _, _, line, shared_files, example = row
    registry, file = re.findall(r"`([^`]+)`", line)
    test_file = ROOT / example.strip("`")
    assert re.search(rf"^{registry}\b.*=", (PACKAGE / file).read_text(encoding="utf-8"), re.MULTILINE), f"{file} holds {registry}"
    made = entries_made(test_file)
    assert registry in made
    others = {name for other in ADDITIONS if other[4] == example and other != row for name in re.findall(r"`([A-Z_]+)`", other[2])}
    assert len({REGISTRIES.get(name, name) for name in made - others}) == int(shared_files)
