"""`events.jsonl`: every event of a run, one JSON object a line, written as it happens and read while it grows.

    {"event": "EpochDone", "version": 2, "time": 1795725051.976, "epoch": 1, "step": 3, "mean_loss": 0.8865}

`time` is in Unix seconds. Each line carries the version of the format, since a run may be continued by a newer Lorasmith than the one that
started it; lines without one are of version 1. Reading needs no torch:

    events, offset = read_events(path)              # everything so far
    events, offset = read_events(path, offset)      # what came since; cheap, however long the file is
    history = read_history(path)                    # everything that counts, without what a resume discarded
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lorasmith.errors import RunError
from lorasmith.training.events import Event, Resumed

VERSION = 2

TYPES: dict[str, type[Event]] = {cls.__name__: cls for cls in Event.__subclasses__()}

FIELDS = {name: frozenset(field.name for field in dataclasses.fields(cls)) for name, cls in TYPES.items()}

STEP = b'{"event": "StepDone"'
"""How the line of a step begins."""

RENAMED_SINCE_1: Mapping[str, Mapping[str, str]] = {
    "Planned": {"pictures": "images", "trained_parameters": "trainable_parameters"},
    "StepDone": {"bands": "loss_by_timestep"},
    "StepSkipped": {"pictures": "images", "in_a_row": "consecutive"},
    "ValidationDone": {
        "held_out_mean": "val_loss",
        "trained_mean": "train_loss",
        "held_out_change": "val_loss_delta",
        "held_out_change_margin": "val_loss_delta_margin",
        "trained_change": "train_loss_delta",
        "trained_change_margin": "train_loss_delta_margin",
        "held_out": "val_losses",
        "trained": "train_losses",
        "since_best": "above_best",
        "since_best_margin": "above_best_margin",
    },
}
"""Event -> what its fields were called in version 1, and are called now."""


class TimedEvent(NamedTuple):
    """An event and when it happened, in Unix seconds."""

    time: float
    event: Event


class EventsRead(NamedTuple):
    """What `read_events` found, and the offset in bytes from which to read on."""

    events: list[TimedEvent]
    next_offset: int


class EventLog:
    """The listener that appends to `events.jsonl`."""

    def __init__(self, path: str | Path):
        path = Path(path)
        torn = path.exists() and path.read_bytes()[-1:] not in (b"", b"\n")
        self._file = path.open("a", encoding="utf-8")
        if torn:  # a kill cut the last line short; the next event must not be glued to it
            self._file.write("\n")

    def __call__(self, event: Event) -> None:
        record = {"event": type(event).__name__, "version": VERSION, "time": round(time.time(), 3), **dataclasses.asdict(event)}
        self._file.write(json.dumps(record, ensure_ascii=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file; what a full disk kept out of it was reported when it happened."""
        with contextlib.suppress(OSError):
            self._file.close()


def read_events(path: str | Path, start: int = 0) -> EventsRead:
    """All events of a run's `events.jsonl`, as they were written, also while the run goes on.

    Only whole lines are read: one that is being written is left for the next call. Lines that a kill cut short are skipped, and so are
    events of types that this version does not know.

    Parameters
    ----------
    path
        The run's `events.jsonl`.
    start
        The byte to read from: the `next_offset` of an earlier call, so that each event is seen once.

    Raises
    ------
    RunError
        A newer Lorasmith wrote the file (`run.newer_version`).

    Examples
    --------
    >>> read = ls.read_events("runs/my-lora/events.jsonl")
    >>> [type(event).__name__ for _, event in read.events][-1]
    'Finished'
    >>> ls.read_events("runs/my-lora/events.jsonl", read.next_offset).events
    []
    """
    events, next_offset = events_since(path, start)
    return EventsRead(list(events), next_offset)


def events_since(path: str | Path, start: int, *, last_step_alone: bool = False) -> tuple[Iterator[TimedEvent], int]:
    """The same, of which each event is made when its turn comes.

    With `last_step_alone` the last one of the steps, which are nearly all of the file: for who asks how far a run is.
    """
    with Path(path).open("rb") as file:
        file.seek(start)
        whole, newline, _ = file.read().rpartition(b"\n")
    lines = whole.split(b"\n")
    if last_step_alone:
        last = max((number for number, line in enumerate(lines) if line.startswith(STEP)), default=-1)
        lines = [line for number, line in enumerate(lines) if number == last or not line.startswith(STEP)]
    parsed = (_parse(line, path) for line in lines)
    return (event for event in parsed if event is not None), start + len(whole) + len(newline)


def read_history(path: str | Path) -> list[TimedEvent]:
    """The events of a run from its first step to its last one, without what a later resume discarded."""
    return without_discarded(read_events(path).events)


def without_discarded(events: Iterable[TimedEvent]) -> list[TimedEvent]:
    """The events that still count: where a run was resumed from a saved state, earlier events of later steps were for nothing."""
    kept: list[TimedEvent] = []
    for timed in events:
        if isinstance(timed.event, Resumed):
            kept = [earlier for earlier in kept if getattr(earlier.event, "step", 0) <= timed.event.step]
        kept.append(timed)
    return kept


def _parse(line: bytes, path: str | Path) -> TimedEvent | None:
    try:
        record: dict[str, Any] = json.loads(line.decode("utf-8", errors="replace"))
    except json.JSONDecodeError:
        return None
    name, version, when = record.pop("event", ""), record.pop("version", 1), record.pop("time", 0.0)
    if version > VERSION:
        raise RunError(
            f"{path} was written by a newer Lorasmith (version {version} of the event format; this one reads up to {VERSION}). Update Lorasmith.",
            code="run.newer_version", path=str(path), version=version,
        )  # fmt: skip
    event_type = TYPES.get(name)
    if event_type is None:
        return None
    if version == 1:
        renamed = RENAMED_SINCE_1.get(name, {})
        record = {renamed.get(key, key): value for key, value in record.items()}
    known = FIELDS[name]
    fields = record if record.keys() <= known else {key: value for key, value in record.items() if key in known}
    return TimedEvent(when, event_type(**fields))
