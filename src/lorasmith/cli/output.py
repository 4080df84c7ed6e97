"""What verbs print: JSON for scripts, and counts for people."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import typer


def print_json(value: Any) -> None:
    """Print `value` as JSON on standard output; paths and other objects become text, tuples and sets lists."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def _plain(value: object) -> object:
    return list(value) if isinstance(value, Iterable) else str(value)


def count(number: int, word: str, plural: str = "") -> str:
    """`1 picture`, `1,300 pictures`; `plural` where an s does not make it."""
    return f"{number:,} {word if number == 1 else plural or word + 's'}"


def one_line(text: str, most: int = 160) -> str:
    """A text on one line of the terminal."""
    line = text.replace("\n", " | ")
    return line if len(line) <= most else f"{line[: most - 3]}..."
