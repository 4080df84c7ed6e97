"""The end of a file of words, in pages from the last line upwards, without secrets."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field

from lorasmith.secrets import without_secrets

MOST_READ = 4 * 2**20
"""Bytes that one page is looked for in."""


class LogPage(BaseModel):
    """Lines of a log, in their order."""

    lines: list[str]
    before: int | None = Field(description="What to ask for to get the lines above these; None at the beginning.")


def read_log(file: Path, before: int | None, count: int) -> LogPage:
    """The last `count` lines that end at or above the byte `before`; a file that does not exist yet is empty."""
    try:
        size = file.stat().st_size
        end = size if before is None else min(before, size)
        start = max(0, end - MOST_READ)
        with file.open("rb") as opened:
            opened.seek(start)
            text = opened.read(end - start)
    except FileNotFoundError:
        return LogPage(lines=[], before=None)
    lines = text.splitlines(keepends=True)
    if start and len(lines) > count:
        lines = lines[1:]  # it may have begun above
    shown = lines[-count:]
    first = end - sum(map(len, shown))
    words = [without_secrets(line.decode("utf-8", "replace").rstrip("\r\n")) for line in shown]
    return LogPage(lines=words, before=first if first > 0 else None)
