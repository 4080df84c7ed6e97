"""The record of a dataset: what came in, and where it went.

`.lorasmith/imported.jsonl` has a line for each picture that was imported: the hash of its bytes, its place, and where it came from.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lorasmith.atomic import write_atomically
from lorasmith.dataset_folder import IMPORTED


@dataclass
class ImportedPicture:
    """A line of the record: one picture that came in."""

    content: str
    path: str
    source: str
    concept: str | None
    size: int
    changed: int
    """Time of the last change of the file, in nanoseconds."""

    def to_line(self) -> str:
        return json.dumps(vars(self), ensure_ascii=True) + "\n"


def read_record(root: Path) -> list[ImportedPicture]:
    """What came in, in order. A line that a crash left unfinished is taken off the file."""
    file = root / IMPORTED
    if not file.exists():
        return []
    lines = []
    for raw in file.read_bytes().split(b"\n"):
        try:
            lines.append(ImportedPicture(**json.loads(raw)))
        except (ValueError, TypeError):
            continue
    if "".join(line.to_line() for line in lines).encode() != file.read_bytes():
        write_record(root, lines)
    return lines


def write_record(root: Path, lines: Sequence[ImportedPicture]) -> None:
    """Replace the record."""
    write_atomically(root / IMPORTED, "".join(line.to_line() for line in lines).encode())
