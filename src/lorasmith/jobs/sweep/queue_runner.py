"""Trials through the job queue of a workspace: a training job each, one on each device, among the other jobs of the workspace."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from lorasmith.jobs.job import ACTIVE, ANSWERED, WAITING, Job, State
from lorasmith.jobs.queue import Queue
from lorasmith.jobs.supervisor_process import start_supervisor
from lorasmith.jobs.sweep.runner import TRAIN, TrialState, TrialStatus, arguments_of
from lorasmith.training.settings.tree import Settings

SEE_TO_IT_EVERY = 10.0
"""Seconds after which it is looked whether somebody still works through the queue."""
STATES: Mapping[State, TrialState] = {
    **dict.fromkeys(WAITING, "waiting"), **dict.fromkeys(ACTIVE, "running"),
    "paused": "paused", "stopped": "paused", "done": "done", "failed": "failed", "cancelled": "cancelled",
}  # fmt: skip


class QueueRunner:
    """A `TrialRunner` over the queue of a workspace."""

    def __init__(self, queue: Queue, sweep: Path, start: Callable[[str | Path], object] = start_supervisor, job: Job | None = None):
        """`sweep` is the folder in which those of its trials are; `start` sees to it that jobs are worked on; `job` is the sweep's own.

        Trials that another job or program has begun are this one's from now on.
        """
        self.queue, self._sweep, self._start, self._job = queue, sweep, start, job
        self._started = -math.inf
        queue.take_over([trial.id for trial in self._jobs().values()], job)

    def submit(self, folder: Path, settings: Settings, effort: str) -> None:
        project, begun_by = ("", None) if self._job is None else (self._job.project, self._job.id)
        arguments = arguments_of(folder, settings, effort, self.queue.workspace.root)
        self.queue.add(TRAIN, arguments, needs="accelerator", project=project, begun_by=begun_by)
        self._see_to_it()

    def look(self) -> Mapping[Path, TrialStatus]:
        found = statuses_in_queue(self.queue, self._sweep)
        if time.monotonic() - self._started > SEE_TO_IT_EVERY and any(one.state in ("waiting", "running") for one in found.values()):
            self._see_to_it()  # the machine may have been switched off, or the supervisor killed
        return found

    def pause(self, folder: Path) -> None:
        job = self._jobs()[folder]
        if job.state in (*WAITING, "running"):
            self.queue.request(job.id, "pause")
            self._see_to_it()

    def resume(self, folder: Path) -> None:
        self.queue.resume(self._jobs()[folder].id)
        self._see_to_it()

    def _see_to_it(self) -> None:
        self._started = time.monotonic()
        self._start(self.queue.workspace.root)

    def _jobs(self) -> dict[Path, Job]:
        return jobs_of_trials(self.queue, self._sweep)


def jobs_of_trials(queue: Queue, sweep: Path) -> dict[Path, Job]:
    """The latest job of each trial of the sweep in a folder, which is below the workspace or whole; by the trial's folder in that form."""
    root = queue.workspace.root
    found = ((folder_of(job), job) for job in sorted(queue.jobs(), key=lambda job: job.id))
    return {sweep / folder.name: job for folder, job in found if folder is not None and (root / folder).parent == root / sweep}


def statuses_in_queue(queue: Queue, sweep: Path) -> dict[Path, TrialStatus]:
    """How the trials of a sweep are that the queue of a workspace knows. Nothing is started."""
    return {
        folder: TrialStatus(STATES[job.state], job.sentence, job.state in ANSWERED) for folder, job in jobs_of_trials(queue, sweep).items()
    }


def folder_of(job: Job) -> Path | None:
    """The folder of the run that a job trains; None for other jobs."""
    place = job.arguments.get("run") or job.arguments.get("out") if job.kind == TRAIN else None
    return Path(place) if place else None
