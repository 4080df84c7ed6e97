"""What a lint says, read from its own code, so that the handbook repeats nothing: its sentences, with an ellipsis for what depends on the run."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

UNKNOWN = "…"
"""What stands where a sentence has a value of the run."""


def sentences_of(rule: Callable[..., Any], says: str) -> str:
    """The first sentence that a rule may say, and why; `says` is the function by which it says something: says("sentence", why="...")."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(rule))))
    call = next(node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == says)
    why = next((keyword.value for keyword in call.keywords if keyword.arg == "why"), None)
    return " ".join(_with_capital("".join(_text(node))) for node in (call.args[0], why) if node is not None)


def _text(node: ast.expr) -> Iterator[str]:
    """A sentence's text, of a constant, a sentence with values, or one of two."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            for part in parts:
                yield from _text(part)
        case ast.IfExp(body=first):
            yield from _text(first)
        case ast.BinOp(left=left, right=right):
            yield from _text(left)
            yield from _text(right)
        case _:
            yield UNKNOWN


def _with_capital(sentence: str) -> str:
    """With a capital where it does not begin with a setting's name."""
    first = sentence.split(" ", 1)[0]
    return sentence if "." in first.rstrip(".") or first.startswith(UNKNOWN) else sentence[:1].upper() + sentence[1:]
