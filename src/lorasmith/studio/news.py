"""Where the streams of events have their news from. All listeners share one look, and nobody looks while nobody listens."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from lorasmith.jobs.job import ACTIVE, Job
from lorasmith.projects.runs import find_run, runs_of
from lorasmith.studio.jobs import view
from lorasmith.studio.stream import Sources
from lorasmith.studio.studio import Studio

Found = TypeVar("Found")

JOBS_EVERY, RUNS_EVERY = 0.25, 1.0
"""Seconds between two looks."""
GOING = 120.0
"""Seconds since a run's last event, up to which it is looked at."""


def news_of(studio: Studio) -> Sources:
    """The sources of a studio's streams."""
    kept: dict[int, tuple[Job, dict[str, Any]]] = {}

    def jobs() -> Mapping[int, Mapping[str, Any]]:
        for job in studio.queue.jobs():
            if job.state in ACTIVE or kept.get(job.id, (None,))[0] != job:
                kept[job.id] = job, view(studio, job).model_dump(mode="json")
        return {id: shown for id, (_, shown) in kept.items()}

    def summaries() -> Mapping[str, Mapping[str, Any]]:
        found = {}
        for run in runs_of(studio.projects):
            if time.time() - _changed(run.folder.events) < GOING:
                course = studio.courses.summary(run.folder.events)
                last, planned = course.last_step, course.planned
                found[run.id] = {
                    "step": last.step if last else 0, "steps": planned.steps if planned else None, "eta": last.eta if last else None,
                    "ended": course.ending is not None,
                }  # fmt: skip
        return found

    def version_of(project: str) -> str:
        return studio.datasets.as_it_is(studio.projects[project].dataset).version

    return Sources(
        events_of=lambda run: find_run(studio.projects, run).folder.events, jobs=_seldom(jobs, JOBS_EVERY), version_of=version_of,
        summaries=_seldom(summaries, RUNS_EVERY),
    )  # fmt: skip


def _seldom(look: Callable[[], Found], seconds: float) -> Callable[[], Found]:
    """The same function, which looks again only after so many seconds; for all threads together."""
    lock = threading.Lock()
    seen: list[tuple[float, Found]] = []

    def looked() -> Found:
        with lock:
            if not seen or time.monotonic() - seen[0][0] >= seconds:
                seen[:] = [(time.monotonic(), look())]
            return seen[0][1]

    return looked


def _changed(file: Path) -> float:
    try:
        return os.stat(file).st_mtime
    except OSError:
        return 0.0
