"""Trials over a cluster: a task of Ray for each, on whatever node has room, over a folder that every node sees (see `ray_trial`).

Ray places them and starts those again whose node died. Trials end with the process of their sweep, and the next one has them go on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lorasmith.jobs.job import State
from lorasmith.jobs.lock import is_held
from lorasmith.jobs.result import Result
from lorasmith.jobs.sweep.nodes import nodes_of
from lorasmith.jobs.sweep.ray_trial import FOLDER, RayTrial, train_trial
from lorasmith.jobs.sweep.runner import TrialState, TrialStatus
from lorasmith.jobs.sweep.sharing import Needs, at_once
from lorasmith.training.settings.tree import Settings

STATES: Mapping[State, TrialState] = {"done": "done", "failed": "failed", "stopped": "paused"}


class RayRunner:
    """A `TrialRunner` over the cluster that this process belongs to."""

    def __init__(self, ray: Any, sweep: Path, needs: Needs):
        """`sweep` is the folder in which those of its trials are, below the current one or whole; `needs` is what each trial is given."""
        self._ray, self._sweep, self._needs = ray, sweep, needs
        self._tasks: dict[Path, Any] = {}
        """What this process has asked Ray for and that has not ended, in that order."""
        self._train = ray.remote(max_calls=1, max_retries=-1)(train_trial)  # a process for each; what fails by itself returns

    def submit(self, folder: Path, settings: Settings, effort: str) -> None:
        self._trial(folder).write(settings, effort)
        self._start(folder)

    def look(self) -> Mapping[Path, TrialStatus]:
        room = at_once(nodes_of(self._ray), self._needs)
        found: dict[Path, TrialStatus] = {}
        for folder in self._known():
            found[folder] = self._status(folder)
            room -= found[folder].state == "running"
        for folder in [folder for folder in self._tasks if found[folder].state == "waiting"][: max(0, room)]:
            found[folder] = TrialStatus("running")  # its process is being started
        return found

    def pause(self, folder: Path) -> None:
        self._trial(folder).stop.touch()

    def resume(self, folder: Path) -> None:
        if folder in self._tasks and self._trial(folder).ended is None:
            self._trial(folder).stop.unlink(missing_ok=True)
        else:
            self._start(folder)

    def _start(self, folder: Path) -> None:
        trial = self._trial(folder)
        trial.begin_anew()
        task = self._train.options(num_cpus=self._needs.cpus, num_gpus=self._needs.cards, name=f"{self._sweep.name} {folder.name}")
        self._tasks[folder] = task.remote(str(Path.cwd()), str(self._sweep), folder.name, self._needs.cards)

    def _status(self, folder: Path) -> TrialStatus:
        trial = self._trial(folder)
        ended = trial.ended or self._ended_without_a_word(folder)
        if ended is not None:
            self._tasks.pop(folder, None)
            return TrialStatus(STATES[ended.state], ended.sentence)
        if folder not in self._tasks:  # an earlier process asked for it, and it ended with that
            return TrialStatus("paused")
        if is_held(trial.job.lock):
            return TrialStatus("running")
        return TrialStatus("paused" if trial.stop.exists() else "waiting")

    def _ended_without_a_word(self, folder: Path) -> Result | None:
        """How a task of this process ended that could not say so in the folder, or that Ray has given up."""
        task = self._tasks.get(folder)
        if task is None or not self._ray.wait([task], timeout=0)[0]:
            return None
        trial = self._trial(folder)
        try:
            result = Result(**self._ray.get(task))
        except self._ray.exceptions.RayError as error:
            why = (str(error).strip().splitlines() or [type(error).__name__])[-1]
            result = Result("failed", f"Ray gave it up ({why.rstrip('.')}). Its log may say more: {trial.job.log}")
        return trial.ended or (result if result.state == "stopped" else trial.end(result))

    def _known(self) -> Iterator[Path]:
        """The trials that were ever submitted."""
        place = self._sweep / FOLDER
        names = sorted(each.name for each in place.iterdir() if each.is_dir()) if place.is_dir() else []
        return (self._sweep / name for name in names)

    def _trial(self, folder: Path) -> RayTrial:
        return RayTrial(self._sweep / FOLDER / folder.name)
