"""Imports go one way, down an image's way through the package; and the command line starts without the heavy libraries."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "lorasmith"

PUBLIC_FACE = "__init__.py"
"""The package's own, which names functions of all rooms and imports them when they are used."""

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
    "projects",
    "handbook",
    "studio",
    "cli",
    "notebook",
)
NO_NAMES = {"utils", "util", "common", "helpers", "misc"}
HEAVY = ("torch", "diffusers", "transformers", "ray")

# Registries name what they import when chosen: "lorasmith.models.sd1.base:StableDiffusion1".
LAZY_IMPORT = re.compile(r"lorasmith(\.\w+)+(:\w+)?")


def may_import(room: str, other: str) -> bool:
    """Whether `room` may import `other`. Files at the package's root, room "", import no room."""
    if room == other or other == "":
        return True
    if room == "demo":
        return other in ROOMS[: ROOMS.index("evaluation") + 1]
    if other == "demo":
        return room in ("studio", "cli")
    return room in ROOMS and other in ROOMS[: ROOMS.index(room)]


@cache
def import_statements(text: str) -> tuple[ast.Import | ast.ImportFrom | ast.Constant, ...]:
    """Everything in a file's text that imports, a registry's strings among them; files are parsed once for all tests."""
    return tuple(
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        or (isinstance(node, ast.Constant) and isinstance(node.value, str) and LAZY_IMPORT.fullmatch(node.value))
    )


def imported_modules(file: Path, package: Path) -> Iterator[tuple[int, str]]:
    """(line, full name) of every module of ours that `file` imports: at its top, in its functions, by a registry's string."""
    parents = ("lorasmith", *file.relative_to(package).parts[:-1]) if file.is_relative_to(package) else ()
    for node in import_statements(file.read_text(encoding="utf-8")):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = parents[: len(parents) - node.level + 1] if node.level else ()
            module = ".".join((*above, *([node.module] if node.module else [])))
            names = [f"{module}.{alias.name}" for alias in node.names]
        else:
            names = [str(node.value).split(":")[0]]
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
        if str(inside) in (PUBLIC_FACE, "__main__.py"):
            continue
        room = inside.parts[0] if len(inside.parts) > 1 else ""
        for line, module in imported_modules(file, package):
            if not may_import(room, room_of(module, package)):
                found.append(f"{inside}:{line} imports {module}")
    return found


def module_of(name: str, package: Path) -> str:
    """The module that an imported name lies in: `lorasmith.errors` for `lorasmith.errors.InputError`."""
    parts = name.split(".")[1:]
    while parts:
        place = package.joinpath(*parts)
        if place.with_suffix(".py").exists():
            return ".".join(parts)
        if place.is_dir():
            return ".".join([*parts, "__init__"])
        parts.pop()
    return "__init__"


def import_graph(package: Path) -> dict[str, set[str]]:
    """Which module imports which, in functions and for types too."""
    graph: dict[str, set[str]] = {}
    for file in sorted(package.rglob("*.py")):
        name = ".".join(file.relative_to(package).with_suffix("").parts)
        graph[name] = {module_of(found, package) for _, found in imported_modules(file, package)} - {name}
    return graph


def by_sub_room(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """The same graph with every sub-room (`training.optim`) as one node; files beside the sub-rooms stay themselves."""

    def node(module: str) -> str:
        parts = module.split(".")
        return ".".join(parts[:2]) if len(parts) > 2 else module

    merged: dict[str, set[str]] = {}
    for module, imported in graph.items():
        merged.setdefault(node(module), set()).update(node(other) for other in imported)
    return {name: imported - {name} for name, imported in merged.items()}


def cycles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Groups of nodes each of which imports all others of its group in the end (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = set(stack[stack.index(node) :])
            del stack[stack.index(node) :]
            if len(group) > 1:
                found.append(group)

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def missing_imports(files: Iterable[Path], package: Path) -> list[str]:
    """Every import of ours whose module, or whose name there, does not exist. A type checker that skips packages it lacks does not say so."""
    found = []
    for file in files:
        for line, name in imported_modules(file, package):
            module = name.removeprefix("lorasmith").lstrip(".").replace(".", "/")
            if any((package / place).exists() for place in (module, f"{module}.py")):
                continue
            above, _, last = module.rpartition("/")
            home = package / f"{above}.py" if (package / f"{above}.py").exists() else package / above / "__init__.py"
            if not home.exists() or (home.parent != package and not re.search(rf"\b{re.escape(last)}\b", home.read_text(encoding="utf-8"))):
                found.append(f"{file.name}:{line} imports {name}")
    return found


def test_what_is_imported_exists():
    root = PACKAGE.parents[1]
    assert missing_imports(sorted(PACKAGE.rglob("*.py")), PACKAGE) == []
    assert missing_imports([*sorted((root / "benchmarks").rglob("*.py")), *sorted((root / "tests").rglob("*.py"))], PACKAGE) == []


def test_an_import_of_nothing_is_seen(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "read.py").write_text("def read_picture(): ...\n", encoding="utf-8")
    text = "def f():\n    from lorasmith.images.gone import x\n    from lorasmith.images.read import read_picture, wrong\n"
    (tmp_path / "errors.py").write_text(text, encoding="utf-8")
    assert missing_imports([tmp_path / "errors.py"], tmp_path) == [
        "errors.py:2 imports lorasmith.images.gone.x", "errors.py:3 imports lorasmith.images.read.wrong"
    ]  # fmt: skip


def test_imports_go_down_the_rooms():
    assert wrong_imports(PACKAGE) == []


def graph_of_rooms():
    graph = import_graph(PACKAGE)
    return {module: imported for module, imported in graph.items() if module not in ("__init__", "__main__")}


def test_no_modules_import_each_other_in_functions_and_for_types_neither():
    assert cycles(graph_of_rooms()) == []


def test_no_sub_rooms_import_each_other():
    assert cycles(by_sub_room(graph_of_rooms())) == []


def test_a_cycle_is_seen(tmp_path):
    texts = {
        "images/read.py": "def f():\n    from lorasmith.images import signs",
        "images/signs.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from lorasmith.images.read import Picture",
        "training/optim/rates.py": "from lorasmith.training.settings.tree import Settings",
        "training/settings/tree.py": "from lorasmith.training.optim.names import NAMES",
        "training/optim/names.py": "",
    }
    for file, text in texts.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text, encoding="utf-8")
    graph = import_graph(tmp_path)
    assert cycles(graph) == [{"images.read", "images.signs"}]
    assert cycles(by_sub_room(graph)) == [{"images.read", "images.signs"}, {"training.optim", "training.settings"}]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("images/read.py", "from lorasmith.datasets import folders"),
        ("training/run.py", "def sample():\n    from lorasmith.evaluation.sampling.sample import sample"),
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


def test_every_public_name_is_defined_where_the_stub_says():
    """Without importing anything heavy; tests/test_public_face.py does the rest."""
    lost = []
    for line in ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8")).body:
        if isinstance(line, ast.ImportFrom):
            file = PACKAGE.joinpath(*line.module.split(".")[1:]).with_suffix(".py")
            body = ast.parse(file.read_text(encoding="utf-8")).body if file.exists() else []
            defined = {node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
            lost += [f"{line.module}.{alias.name}" for alias in line.names if alias.name not in defined]
    assert lost == [], "moved or renamed: say so in src/lorasmith/__init__.pyi"


def missing_modules(package: Path) -> list[str]:
    """Every `from lorasmith.x import y`, in functions too, whose x does not exist; mypy takes those for untyped packages."""
    found = []
    for file in sorted(package.rglob("*.py")):
        for node in import_statements(file.read_text(encoding="utf-8")):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "lorasmith" and not node.level:
                place = package.joinpath(*node.module.split(".")[1:])
                if not place.is_dir() and not place.with_suffix(".py").exists():
                    found.append(f"{file.relative_to(package)}:{node.lineno} imports from {node.module}")
    return found


def test_every_import_in_a_function_finds_its_module(tmp_path):
    assert missing_modules(PACKAGE) == []
    (tmp_path / "run.py").write_text("def plan():\n    from lorasmith.planning.report import make_report", encoding="utf-8")
    assert missing_modules(tmp_path) == ["run.py:2 imports from lorasmith.planning.report"]


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
