"""Emphasis in captions and prompts, as AUTOMATIC1111's web UI reads it.

    (red) dress         red counts 1.1 times; ((red)) 1.21 times
    [red] dress         red counts 1 / 1.1
    (red:1.3) dress     red counts 1.3 times
    \\(not meant\\)       a backslash makes a bracket plain text

A bracket that is never closed reaches to the end. What is emphasised is multiplied where the U-Net reads it.
"""

from __future__ import annotations

import re

ROUND, SQUARE = 1.1, 1 / 1.1

_PIECES = re.compile(r"\\.|[()\[\]]|:\s*[+-]?(?:\d+\.?\d*|\.\d+)\s*\)|[^\\()\[\]:]+|[\\:]", re.DOTALL)


def parse_emphasis(text: str) -> list[tuple[str, float]]:
    """The text in runs of equal weight; joined, they are the text without its brackets."""
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
    return joined
