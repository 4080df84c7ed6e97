"""Which running trials the evidence rules out now: their validations, read from their runs' events as these grow, and `asha` on them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lorasmith.jobs.sweep.asha import Ruling, ruled_out, rungs, standing
from lorasmith.jobs.sweep.sweep_file import SweepFile
from lorasmith.training.events import Planned, ValidationDone
from lorasmith.training.records.event_log import read_events
from lorasmith.training.records.run_folder import RunFolder

COMPARABLE = ("network", "optimizer", "schedule", "training")
"""Sections in which trials may differ whose held-out losses are compared; the others are about what is learnt, and how that is measured."""


@dataclass(frozen=True)
class Begun:
    """A trial that was begun."""

    number: int
    folder: Path
    values: Mapping[str, Any]

    @property
    def measured_with(self) -> str:
        """The same for all trials whose losses can be compared."""
        return json.dumps({name: value for name, value in self.values.items() if name.partition(".")[0] not in COMPARABLE}, sort_keys=True)


@dataclass
class _Course:
    """What was read of a run so far."""

    offset: int = 0
    epochs: int = 0
    validations: dict[int, ValidationDone] = field(default_factory=dict)
    """By epoch: a run that was continued may report one twice."""


class Rulings:
    """What rules trials out, as far as their runs have come."""

    def __init__(self, file: SweepFile):
        self._file = file
        self._courses: dict[int, _Course] = {}

    def look(self, begun: Sequence[Begun], running: Iterable[Begun]) -> Iterator[tuple[int, Ruling]]:
        """Each trial of `running` that is ruled out beside all that were ever `begun`, with the reason."""
        if not self._file.stop_early:
            return
        for trial in begun:
            self._read(trial)
        for trial in running:
            if ruling := self._ruling(trial, begun):
                yield trial.number, ruling

    def _ruling(self, trial: Begun, begun: Sequence[Begun]) -> Ruling | None:
        """At the last rung that the trial has come to."""
        course = self._courses[trial.number]
        reached = [
            rung
            for rung in rungs(self._file.min_epochs, self._file.reduction_factor, course.epochs)
            if rung <= max(course.validations, default=0)
        ]
        if not reached:
            return None
        at_rung = {one.number: standing(one.number, one.measured_with, self._validations(one), reached[-1]) for one in begun}
        own = at_rung.pop(trial.number)
        return None if own is None else ruled_out(own, [one for one in at_rung.values() if one is not None], self._file.reduction_factor)

    def _validations(self, trial: Begun) -> list[ValidationDone]:
        validations = self._courses[trial.number].validations
        return [validations[epoch] for epoch in sorted(validations)]

    def _read(self, trial: Begun) -> None:
        course = self._courses.setdefault(trial.number, _Course())
        events = RunFolder(trial.folder).events
        if not events.is_file():
            return
        read = read_events(events, course.offset)
        course.offset = read.next_offset
        for _, event in read.events:
            if isinstance(event, Planned):
                course.epochs = event.epochs
            elif isinstance(event, ValidationDone):
                course.validations[event.epoch] = event
