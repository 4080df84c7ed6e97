"""A kind's name stands in the files of the kind and nowhere else in the package."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from lorasmith.adapters.kinds import KINDS

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "lorasmith"
OWN = {PACKAGE / "adapters" / "kinds" / f"{kind.module.rpartition('.')[2]}.py" for kind in KINDS.values()}
# These are words as well; they name a kind where something called a kind is compared with them or set to them.
WORDS = {"lora", "full", "norm"}


def kind_literals(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, name) of every string that is a kind's name; docstrings are not asked."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in KINDS.keys() - WORDS:
            yield node.lineno, node.value
        elif isinstance(node, ast.Compare) and any(_is_a_kind(side) for side in (node.left, *node.comparators)):
            for inside in ast.walk(node):
                if isinstance(inside, ast.Constant) and inside.value in WORDS:
                    yield node.lineno, inside.value
        elif isinstance(node, ast.keyword) and node.arg == "kind" and isinstance(node.value, ast.Constant) and node.value.value in WORDS:
            yield node.value.lineno, node.value.value


def _is_a_kind(node: ast.AST) -> bool:
    """`kind`, `layer.kind` or `layer.kind.name`."""
    return ast.unparse(node).removesuffix(".name").rpartition(".")[2] == "kind"


# Importers translate other programs' names, and one shape of transformer has a rule for one kind. The list only gets shorter.
ELSEWHERE = ("training/importers/", "models/architectures/transformer_consumers.py")


def found_in(package: Path) -> list[str]:
    return [
        f"{file.relative_to(package)}:{line}: {name}"
        for file in sorted(package.rglob("*.py"))
        if file not in OWN and not file.relative_to(package).as_posix().startswith(ELSEWHERE)
        for line, name in kind_literals(ast.parse(file.read_text(encoding="utf-8")))
    ]


def test_what_is_a_kinds_own_is_in_its_files():
    assert found_in(PACKAGE) == []


@pytest.mark.parametrize(
    "text", ['if layer.kind.name in ("lora", "dylora"): pass', 'TAKES = {"rank": ["loha"]}', 'f(kind="full")', 'x = kind == "norm"']
)
def test_what_stands_elsewhere_is_seen(tmp_path, text):
    (tmp_path / "run.py").write_text(text, encoding="utf-8")
    assert found_in(tmp_path)
