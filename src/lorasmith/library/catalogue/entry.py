"""A LoRA file as the catalogue shows it, and the files of one training together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from lorasmith.library.catalogue.facts import Facts, without_number
from lorasmith.library.catalogue.store import Row
from lorasmith.training.records.run_layout import run_of


@dataclass(frozen=True)
class Entry:
    """A file in the catalogue."""

    path: Path
    bytes: int
    changed: int
    """Time of the file's last change, in nanoseconds."""
    preview: Path | None
    """Its picture: the one beside it, else the sample of its moment where it is a checkpoint of a run."""
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
        preview = path.with_name(row.preview) if row.preview else Path(row.sample) if row.sample else None
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
        """The file that stands for all: one that was kept, and is not in a run's folder alone, before the others; of these the one without a number,
        which trainers write at the end, else the last."""
        files = [file for file in self.files if run_of(file.path) is None] or self.files
        return next((file for file in files if without_number(file.name) == file.name), files[-1])


def trainings(entries: Sequence[Entry]) -> list[Training]:
    """Files by their training, each training where its first file was. The checkpoints in a run's folder are of one, and so are their copies elsewhere."""
    runs = {entry.path: run_of(entry.path) for entry in entries}
    run_by_training = {_training(entry): run for entry in reversed(entries) if (run := runs[entry.path]) is not None}
    together: dict[str, list[Entry]] = {}
    for entry in entries:
        run = runs[entry.path] or run_by_training.get(_training(entry))
        together.setdefault(str(run or _training(entry)), []).append(entry)
    return [Training(tuple(sorted(files, key=_moment))) for files in together.values()]


def newest_first(entries: Sequence[Entry]) -> list[Entry]:
    """The file that stands for each training, the newest first; without those that cannot be read."""
    shown = [training.shown for training in trainings([entry for entry in entries if entry.facts is not None])]
    return sorted(shown, key=lambda entry: (entry.day, entry.changed), reverse=True)


def _training(entry: Entry) -> str:
    """The same for all files of a training, as far as they say it."""
    return (entry.facts.training if entry.facts is not None else "") or str(entry.path)


def _moment(entry: Entry) -> tuple[int, int, bool, str]:
    """Where a file is in its training."""
    facts = entry.facts
    step, epoch = (0, 0) if facts is None else (facts.step or 0, facts.epoch or 0)
    return step, epoch, without_number(entry.name) == entry.name, entry.name
