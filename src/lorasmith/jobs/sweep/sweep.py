"""A sweep, from a file to one page: try several settings, stop what the evidence rules out, judge the others, say which to use.

    swept = sweep("rates.toml")
    swept.sentences      # "Trial 5 (optimizer.learning_rate 0.0003, ...) is recommended. ...", ...

It may be killed at any time: the same call goes on, and each trial is done once. What trains meanwhile goes on by itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from lorasmith.cluster import joined
from lorasmith.errors import SettingsError
from lorasmith.jobs.job import Job
from lorasmith.jobs.queue import Queue
from lorasmith.jobs.supervisor_process import start_supervisor
from lorasmith.jobs.sweep.forecast import memory_of_trials
from lorasmith.jobs.sweep.nodes import looked_at
from lorasmith.jobs.sweep.outcome import Swept, outcome_of
from lorasmith.jobs.sweep.page import write_sweep
from lorasmith.jobs.sweep.queue_runner import QueueRunner
from lorasmith.jobs.sweep.ray_runner import RayRunner
from lorasmith.jobs.sweep.search import check_search
from lorasmith.jobs.sweep.sharing import Node, needs_of_trial
from lorasmith.jobs.sweep.sweep_file import Sweep, load_sweep
from lorasmith.jobs.sweep.sweep_folder import SweepFolder, sweep_in
from lorasmith.jobs.sweep.sweeping import Sweeping
from lorasmith.jobs.sweep.trials import check_trials, planned_values, samples_of_search, trial_of
from lorasmith.progress import Cancelled, Progress
from lorasmith.training.settings.places import starting_from


def sweep(
    what: str | Path | Sweep, out: str | Path | None = None, *, progress: Progress | None = None, say: Callable[[str], None] = lambda words: None,
    cancelled: Cancelled = lambda: False, start: Callable[[str | Path], object] = start_supervisor, ray: str | None = None,
    job: Job | None = None,
) -> Swept:  # fmt: skip
    """Try several settings and say which to use.

    Parameters
    ----------
    what
        A sweep's file, or the folder of one that is to go on.
    out
        Its folder; without one, runs/NAME.
    progress, say
        Called with the trials that have ended and all there are; and with a sentence when one begins or ends.
    cancelled
        Asked whether to stop. Trials then save and end, and the same call goes on.
    start
        Sees to it that the jobs of a workspace are worked on.
    ray
        Train over the Ray cluster at this address (HEAD:PORT, or `auto`: the one that this machine is a node of), instead of through the
        queue of this folder. Every node has to see the sweep's folder, its pictures and its base under the same paths.
    job
        The job of the queue that this is: its trials are of its project, and are stopped where it is cancelled.

    Raises
    ------
    InputError
        The file, or one of its trials, or the cluster, cannot be used; nothing was trained.

    Examples
    --------
    >>> ls.sweep("no-such-sweep.toml")
    Traceback (most recent call last):
    lorasmith.errors.SettingsError: ...
    """
    wanted, place = opened(what, out)
    folder = SweepFolder.of(wanted, place)
    check_sweep(wanted)
    with Queue(Path()) if ray is None else joined(ray) as engine, folder.in_use():
        folder.record.complete = False
        folder.save()
        runner = QueueRunner(engine, folder.root, start, job) if isinstance(engine, Queue) else _over(engine, wanted, folder)
        sweeping = Sweeping(wanted, folder, runner, progress, say)
        complete = folder.record.complete = sweeping.work(cancelled)
        folder.save()
        swept = outcome_of(wanted, folder, sweeping.runner.look(), complete)
        write_sweep(swept)
        return swept


def _over(ray: Any, wanted: Sweep, folder: SweepFolder) -> RayRunner:
    """A runner over a cluster. Raises InputError where one of its nodes cannot take a trial."""
    nodes = looked_at(ray, Path(os.path.abspath(folder.root)))
    return RayRunner(ray, folder.root, needs_of_trial(nodes, memory_of_trials(wanted) if any(node.gpus for node in nodes) else None))


def nodes_at(address: str) -> list[Node]:
    """The nodes of a cluster. Raises InputError where there is none, or one cannot take a trial."""
    with joined(address) as ray:
        return looked_at(ray)


def opened(what: str | Path | Sweep, out: str | Path | None = None) -> tuple[Sweep, Path]:
    """The sweep of a file, or that was begun in a folder, and where its folder is."""
    if isinstance(what, Sweep):
        return what, _place(out or Path("runs") / what.name)
    if Path(what).is_dir():
        if out is not None:
            raise SettingsError(f"{what} is the folder of a sweep. Leave --out out.", code="sweep.folder", path=str(what))
        return sweep_in(what), _place(what)
    wanted = load_sweep(what)
    return wanted, _place(out or Path("runs") / wanted.name)


def _place(folder: str | Path) -> Path:
    """A folder by the one name that it has in this workspace: the jobs of its trials are found by it."""
    whole = Path(os.path.abspath(folder))
    return whole.relative_to(Path.cwd()) if whole.is_relative_to(Path.cwd()) else whole


def check_sweep(wanted: Sweep, workspace: Path = Path()) -> None:
    """Raises InputError where a trial could not work in the workspace, or the search lacks a package, before anything is trained."""
    check_search(wanted.file.search)
    planned = planned_values(wanted)
    trials = [trial_of(wanted, number, values) for number, values in enumerate(planned, 1)] or samples_of_search(wanted)
    check_trials([replace(trial, settings=starting_from(workspace, trial.settings)) for trial in trials])
