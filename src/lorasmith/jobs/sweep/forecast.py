"""What a sweep will take, before anything runs: trials, time, memory, disk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from lorasmith.evaluation.proof.forecast import forecast_proof
from lorasmith.jobs.devices import accelerators
from lorasmith.jobs.sweep.search import check_search
from lorasmith.jobs.sweep.sharing import Node, at_once, memory_of_trial, needs_of_trial
from lorasmith.jobs.sweep.sweep_file import Sweep
from lorasmith.jobs.sweep.trials import Trial, check_trials, planned_values, samples_of_search, trial_of
from lorasmith.pages.numbers import count
from lorasmith.training.forecast.report import make_report, size_in_words, time_in_words
from lorasmith.training.planning.check import check
from lorasmith.training.settings.places import starting_from

ESTIMATED = 4
"""Trials that are estimated, spread evenly over all."""


@dataclass(frozen=True)
class SweepForecast:
    """What a sweep will take if no trial is stopped early; seconds, memory and disk are None where a base lacks parts."""

    trials: int
    in_full: bool
    """Whether the winner is trained in full at the end."""
    steps: int
    """Of all trainings together, that in full included."""
    devices: int
    held_out: bool
    """Whether every trial has pictures by which trials can be stopped early."""
    estimated: int
    """How many trials the estimates are from."""
    seconds: float | None
    """Of training on all devices, the winner in full included; without the proofs where their time is not known."""
    proofs: bool
    """Whether `seconds` includes the proofs."""
    memory: int | None
    """Bytes, of the largest trial."""
    disk: int | None
    """Bytes that the sweep will write."""

    @property
    def as_data(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)

    def __str__(self) -> str:
        full = ", then the winner in full" if self.in_full else ""
        lines = [f"trials  {count(self.trials, 'trial')}{full}, {self.devices} at once", f"steps   {self.steps:,} in all"]
        if self.seconds is not None:
            of = "training and proofs" if self.proofs else "training (how long the proofs take is not known)"
            lines.append(
                f"time    about {time_in_words(self.seconds)} for {of}, if none is stopped early (from {count(self.estimated, 'trial')})"
            )
        if self.memory is not None and self.disk is not None:
            lines += [f"memory  about {size_in_words(self.memory)} for the largest", f"disk    about {size_in_words(self.disk)}"]
        if not self.held_out:
            lines.append("No trial is stopped early: nothing is held out. Set pictures aside with: lorasmith layout DATASET --holdout 0.1")
        return "\n".join(lines)


def forecast_sweep(sweep: Sweep, nodes: Sequence[Node] | None = None, workspace: Path = Path(), estimate: bool = True) -> SweepForecast:
    """Check every trial, and estimate some; `nodes` are those of a cluster that trains them, without which this machine does.

    Relative paths in the settings start from the workspace. Without `estimate` nothing is said of time, memory and disk, and torch is not imported.

    Raises:
        InputError: a trial could not work, or not be judged, or the search lacks a package.
    """
    check_search(sweep.file.search)
    settings = starting_from(workspace, sweep.settings)
    trials = [replace(trial, settings=starting_from(workspace, trial.settings)) for trial in _trials(sweep)]
    checked = check_trials(trials)
    held_out = all(one.validation_set is not None for one in checked)
    in_full = sweep.file.share < 1
    steps = round(sweep.trials * fmean(one.plan.steps for one in checked)) + (check(settings).plan.steps if in_full else 0)
    if not estimate:
        return SweepForecast(sweep.trials, in_full, steps, len(accelerators()), held_out, 0, None, False, None, None)
    spread = _spread(trials)
    costs = [_cost(trial, sweep.file.effort) for trial in spread]
    known = [cost for cost in costs if cost is not None]
    share = sweep.file.share
    largest = None if len(known) < len(costs) else max(cost.of_trial for cost in known)
    devices = len(accelerators()) if nodes is None else max(1, at_once(nodes, needs_of_trial(nodes, largest)))
    plan = SweepForecast(sweep.trials, in_full, steps, devices, held_out, len(spread), None, False, None, None)
    if len(known) < len(costs):
        return plan
    lengths = sweep.trials + (1 / share if plan.in_full else 0)
    return replace(
        plan, seconds=lengths / devices * fmean(cost.training + (cost.proof or 0.0) for cost in known),
        proofs=all(cost.proof is not None for cost in known), memory=max(cost.memory for cost in known),
        disk=round(lengths * fmean(cost.disk for cost in known)),
    )  # fmt: skip


def memory_of_trials(sweep: Sweep) -> int | None:
    """Bytes that the largest trial takes at most, of those that are estimated; None where a base lacks parts."""
    costs = [_cost(trial, sweep.file.effort) for trial in _spread(_trials(sweep))]
    return None if None in costs else max(cost.of_trial for cost in costs if cost is not None)


def _trials(sweep: Sweep) -> list[Trial]:
    """All of them; of a search that chooses as it goes, what is checked before it."""
    planned = [trial_of(sweep, number, values) for number, values in enumerate(planned_values(sweep), 1)]
    return planned or samples_of_search(sweep)


def _spread(trials: Sequence[Trial]) -> Sequence[Trial]:
    return trials[:: math.ceil(len(trials) / ESTIMATED)]


@dataclass(frozen=True)
class _Cost:
    """Of one trial, in seconds and bytes; `proof` is None where that is not known."""

    training: float
    proof: float | None
    memory: int
    disk: int
    of_trial: int
    """Bytes that training and proof take at most."""


def _cost(trial: Trial, effort: str) -> _Cost | None:
    """None where the base lacks parts."""
    report = make_report(trial.settings)
    if report.forecast is None:
        return None
    forecast, proof = report.forecast, forecast_proof(report, effort)
    of_trial = memory_of_trial(forecast.memory.peak, trial.settings.training.mixed_precision == "no")
    return _Cost(forecast.duration.total, proof.seconds, forecast.memory.peak, forecast.files.total, of_trial)
