"""How far the runs are. Of each run a few facts are kept, as long as its events stay as they are; of those looked at last, their whole course."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path

from lorasmith.training.events import Finished, Planned, StepDone, Stopped, ValidationDone
from lorasmith.training.records.course import RunCourse

MOST_FOLLOWED = 64
"""Runs whose course is kept in memory."""


@dataclass(frozen=True)
class CourseSummary:
    """A run's course in a few facts."""

    planned: Planned | None
    last_step: StepDone | None
    ending: Finished | Stopped | None
    last_time: float
    """When the last event happened, in Unix seconds; 0 where there is none."""
    checkpoints: int
    samples: int
    validation: ValidationDone | None = None
    """The latest."""


NOTHING_YET = CourseSummary(None, None, None, 0.0, 0, 0)


class Courses:
    """The courses of runs, by their `events.jsonl`."""

    def __init__(self) -> None:
        self._courses: dict[Path, RunCourse] = {}
        self._without_curves: dict[Path, RunCourse] = {}
        self._summaries: dict[Path, tuple[tuple[int, int, int] | None, CourseSummary]] = {}
        self._following, self._summing_up = threading.Lock(), threading.Lock()

    def follow(self, events: Path) -> RunCourse:
        """The course of a run up to now. Raises RunError where it cannot be read."""
        with self._following:
            course = self._courses.pop(events, None) or RunCourse(events)
            course.follow()
            self._courses[events] = course  # the last one used stands last
            while len(self._courses) > MOST_FOLLOWED:
                del self._courses[next(iter(self._courses))]
        return course

    def summary(self, events: Path) -> CourseSummary:
        """How far a run is. Its events are read only where they have changed. Raises RunError where they cannot be read."""
        state = _state(events)
        known = self._summaries.get(events)
        if known is None or known[0] != state:
            with self._summing_up:
                course = self._without_curves.setdefault(events, RunCourse(events, curves=False))
                course.follow()
            known = self._summaries[events] = state, CourseSummary(
                course.planned, course.last_step, course.ending, course.last_time, len(course.checkpoints), len(course.samples),
                course.validations[-1] if course.validations else None,
            )  # fmt: skip
        return known[1]


def _state(events: Path) -> tuple[int, int, int] | None:
    """Another one whenever a run's events have changed."""
    try:
        facts = os.stat(events)
    except OSError:
        return None
    return facts.st_ino, facts.st_size, facts.st_mtime_ns
