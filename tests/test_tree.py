"""The sizes of things: a function reads on one screen, a file in one sitting; what is longer says why."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.long_files import LONG_FILES as LONG_TEST_FILES

TESTS = Path(__file__).resolve().parent
PACKAGE = TESTS.parent / "src" / "lorasmith"
LINES_OF_A_FUNCTION = 60
LINES_OF_A_FILE = 500

# What may be longer, with its reason.
LONG_FUNCTIONS: dict[str, str] = {}
LONG_FILES: dict[str, str] = {}


def functions_of(file: Path) -> Iterator[tuple[str, int]]:
    """(place, lines without decorators and docstring) of every function of a file."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            words = first.end_lineno - first.lineno + 1 if ast.get_docstring(node) else 0
            yield f"{file.relative_to(PACKAGE)}:{node.name}", node.end_lineno - node.lineno + 1 - words


def long_functions() -> dict[str, int]:
    return {place: lines for file in sorted(PACKAGE.rglob("*.py")) for place, lines in functions_of(file) if lines > LINES_OF_A_FUNCTION}


def long_files() -> dict[str, int]:
    files = {str(file.relative_to(PACKAGE)): len(file.read_text(encoding="utf-8").splitlines()) for file in sorted(PACKAGE.rglob("*.py"))}
    return {name: lines for name, lines in files.items() if lines > LINES_OF_A_FILE}


def test_the_test_files_that_begin_are_there():
    assert [name for name in LONG_TEST_FILES if not (TESTS / name).is_file()] == []


def test_a_function_is_at_most_a_screen_long():
    assert {place: lines for place, lines in long_functions().items() if place not in LONG_FUNCTIONS} == {}


def test_a_file_can_be_read_in_one_sitting():
    assert {name: lines for name, lines in long_files().items() if name not in LONG_FILES} == {}


def test_what_may_be_longer_is_longer():
    assert {*LONG_FUNCTIONS} <= {*long_functions()}
    assert {*LONG_FILES} <= {*long_files()}
