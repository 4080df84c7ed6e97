"""A trial in the process that Ray has started for it, on whatever node. It does what a job's process does, over files that all nodes see:

    runs/rates/ray/trial-1/
      trial.json        its settings, and how much is drawn to judge it
      stop              is there while the trial is to save and end
      lock              held by the process that works on it; the system lets it go when that dies
      deaths.json       where earlier processes were when they died, and where the latest one works
      ended.json        how it ended
      log.txt, events.jsonl ...   as in the folder of any job

Where a node dies, Ray starts the trial on another one, and its run goes on from its last saved state. A trial that fails by itself has
ended, and is not tried again; one whose process dies three times running at the same place, on nodes that live on, has failed.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import sys
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from lorasmith.atomic import write_atomically
from lorasmith.jobs.journal import Ended, Journal, Started, latest_progress
from lorasmith.jobs.kind import Kind
from lorasmith.jobs.lock import take_lock
from lorasmith.jobs.result import Result, result_of
from lorasmith.jobs.sweep.nodes import SHARED
from lorasmith.jobs.sweep.runner import TRAIN, arguments_of
from lorasmith.jobs.work import Work
from lorasmith.jobs.workspace import JobFolder
from lorasmith.training.settings.tree import Settings

FOLDER = "ray"
"""In a sweep's folder."""
LOOK_EVERY = 0.25
"""Seconds between two looks whether to stop."""
KINDS = f"{__package__.removesuffix('.sweep')}.kinds.registry"
"""Where the kinds of jobs are. They know sweeps, which here is one of theirs: so they are looked up when a trial begins."""
DEATHS = 3
"""Deaths of its process, one after the other at the same place, that end a trial."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RayTrial:
    """What a sweep and the process of a trial say to each other, in a folder."""

    root: Path

    @property
    def job(self) -> JobFolder:
        return JobFolder(self.root)

    @property
    def stop(self) -> Path:
        return self.root / "stop"

    @property
    def _ended(self) -> Path:
        return self.root / "ended.json"

    @property
    def _deaths(self) -> Path:
        return self.root / "deaths.json"

    def write(self, settings: Settings, effort: str) -> None:
        """Say what is to be trained."""
        self.root.mkdir(parents=True, exist_ok=True)
        said = {"settings": settings.model_dump(mode="json"), "effort": effort}
        write_atomically(self.root / "trial.json", json.dumps(said).encode())

    def read(self) -> tuple[Settings, str]:
        """The settings and the effort."""
        said = json.loads((self.root / "trial.json").read_bytes())
        return Settings.model_validate(said["settings"]), str(said["effort"])

    def begin_anew(self) -> None:
        """Forget that it was to stop, how it ended, and who died of it."""
        for file in (self.stop, self._ended, self._deaths):
            file.unlink(missing_ok=True)

    @property
    def ended(self) -> Result | None:
        """How it ended; None where it has not."""
        try:
            return Result(**json.loads(self._ended.read_bytes()))
        except FileNotFoundError:
            return None

    def end(self, result: Result) -> Result:
        """Record how it ended."""
        write_atomically(self._ended, json.dumps(vars(result)).encode())
        return result

    def begins(self, node: str, alive: Collection[str]) -> str:
        """To be called by each process before it works, with its node and those that are alive: where earlier ones died three times running,
        or nothing. A process whose node died with it did not die of the trial."""
        try:
            before = json.loads(self._deaths.read_bytes())
        except FileNotFoundError:
            places: list[str] = []
        else:
            places = before["places"]
            if before["node"] in alive:
                progress = latest_progress(self.job.events)
                places.append("its start" if progress is None else progress.place)
        write_atomically(self._deaths, json.dumps({"places": places, "node": node}).encode())
        return places[-1] if len(places) >= DEATHS and len(set(places[-DEATHS:])) == 1 else ""


def train_trial(workspace: str, sweep: str, name: str, memory_share: float) -> dict[str, Any]:
    """Train and judge a trial, or go on with it; how it ended, as `RayTrial.ended` has it.

    `sweep` is its folder, below `workspace` or whole, and `memory_share` the share of a card's memory that is the trial's.
    """
    trial = RayTrial(Path(workspace, sweep, FOLDER, name))
    if not trial.root.is_dir():
        return vars(Result("failed", f"The node {platform.node()} does not see the folder {Path(workspace, sweep)}. {SHARED}"))
    os.chdir(workspace)  # where the paths of the settings start
    while (lock := take_lock(trial.job.lock, LOOK_EVERY)) is None:  # a process that Ray has given up may not be dead yet
        if trial.stop.exists():
            return vars(Result("stopped"))
    try:
        with _logging_into(trial.job.log):
            return vars(trial.ended or trial.end(_work(trial, Path(sweep, name), memory_share, import_module(KINDS).KINDS)))
    finally:
        lock.release()


def _work(trial: RayTrial, run: Path, memory_share: float, kinds: Mapping[str, Kind]) -> Result:
    if place := trial.begins(*_node()):
        return Result("failed", f"Its process died {DEATHS} times at the same place ({place}). Its log may say why: {trial.job.log}")
    journal, work = Journal(trial.job.events), Work(trial.job)
    journal(Started(0, platform.node()))
    ended = threading.Event()
    threading.Thread(target=_watch, args=(trial, work, ended), daemon=True).start()
    _keep_to(memory_share)
    settings, effort = trial.read()
    try:
        result = result_of(kinds, TRAIN, arguments_of(run, settings, effort), work, str(trial.job.log))
    finally:
        ended.set()
    journal(Ended(result.state, result.sentence, result.outcome))
    return result


def _node() -> tuple[str, list[str]]:
    """The node that this process is on, and those that are alive."""
    ray = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        return "", [""]
    return ray.get_runtime_context().get_node_id(), [node["NodeID"] for node in ray.nodes() if node["Alive"]]


def _watch(trial: RayTrial, work: Work, ended: threading.Event) -> None:
    """Have the work stop when the trial is to, until it has ended."""
    while not ended.wait(LOOK_EVERY):
        if trial.stop.exists():
            work.stop()


def _keep_to(memory_share: float) -> None:
    """Take no more than this share of the card's memory: the rest belongs to other trials."""
    if 0 < memory_share < 1:
        import torch

        torch.get_device_module().set_per_process_memory_fraction(memory_share)


@contextmanager
def _logging_into(file: Path) -> Iterator[None]:
    """What Lorasmith says goes into the trial's log, and other libraries' warnings."""
    handler = logging.FileHandler(file, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    root, ours = logging.getLogger(), logging.getLogger("lorasmith")
    root.addHandler(handler)
    ours.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()
