"""Emphasis in captions and prompts, as AUTOMATIC1111's web UI reads it.

    (red) dress         red counts 1.1 times; ((red)) 1.21 times
    [red] dress         red counts 1 / 1.1
    (red:1.3) dress     red counts 1.3 times
    \\(not meant\\)       a backslash makes a bracket plain text

A bracket that is never closed reaches to the end. What is emphasised is multiplied where the U-Net reads it.
"""

from __future__ import annotations

import re
from math import isfinite

from lorasmith.errors import SettingsError

ROUND, SQUARE = 1.1, 1 / 1.1

_SCHEDULED = re.compile(r"(?<!\\)\[[^\[\]]*(?::\s*[\d.]+|\|[^\[\]]*)\]")
_COMPOSED = re.compile(r"\bAND\b")

_PIECES = re.compile(r"\\.|[()\[\]]|:\s*[+-]?(?:\d+\.?\d*|\.\d+)\s*\)|[^\\()\[\]:]+|[\\:]", re.DOTALL)


def parse_emphasis(text: str) -> list[tuple[str, float]]:
    """The text in runs of equal weight; joined, they are the text without its brackets.

    Raises SettingsError where a weight is too large for a number.
    """
    runs: list[tuple[str, float]] = []
    opened: list[tuple[str, int]] = []  # bracket, and the first run inside it

    def close(bracket: str, factor: float) -> None:
        """End the innermost bracket of this kind; what is inside is multiplied."""
        for place in range(len(opened) - 1, -1, -1):
            if opened[place][0] == bracket:
                _, first = opened.pop(place)
                runs[first:] = [(run, weight * factor) for run, weight in runs[first:]]
                return

    for piece in _PIECES.findall(text):
        if len(piece) == 2 and piece[0] == "\\":
            runs.append((piece[1], 1.0))
        elif piece in ("(", "["):
            opened.append((piece, len(runs)))
        elif piece.startswith(":") and piece.endswith(")") and any(bracket == "(" for bracket, _ in opened):
            close("(", float(piece[1:-1]))
        elif piece == ")" and any(bracket == "(" for bracket, _ in opened):
            close("(", ROUND)
        elif piece == "]" and any(bracket == "[" for bracket, _ in opened):
            close("[", SQUARE)
        else:
            runs.append((piece, 1.0))
    while opened:
        bracket = opened[-1][0]
        close(bracket, ROUND if bracket == "(" else SQUARE)
    joined: list[tuple[str, float]] = []
    for run, weight in runs:
        if joined and joined[-1][1] == weight:
            joined[-1] = (joined[-1][0] + run, weight)
        else:
            joined.append((run, weight))
    if beyond := next((run for run, weight in joined if not isfinite(weight)), None):
        raise SettingsError(
            f"The emphasis of {beyond.strip()!r} is too large for a number: give a weight between 0 and 2.",
            code="prompt.emphasis",
            tag=beyond,
        )
    return joined


def escape(text: str) -> str:
    """A text that means itself, brackets and all, where emphasis is read: for prompts made from captions."""
    return re.sub(r"([\\()\[\]])", r"\\\1", text)


def unescape(text: str) -> str:
    """A text in which brackets and backslashes were escaped, for families that read no emphasis."""
    return re.sub(r"\\([\\()\[\]])", r"\1", text)


def has_emphasis(text: str) -> bool:
    """Whether a part of the text counts more or less than the rest."""
    return any(weight != 1 for _, weight in parse_emphasis(text))


def unread_syntax(prompt: str) -> str | None:
    """What of A1111's syntax is in a prompt and is not read here: prompt editing `[a:b:0.5]`, alternation `[a|b]`, `AND`; None without."""
    found = _SCHEDULED.search(prompt) or _COMPOSED.search(prompt)
    return found[0] if found else None
