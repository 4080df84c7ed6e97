"""A family's name, and what only one family's denoiser is, stand in the family's folder and nowhere else in the package."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lorasmith.models.families import FAMILIES, register

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "lorasmith"
FOLDERS = {name: PACKAGE / "models" / name for name in FAMILIES}
DENOISERS = {family.denoiser for family in FAMILIES.values()}


def family_literals(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, name) of every string that is a family's name, or a relative's; docstrings are not asked."""
    names = {*FAMILIES, *(relative for family in FAMILIES.values() for relative in family.relatives)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in names:
            yield node.lineno, node.value


def denoiser_comparisons(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, name) of every comparison with the name of a denoiser: `part == "unet"`, `part in ("unet", "transformer")`, `case "unet"`."""
    for node in ast.walk(tree):
        compared = (
            [node.left, *node.comparators] if isinstance(node, ast.Compare) else [node.value] if isinstance(node, ast.MatchValue) else []
        )
        for side in compared:
            for inside in side.elts if isinstance(side, ast.Tuple | ast.List | ast.Set) else [side]:
                if isinstance(inside, ast.Constant) and inside.value in DENOISERS:
                    yield node.lineno, inside.value


def quarters(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, text) of every `... // 4`: how many tokens latents are is for the base to say (`Base.tokens`)."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.BinOp)
            and isinstance(node.op, ast.FloorDiv)
            and isinstance(node.right, ast.Constant)
            and node.right.value == 4
        ):
            yield node.lineno, ast.unparse(node)


# Quarters of other things than latents.
NO_LATENTS = {"images/duplicates.py", "demo/messy.py", "training/planning/lints/sizes.py", "jobs/sweep/ladder.py"}
CHECKS = {"family": family_literals, "denoiser": denoiser_comparisons, "quarter": quarters}


def findings(check, package: Path) -> list[str]:
    found = []
    for file in sorted(package.rglob("*.py")):
        name = file.relative_to(package).as_posix()
        own = any(folder in file.parents for folder in FOLDERS.values())
        if not own and not (check is quarters and name in NO_LATENTS):
            found += [f"{name}:{line}: {what}" for line, what in check(ast.parse(file.read_text(encoding="utf-8")))]
    return found


@pytest.mark.parametrize("check", CHECKS)
def test_what_is_a_familys_own_is_in_its_folder(check):
    assert findings(CHECKS[check], PACKAGE) == []


@pytest.mark.parametrize(
    ("check", "text"),
    [
        ("family", 'if family in ("sd1", "sd2"): pass'),
        ("family", 'NAMES = {"pony": 1}'),
        ("denoiser", 'rate = 1 if part == "transformer" else 2'),
        ("denoiser", 'if "unet" in parts: pass'),
        ("denoiser", 'match part:\n    case "unet":\n        pass'),
        ("quarter", "tokens = height * width // 4"),
    ],
)
def test_what_stands_elsewhere_is_seen(tmp_path, check, text):
    (tmp_path / "run.py").write_text(text, encoding="utf-8")
    assert len(findings(CHECKS[check], tmp_path)) >= 1


def test_every_family_has_its_folder():
    for name, folder in FOLDERS.items():
        assert {"family.py", "base.py"} <= {file.name for file in folder.iterdir()}, name


def test_the_records_are_read_without_the_heavy_libraries():
    program = "import sys, lorasmith.models.open; print([m for m in ('torch', 'diffusers', 'transformers') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_a_name_is_taken_once():
    with pytest.raises(AssertionError, match="two families"):
        register(FAMILIES["sdxl"])
