"""What messages, docstrings and pages name exists: verbs with their options, and dotted settings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
import typer

from lorasmith.sections import fields_of
from lorasmith.training.settings.migrations import RENAMED

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "lorasmith"
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
# History and notes keep the names of their day.
OLD = {"notebook.md"}

# `lorasmith captions undo SET --steps 2`: verbs are the plain words after the name; options follow until the end of the command.
COMMAND = re.compile(r"(?<![\w./-])(?<!import )lorasmith((?: [a-z][a-z-]*(?![\w./=-]))+)([^`\n;|&]*)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*(?![a-z0-9{-])")


@cache
def command_tree():
    from lorasmith.cli.main import app

    return typer.main.get_command(app)


def missing_in_command(words: list[str], rest: str) -> str | None:
    """What of a command does not exist: its verb, or one of the options; None if all is there."""
    command = command_tree()
    named = ["lorasmith"]
    for word in words:
        if not hasattr(command, "get_command"):
            break
        if (below := command.get_command(None, word)) is None:
            return f"{' '.join(named)} has no verb '{word}'"
        command = below
        named.append(word)
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
    unknown = [option for option in OPTION.findall(rest) if option not in known]
    return f"{' '.join(named)} has no option {unknown[0]}" if unknown else None


@cache
def settings_tree() -> dict[str, frozenset[str]]:
    """Section -> its settings, of every section that stands at the top of a settings file."""
    import inspect

    from pydantic import BaseModel

    import lorasmith

    sections = {}
    for name, field in lorasmith.Settings.model_fields.items():
        kinds = [kind for kind in (field.annotation, *getattr(field.annotation, "__args__", ())) if inspect.isclass(kind)]
        for kind in kinds:
            if issubclass(kind, BaseModel):
                sections[name] = frozenset(fields_of(kind))
    return sections


def missing_setting(section: str, name: str) -> bool:
    """Names that a setting had before are told where the migration is spoken of."""
    return name not in settings_tree()[section] and f"{section}.{name}" not in {old for names in RENAMED.values() for old in names}


def is_module(room: str, name: str) -> bool:
    return (PACKAGE / room / name).is_dir() or (PACKAGE / room / f"{name}.py").exists()


def setting_pattern() -> re.Pattern[str]:
    """`network.rank`, not `self.network.rank`, a file's name, a module or a call."""
    return re.compile(rf"(?<![\w./\[-])({'|'.join(settings_tree())})\.([a-z][a-z0-9_]*)(?![\w(/{{]|\.\w)")


FILES = {"sqlite", "npy", "toml", "json", "py", "md", "safetensors", "txt", "png", "html", "jsonl", "zip", "pt", "jpg"}


def wrong_names(text: str) -> Iterator[str]:
    """What a text names that does not exist."""
    for words, rest in COMMAND.findall(text):
        if wrong := missing_in_command(words.split(), rest):
            yield wrong
    prose = re.sub(r"^\s*(>>>|\.\.\.) .*$", "", text, flags=re.MULTILINE)  # in examples, `base.family` is a variable's
    for section, name in setting_pattern().findall(prose):
        if name not in FILES and missing_setting(section, name) and not is_module(section, name) and f"{section}.{name}" not in codes():
            yield f"there is no setting {section}.{name}"


CODE = re.compile(r"[a-z_]+\.[a-z0-9_]+")
"""A string of one dotted word is a code of a finding or an error, or a key that the program itself looks up."""


@cache
def codes() -> frozenset[str]:
    """Codes of findings and errors, which the guides name."""
    return frozenset(
        node.value
        for file in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value)
    )


def strings_of(file: Path) -> Iterator[tuple[int, str]]:
    """(line, text) of every string of a file, docstrings and the plain parts of f-strings among them."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    within: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            within.update(id(part) for part in node.values)
            yield node.lineno, "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in within and not CODE.fullmatch(node.value):
            yield node.lineno, node.value


def code_of(page: str) -> str:
    """What is set as code in a page, a fragment a line."""
    blocks = re.findall(r"^```.*?\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", page, flags=re.MULTILINE | re.DOTALL))
    return "\n".join([*(re.sub(r"\\\n\s*", " ", block) for block in blocks), *inline])


def test_no_string_of_the_package_names_what_does_not_exist():
    wrong = [
        f"{file.relative_to(ROOT)}:{line}: {what}"
        for file in sorted(PACKAGE.rglob("*.py"))
        for line, text in strings_of(file)
        for what in wrong_names(text)
    ]
    assert wrong == []


def pasted_values(file: Path) -> Iterator[tuple[int, str]]:
    """(line, value) of what f-strings put into commands."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.JoinedStr):
            continue
        text, values = "", []
        for part in node.values:
            if isinstance(part, ast.Constant):
                text += part.value
            else:
                values.append((len(text), ast.unparse(part.value)))
                text += "{}"
        for command in COMMAND.finditer(text):
            end = command.start() + len(re.split(r"[),.:](?:\s|$)", command[0])[0])
            yield from ((node.lineno, value) for at, value in values if command.start() < at < end)


NEVER_QUOTED = re.compile(r"quoted\(.*\)|typed|[A-Z_]+|(\w+\.)*id|means\.setting|shown|samples|'[ \w-]*' if \w+ else '[ \w-]*'")
"""What has no space and no sign of a shell in it, or has been quoted before."""


def test_every_path_in_a_command_to_paste_is_quoted_for_the_shell():
    wrong = [
        f"{file.relative_to(ROOT)}:{line}: {value}"
        for file in sorted(PACKAGE.rglob("*.py"))
        for line, value in pasted_values(file)
        if not NEVER_QUOTED.fullmatch(value)
    ]
    assert wrong == []


def test_no_page_names_what_does_not_exist():
    wrong = [
        f"{page.relative_to(ROOT)}: {what}"
        for page in PAGES
        if page.name not in OLD and "decisions" not in page.parts
        for what in wrong_names(code_of(page.read_text(encoding="utf-8")))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("look at it with `lorasmith base show`", "lorasmith base has no verb 'show'"),
        ("`lorasmith settings` lists them", "lorasmith has no verb 'settings'"),
        ("`lorasmith train my.toml --outt runs`", "lorasmith train has no option --outt"),
        ("training.epocs is 3", "there is no setting training.epocs"),
        ("see `lorasmith train my.toml --out runs/a`", None),
        ("training.epochs is 3", None),
        ("lorasmith.training.epochs is a module", None),
    ],
)
def test_a_name_that_does_not_exist_is_seen(text, wrong):
    assert list(wrong_names(text)) == ([wrong] if wrong else [])


NOUNS = "captions|pictures|images|files|tags|operations|groups|tokens|steps|layers|epochs|folders|rows|words|checkpoints|settings|tensors|samples|passes|batches|bytes|characters|prompts|moves|runs"
COUNTED = re.compile(rf" (?:[a-z-]+ )?(?:{NOUNS})\b")


def plurals_of_any_number(tree: ast.AST) -> Iterator[int]:
    """Lines of f-strings that have the plural behind a `len(...)`, which may be 1; those of `__repr__` are for programmers."""
    nodes = list(ast.walk(tree))
    for_programmers = {each for one in nodes if isinstance(one, ast.FunctionDef) and one.name == "__repr__" for each in ast.walk(one)}
    for node in nodes:
        if isinstance(node, ast.JoinedStr) and node not in for_programmers:
            for number, after in pairwise(node.values):
                is_length = isinstance(number, ast.FormattedValue) and ast.unparse(number.value).startswith("len(")
                if is_length and isinstance(after, ast.Constant) and COUNTED.match(str(after.value)):
                    yield node.lineno


def test_messages_have_the_singular_where_a_number_is_one():
    wrong = [
        f"{file.relative_to(ROOT)}:{line}: write count(len(...), noun), of lorasmith.pages.numbers"
        for file in sorted(PACKAGE.rglob("*.py"))
        if "build" not in file.parts
        for line in plurals_of_any_number(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert wrong == []
    assert list(plurals_of_any_number(ast.parse('f"1 of {len(found)} captions leak"'))) == [1]
