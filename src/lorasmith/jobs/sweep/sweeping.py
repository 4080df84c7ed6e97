"""A sweep under way: trials are begun, ruled out, and waited for, until all have ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lorasmith.jobs.sweep.outcome import TrialOutcome, judged_run, outcome_of
from lorasmith.jobs.sweep.rulings import Begun, Rulings
from lorasmith.jobs.sweep.runner import TrialRunner, TrialStatus
from lorasmith.jobs.sweep.search import Tried, search_of
from lorasmith.jobs.sweep.sweep_file import Sweep
from lorasmith.jobs.sweep.sweep_folder import SweepFolder
from lorasmith.jobs.sweep.trials import in_words, trial_of, with_values
from lorasmith.progress import Cancelled, Progress
from lorasmith.training.settings.tree import Settings

LOOK_EVERY = 1.0
"""Seconds between two looks at the trials."""
ASK_EVERY = 0.1
"""Seconds between two looks whether to stop: who cancels a job waits half a second."""
SAVE_EVERY = 60.0
"""Seconds after which the time of work is written down."""
SENTENCES = {
    "running": "Trial {number} begins: {values}.",
    "failed": "Trial {number} failed: {reason}",
    "done": "Trial {number} is judged.",
}
"""What is said when a trial comes into a state."""


@dataclass
class Sweeping:
    """A sweep under way."""

    sweep: Sweep
    folder: SweepFolder
    runner: TrialRunner
    progress: Progress | None
    say: Callable[[str], None]
    _said: dict[int, str] = field(default_factory=dict)
    """Trial -> the state that was reported last."""
    _counted: float = field(default_factory=time.monotonic)
    """Until when the time of work is counted."""

    def __post_init__(self) -> None:
        self.search, self.rulings = search_of(self.sweep), Rulings(self.sweep.file)

    def work(self, cancelled: Cancelled) -> bool:
        """Until every trial has ended, or it is cancelled; whether they all have."""
        self._go_on(cancelled)
        self._counted = time.monotonic()
        while not cancelled():
            statuses = self.runner.look()
            self._report(statuses)
            self._rule_out(statuses)
            if self._submit_next(statuses):
                continue
            if not any(one.state in ("waiting", "running") for one in statuses.values()):
                self._save()
                return not any(self._unfinished(path, one) for path, one in statuses.items())
            if time.monotonic() - self._counted > SAVE_EVERY:
                self._save()
            self._wait(cancelled)
        self._pause()
        return False

    # -- one step of it each --

    def _go_on(self, cancelled: Cancelled) -> None:
        """Take up what an earlier process left: submit what it had only written down, resume what was paused, or is about to be."""
        statuses = self.runner.look()
        while any(one.ending for one in statuses.values()) and not cancelled():
            self._wait(cancelled)
            statuses = self.runner.look()
        for number, path in self._numbered():
            if cancelled():
                return
            if path not in statuses and number not in self.folder.record.ruled_out and judged_run(path) is None:
                self._submit(number, path)
            elif path in statuses and self._unfinished(path, statuses[path]):
                self.runner.resume(path)

    def _submit_next(self, statuses: Mapping[Path, TrialStatus]) -> bool:
        """Begin one more trial where none waits, so that the next free device finds one."""
        record = self.folder.record
        if any(one.state == "waiting" for one in statuses.values()):
            return False
        if len(record.trials) < self.sweep.trials and not self._out_of_time:
            record.trials.append(self.search.next(self._tried(statuses)))
            number = len(record.trials)
            self._save()
            self._submit(number, self.folder.trial(number))
            return True
        return self._begin_winner(statuses)

    def _begin_winner(self, statuses: Mapping[Path, TrialStatus]) -> bool:
        """Train the winner in full, where trials were short and all have ended."""
        record = self.folder.record
        if self.sweep.file.share == 1 or record.full is not None or any(one.state == "running" for one in statuses.values()):
            return False
        best = outcome_of(self.sweep, self.folder, statuses).recommended
        if best is None:
            return False
        record.full = best.number
        self._save()
        self.say(f"{best.name.capitalize()} is trained in full: {in_words(best.values)}.")
        self._submit(None, self.folder.in_full)
        return True

    def _rule_out(self, statuses: Mapping[Path, TrialStatus]) -> None:
        """Stop trials that held-out pictures rule out."""
        record = self.folder.record
        begun = [Begun(number, self.folder.trial(number), values) for number, values in enumerate(record.trials, 1)]
        running = [one for one in begun if one.folder in statuses and statuses[one.folder].state == "running"]
        for number, ruling in self.rulings.look(begun, [one for one in running if one.number not in record.ruled_out]):
            record.ruled_out[number], record.rulings[number] = str(ruling), ruling.said.as_data
            self._save()
            self.say(f"Trial {number}: {ruling}")
        for one in running:
            if one.number in record.ruled_out:  # just now, or before a process that could not ask it any more
                self.runner.pause(one.folder)

    def _pause(self) -> None:
        """Have every trial save and end."""
        for path, status in self.runner.look().items():
            if status.state in ("waiting", "running"):
                self.runner.pause(path)
        while any(status.state == "running" for status in self.runner.look().values()):
            time.sleep(LOOK_EVERY)
        self._save()

    # -- what they need --

    @staticmethod
    def _wait(cancelled: Cancelled) -> None:
        """Until it is time to look again, or to stop."""
        until = time.monotonic() + LOOK_EVERY
        while time.monotonic() < until and not cancelled():
            time.sleep(ASK_EVERY)

    def _save(self) -> None:
        """Write down what is remembered, with the time up to now."""
        now = time.monotonic()
        self.folder.record.seconds, self._counted = self.folder.record.seconds + now - self._counted, now
        self.folder.save()

    def _numbered(self) -> list[tuple[int | None, Path]]:
        record = self.folder.record
        numbered: list[tuple[int | None, Path]] = [(number, self.folder.trial(number)) for number in range(1, len(record.trials) + 1)]
        return numbered if record.full is None else [*numbered, (None, self.folder.in_full)]

    def _submit(self, number: int | None, path: Path) -> None:
        self.runner.submit(path, self._settings_of(number), self.sweep.file.effort)

    def _settings_of(self, number: int | None) -> Settings:
        record = self.folder.record
        if number is None:
            assert record.full is not None, "the winner is known"
            return with_values(self.sweep.settings, record.trials[record.full - 1], "The winner in full")
        return trial_of(self.sweep, number, record.trials[number - 1]).settings

    def _unfinished(self, path: Path, status: TrialStatus) -> bool:
        """Whether a trial was paused for another reason than that it was ruled out."""
        ruled_out = {self.folder.trial(number) for number in self.folder.record.ruled_out}
        return status.state == "paused" and path not in ruled_out

    @property
    def _out_of_time(self) -> bool:
        hours = self.sweep.file.hours
        return hours is not None and self.folder.record.seconds > hours * 3600

    def _tried(self, statuses: Mapping[Path, TrialStatus]) -> list[Tried]:
        """What a guided search is told. Planned trials need no more than their count, and nobody reads their folders."""
        if self.sweep.file.search != "tpe":
            return [Tried(values, "not yet") for values in self.folder.record.trials]
        return [_tried(one) for one in outcome_of(self.sweep, self.folder, statuses).trials if one.number is not None]

    def _report(self, statuses: Mapping[Path, TrialStatus]) -> None:
        """Say which trials have begun or ended, and how far all are."""
        record = self.folder.record
        for number, values in enumerate(record.trials, 1):
            status = statuses.get(self.folder.trial(number))
            if status is not None and self._said.get(number) != status.state and number not in record.ruled_out:
                self._said[number] = status.state
                if sentence := SENTENCES.get(status.state):
                    self.say(sentence.format(number=number, values=in_words(values), reason=status.reason))
        if self.progress is not None:
            at_rest = sum(one.state not in ("waiting", "running") for one in statuses.values())
            self.progress(at_rest, self.sweep.trials + (self.sweep.file.share < 1))


def _tried(one: TrialOutcome) -> Tried:
    if one.score is not None:
        return Tried(dict(one.values), "judged", one.score)
    if one.state == "ruled out":
        return Tried(dict(one.values), "ruled out")
    return Tried(dict(one.values), "without a score" if one.state in ("done", "failed", "cancelled") else "not yet")
