"""A LoRA file as the catalogue shows it, and the files of one training together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from lorasmith.library.catalogue.facts import Facts, without_number
from lorasmith.library.catalogue.store import Row


@dataclass(frozen=True)
class Entry:
    """A file in the catalogue."""

    path: Path
    bytes: int
    changed: int
    """Time of the file's last change, in nanoseconds."""
    preview: Path | None
    """Its picture."""
    content: str
    """The sha256 of its tensors (64 digits; the first 12 are AutoV3), once that was needed; "" before."""
    facts: Facts | None
    """None where it cannot be read."""
    problem: str
    """Why it cannot be read; "" where it can."""

    @classmethod
    def of(cls, row: Row) -> Entry:
        path = Path(row.path)
        facts = Facts.from_json(row.facts) if row.facts else None
        preview = path.with_name(row.preview) if row.preview else None
        return cls(path, row.size, row.changed, preview, row.content, facts, row.problem)

    @property
    def name(self) -> str:
        """The file's name without the suffix."""
        return self.path.stem

    @property
    def day(self) -> str:
        """On which its training ended, or else on which the file was last changed; as ISO 8601."""
        if self.facts is not None and self.facts.trained:
            return self.facts.trained
        return datetime.fromtimestamp(self.changed / 1e9, UTC).date().isoformat()

    @cached_property
    def words(self) -> str:
        """All words that it is found by, in lower case."""
        facts = self.facts
        said = () if facts is None else (facts.title, facts.description, *facts.triggers, *facts.tags)
        return "\n".join((self.name, *said)).casefold()

    @property
    def as_data(self) -> dict[str, Any]:
        """For `--json` and the API."""
        facts = {} if self.facts is None else asdict(self.facts)
        return {
            "file": str(self.path), "name": self.name, "bytes": self.bytes, "day": self.day,
            "preview": None if self.preview is None else str(self.preview), "content": self.content or None,
            "problem": self.problem or None, **facts,
        }  # fmt: skip


@dataclass(frozen=True)
class Training:
    """The files of one training, in its order; or a single file."""

    files: tuple[Entry, ...]

    @property
    def shown(self) -> Entry:
        """The file that stands for all: the one without a number, which trainers write at the end, else the last."""
        return next((file for file in self.files if without_number(file.name) == file.name), self.files[-1])


def trainings(entries: Iterable[Entry]) -> list[Training]:
    """Files by their training, each training where its first file was."""
    together: dict[str, list[Entry]] = {}
    for entry in entries:
        key = entry.facts.training if entry.facts is not None else ""
        together.setdefault(key or str(entry.path), []).append(entry)
    return [Training(tuple(sorted(files, key=_moment))) for files in together.values()]


def _moment(entry: Entry) -> tuple[int, int, bool, str]:
    """Where a file is in its training."""
    facts = entry.facts
    step, epoch = (0, 0) if facts is None else (facts.step or 0, facts.epoch or 0)
    return step, epoch, without_number(entry.name) == entry.name, entry.name
