"""What verbs print: JSON for scripts, and lines that fit a terminal.

The JSON of a verb is one object, which may get further keys. What the verb was given is there under the name that its `--help` has for it
(`dataset`, `file`); how many there are is under the plural (`pictures`, `layers`), or what they are, where it is a list; findings have one
shape (`findings.Finding.as_data`), and sentences of their own are `notes`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import typer


def print_json(outcome: Mapping[str, Any]) -> None:
    """Print what a verb did as JSON on standard output; paths and other objects become text, tuples and sets lists."""
    typer.echo(json.dumps(outcome, indent=2, ensure_ascii=False, default=_plain))


def _plain(value: object) -> object:
    return list(value) if isinstance(value, Iterable) else str(value)


_ORDERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Characters that a terminal obeys: controls but tabs and line ends, and those that turn the direction of what follows."""


def shown(text: str) -> str:
    """A text that a stranger may have written (metadata, a name, a caption) as a terminal may get it: what it would obey as its number."""
    return _ORDERS.sub(lambda order: order[0].encode("unicode_escape").decode(), text)


def one_line(text: str, most: int = 160) -> str:
    """A text on one line of the terminal."""
    line = shown(text).replace("\n", " | ")
    return line if len(line) <= most else f"{line[: most - 3]}..."
