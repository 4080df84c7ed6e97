"""The runs below a folder, each in a few facts. Their folders alone are read, whoever began them, and of long ones only the end."""

from __future__ import annotations

import mmap
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from lorasmith.errors import LorasmithError
from lorasmith.evaluation.proven import verdict_sentence
from lorasmith.evaluation.run_folders import RunFolders
from lorasmith.json_text import table_of
from lorasmith.training import events
from lorasmith.training.records.event_log import TimedEvent, read_events
from lorasmith.training.records.run_folder import RunFolder

TAIL = 65_536
"""Bytes at the end of a run's events that are read first; more of them where these say nothing of its steps."""
SAYS_THE_STEP = events.StepDone | events.Finished | events.Stopped
RunState = Literal["running", "judging", "finished", "stopped", "killed", "unreadable"]


@dataclass(frozen=True)
class ListedRun:
    """A run as a list shows it."""

    folder: Path
    state: RunState
    """killed: its process ended without a word; `lorasmith resume` continues it as it does a stopped one."""
    step: int = 0
    steps: int | None = None
    """None before the run was planned."""
    eta: float | None = None
    """Seconds left; None where it does not run, or has not said."""
    last_event: float = 0.0
    """Unix time."""
    note: str = ""
    """Why it was stopped, or cannot be read."""
    verdict: str = ""
    """The first sentence of the proof; "" where it was not proven."""

    @property
    def as_data(self) -> dict[str, Any]:
        """For `--json` and pages."""
        return {**asdict(self), "folder": str(self.folder)}


def list_runs(root: str | Path) -> list[ListedRun]:
    """The runs below a folder, or the folder itself if it is one; those with the latest events first."""
    return sorted((listed_run(folder) for folder in RunFolders(root).found()), key=lambda run: -run.last_event)


def listed_run(folder: str | Path) -> ListedRun:
    """A run in a few facts."""
    run = RunFolder(Path(folder))
    try:
        size = run.events.stat().st_size if run.events.exists() else 0
        timed = _last_events(run.events, size)
        steps = _planned_steps(run.events) if size else None
        running = run.is_running
    except (OSError, LorasmithError, TypeError) as error:  # an event without its fields
        return ListedRun(run.root, "unreadable", note=str(error))
    happened = [event for _, event in timed]
    done = next((event for event in reversed(happened) if isinstance(event, SAYS_THE_STEP)), None)
    ended = happened[-1] if happened else None
    finished: RunState = "judging" if run.is_being_judged else "finished"
    return ListedRun(
        run.root,
        "running" if running else finished if isinstance(done, events.Finished) else "stopped" if isinstance(ended, events.Stopped) else "killed",
        0 if done is None else done.step,
        steps,
        done.eta if running and isinstance(done, events.StepDone) else None,
        timed[-1].time if timed else 0.0,
        ended.reason if isinstance(ended, events.Stopped) and not running else "",
        str(verdict_sentence(run.root) or ""),
    )  # fmt: skip


def _last_events(file: Path, size: int) -> list[TimedEvent]:
    """The last events of a run, back to one at least that says at which step it is, if there is any: a single one may be as long as thousands."""
    length = TAIL
    while size:
        timed = read_events(file, max(0, size - length)).events
        if length >= size or any(isinstance(event, SAYS_THE_STEP) for _, event in timed):
            return timed
        length *= 4
    return []


def _planned_steps(file: Path) -> int | None:
    """The steps of the last plan in a file of events, found without reading the rest."""
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as text:
        place = text.rfind(b'{"event": "Planned"')
        line = b"{}" if place < 0 else text[place : text.find(b"\n", place)]
    steps = table_of(line.decode("utf-8", errors="replace")).get("steps")
    return steps if isinstance(steps, int) else None
