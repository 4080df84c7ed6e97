"""Tables in Markdown, whose rows can be linked to."""

from __future__ import annotations

import re
from collections.abc import Iterable


def table(heads: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    """Rows of plain texts as a table in Markdown."""
    lines = [heads, tuple("---" for _ in heads), *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def linked(anchor: str, text: str) -> str:
    """A text in front of which links to `#anchor` end."""
    return f'<a id="{anchor}"></a>{text}'


def _cell(value: object) -> str:
    """Text that stays within one cell; it is no HTML but for the anchor that `linked` puts in front."""
    text = re.sub(r"\s+", " ", str(value)).replace("|", "\\|")
    anchor = re.match(r'<a id="[^"<>]*"></a>', text)
    start = anchor.end() if anchor else 0
    return text[:start] + text[start:].replace("<", "&lt;")
