"""What a run's own record says of how it was trained, for tests in which runs are stopped and killed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from lorasmith.training.events import Event, Finished, StepDone
from lorasmith.training.records.event_log import read_events, read_history
from lorasmith.training.records.run_folder import RunFolder

PATIENCE = 600
"""Seconds that one part of such a test may take, on a busy machine."""


def events(run: str | Path, kind) -> list[Event]:
    """All events of some kinds that were ever written, also those that a resume has discarded."""
    return [event for _, event in read_events(RunFolder(Path(run)).events).events if isinstance(event, kind)]


def steps_done(run: str | Path) -> int:
    """How far the run is; 0 where it has not begun."""
    return max((event.step for event in events(run, StepDone)), default=0) if RunFolder(Path(run)).events.is_file() else 0


def assert_trained_once(run: str | Path) -> None:
    """Each step counts once, and none is done after the run has finished; one that died while it was judged finishes again, without a step."""
    done = events(run, StepDone | Finished)
    ends = [isinstance(event, Finished) for event in done]
    assert all(ends[ends.index(True) :])
    history = [event for _, event in read_history(RunFolder(Path(run)).events)]
    assert [event.step for event in history if isinstance(event, StepDone)] == list(range(1, done[-1].step + 1))


def wait_until(condition: Callable[[], bool]) -> None:
    """Until it holds; fails where it does not come to that."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.1)
