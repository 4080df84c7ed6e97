"""How the trials of a sweep are, for whoever looks on: nothing is begun, and the sweep's own process is not needed.

What the queue of the workspace knows, and what trials over a cluster have left in the sweep's folder; one sweep may have had both.
"""

from __future__ import annotations

from pathlib import Path

from lorasmith.jobs.lock import is_held
from lorasmith.jobs.queue import Queue
from lorasmith.jobs.sweep.queue_runner import statuses_in_queue
from lorasmith.jobs.sweep.ray_runner import STATES
from lorasmith.jobs.sweep.ray_trial import FOLDER, RayTrial
from lorasmith.jobs.sweep.runner import TrialState, TrialStatus
from lorasmith.jobs.sweep.sweep_folder import LOCK

FURTHEST: tuple[TrialState, ...] = ("done", "running", "waiting", "failed", "paused", "cancelled")
"""Of two that know the same trial, the one that is further here is right."""


def is_worked_on(sweep: Path) -> bool:
    """Whether a process works on the sweep in a folder."""
    return is_held(sweep / LOCK)


def statuses_of(queue: Queue, sweep: Path) -> dict[Path, TrialStatus]:
    """How the trials of the sweep in a folder are, by their folders."""
    found = statuses_in_queue(queue, sweep)
    for folder, status in _over_ray(sweep).items():
        known = found.setdefault(folder, status)
        found[folder] = min(known, status, key=lambda one: FURTHEST.index(one.state))
    return found


def _over_ray(sweep: Path) -> dict[Path, TrialStatus]:
    """Those that were ever submitted to a cluster."""
    place, worked_on = sweep / FOLDER, is_worked_on(sweep)
    names = sorted(each.name for each in place.iterdir() if each.is_dir()) if place.is_dir() else []
    return {sweep / name: _of_trial(RayTrial(place / name), worked_on) for name in names}


def _of_trial(trial: RayTrial, worked_on: bool) -> TrialStatus:
    if (ended := trial.ended) is not None:
        return TrialStatus(STATES[ended.state], ended.sentence)
    if is_held(trial.job.lock):
        return TrialStatus("running")
    return TrialStatus("waiting" if worked_on and not trial.stop.exists() else "paused")
