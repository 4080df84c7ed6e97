"""`events.jsonl` of a job: what it reports while it works, one JSON object a line, read while it grows.

    {"event": "Progressed", "time": 1795725051.976, "done": 12, "of": 40, "unit": "picture", "doing": "tagging", "rate": 3.1, "eta": 9.0}

A job that is continued appends to the same file, beginning with another `Started`. Reading goes as for a run's events:

    events, offset = read_journal(path)              # everything so far
    events, offset = read_journal(path, offset)      # what came since
"""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from lorasmith.jobs.job import State

log = logging.getLogger(__name__)

_TAIL = 16_384
"""Bytes at the end of a journal in which its latest progress is looked for first."""


@dataclass(frozen=True)
class JobEvent:
    """Base of what a job reports."""


@dataclass(frozen=True)
class Started(JobEvent):
    """A process began to work on the job."""

    attempt: int
    device: str


@dataclass(frozen=True)
class Progressed(JobEvent):
    """So much of it is done; `doing` says which part: `tagging`, `training`."""

    done: int
    of: int
    unit: str
    """What is counted, in the singular: picture, step, layer."""
    doing: str
    rate: float | None = None
    """How many are done in a second; None before that is known."""
    eta: float | None = None
    """Seconds until this part is done."""

    @property
    def place(self) -> str:
        """How far this is, in words."""
        return f"{self.doing}, {self.unit} {self.done} of {self.of}"


@dataclass(frozen=True)
class Said(JobEvent):
    """A sentence for people."""

    words: str


@dataclass(frozen=True)
class Ended(JobEvent):
    """The job has ended, or waits to go on."""

    state: State
    sentence: str = ""
    outcome: dict[str, Any] = field(default_factory=dict)


TYPES: dict[str, type[JobEvent]] = {cls.__name__: cls for cls in JobEvent.__subclasses__()}


class TimedJobEvent(NamedTuple):
    """An event and when it happened, in Unix seconds."""

    time: float
    event: JobEvent


class JournalRead(NamedTuple):
    """What `read_journal` found, and the offset in bytes from which to read on."""

    events: list[TimedJobEvent]
    next_offset: int


class Journal:
    """Appends to a job's journal. A full disk is reported once and does not end the job."""

    def __init__(self, path: Path):
        self._path = path
        self._failed = False

    def __call__(self, event: JobEvent) -> None:
        record = {"event": type(event).__name__, "time": round(time.time(), 3), **dataclasses.asdict(event)}
        line = json.dumps(record, ensure_ascii=False, default=str) + "\n"
        try:
            with self._path.open("ab") as file:  # whole lines in one write, after whatever a killed process left
                torn = file.tell() > 0 and not _ends_a_line(self._path)
                file.write(("\n" * torn + line).encode("utf-8", errors="replace"))
        except OSError as error:
            if not self._failed:
                log.warning("%s could not be written (%s): what the job reports from here on is not kept.", self._path, error.strerror)
            self._failed = True


def read_journal(path: Path, start: int = 0) -> JournalRead:
    """The events of a job from a byte offset on; lines that a kill cut short are skipped, and one that is being written is left."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            whole, newline, _ = file.read().rpartition(b"\n")
    except FileNotFoundError:
        return JournalRead([], start)
    parsed = (_parse(line) for line in whole.split(b"\n"))
    return JournalRead([event for event in parsed if event is not None], start + len(whole) + len(newline))


def latest_progress(path: Path) -> Progressed | None:
    """How far the process that works on a job is, or that worked on it last; None where it has not said yet."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return None
    for start in dict.fromkeys((max(0, size - _TAIL), 0)):
        for _, event in reversed(read_journal(path, start).events):
            if isinstance(event, Progressed):
                return event
            if isinstance(event, Started):
                return None
    return None


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"


def _parse(line: bytes) -> TimedJobEvent | None:
    try:
        record: dict[str, Any] = json.loads(line.decode("utf-8", errors="replace"))
        event_type = TYPES[record.pop("event")]
        when = record.pop("time")
    except (ValueError, KeyError, AttributeError):
        return None
    fields = {each.name for each in dataclasses.fields(event_type)}
    return TimedJobEvent(when, event_type(**{key: value for key, value in record.items() if key in fields}))
