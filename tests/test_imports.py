"""Imports go one way, down an image's way through the package; and the command line starts without the heavy libraries."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "lorasmith"

# A room may import itself and what stands before it; `demo` stands aside, see `may_import`.
ROOMS = (
    "pages",
    "images",
    "captions",
    "datasets",
    "curation",
    "models",
    "adapters",
    "training",
    "evaluation",
    "library",
    "jobs",
    "studio",
    "cli",
)
NO_NAMES = {"utils", "util", "common", "helpers", "misc"}
HEAVY = ("torch", "diffusers", "transformers")

# Registries name what they import when chosen: "lorasmith.models.sd1.base:StableDiffusion1".
LAZY_IMPORT = re.compile(r"lorasmith(\.\w+)+(:\w+)?")


def may_import(room: str, other: str) -> bool:
    """Whether `room` may import `other`. Files at the package's root, room "", import no room."""
    if room == other or other == "":
        return True
    if room == "demo":
        return other in ROOMS[: ROOMS.index("evaluation") + 1]
    if other == "demo":
        return room == "cli"
    return room in ROOMS and other in ROOMS[: ROOMS.index(room)]


def imported_modules(file: Path, package: Path) -> Iterator[tuple[int, str]]:
    """(line, full name) of every module of ours that `file` imports: at its top, in its functions, by a registry's string."""
    parents = ("lorasmith", *file.relative_to(package).parts[:-1])
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = parents[: len(parents) - node.level + 1] if node.level else ()
            module = ".".join((*above, *([node.module] if node.module else [])))
            names = [f"{module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and LAZY_IMPORT.fullmatch(node.value):
            names = [node.value.split(":")[0]]
        yield from ((node.lineno, name) for name in names if name.split(".")[0] == "lorasmith")


def room_of(module: str, package: Path) -> str:
    """The room that a module lies in; "" for the package's root."""
    second = module.split(".")[1] if "." in module else ""
    return second if (package / second).is_dir() else ""


def wrong_imports(package: Path) -> list[str]:
    """Every import that goes against the rooms' order, as file:line and names."""
    found = []
    for file in sorted(package.rglob("*.py")):
        inside = file.relative_to(package)
        room = inside.parts[0] if len(inside.parts) > 1 else ""
        for line, module in imported_modules(file, package):
            if not may_import(room, room_of(module, package)):
                found.append(f"{inside}:{line} imports {module}")
    return found


def test_imports_go_down_the_rooms():
    assert wrong_imports(PACKAGE) == []


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("images/read.py", "from lorasmith.datasets import folders"),
        ("training/run.py", "def sample():\n    from lorasmith.evaluation.sampling import sample"),
        ("training/run.py", "from lorasmith import evaluation"),
        ("training/run.py", "from ..evaluation import sampling"),
        ("models/checkpoint.py", "FAMILIES = {'x': 'lorasmith.training.run:train'}"),
        ("evaluation/verdict.py", "import lorasmith.demo.world"),
        ("jobs/queue.py", "from lorasmith.demo.world import Scene"),
        ("demo/world.py", "from lorasmith.library import catalogue"),
        ("errors.py", "from lorasmith.images.read import read_picture"),
    ],
)
def test_an_import_against_the_order_is_seen(tmp_path, file, text):
    for room in (*ROOMS, "demo"):
        (tmp_path / room).mkdir()
    (tmp_path / file).write_text(text, encoding="utf-8")
    assert len(wrong_imports(tmp_path)) == 1


def test_every_room_has_a_place_in_the_order():
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms <= {*ROOMS, "demo"}


def test_nothing_is_called_utils():
    named = {path.stem for path in PACKAGE.rglob("*.py")} | {path.name for path in PACKAGE.rglob("*") if path.is_dir()}
    assert not named & NO_NAMES


def test_the_command_line_starts_without_the_heavy_libraries():
    if not (PACKAGE / "cli" / "main.py").exists():
        pytest.skip("there is no command line yet (cli/main.py)")
    program = f"import json, sys, lorasmith.cli.main; print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == []
