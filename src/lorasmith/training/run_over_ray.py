"""A run whose processes are on the nodes of a Ray cluster.

The program that the user started holds the run's lock, shows its events and passes requests on; the run itself is in the processes that Ray
Train places (`ray_worker`). Process 0 writes the run's folder, which is on storage that every node sees. Where a process ends, all begin anew
from the run's last saved state, as many as there is room for: a step is the same for any number of them (`Plan.batches_of`).
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from lorasmith.cluster import imported
from lorasmith.errors import LorasmithError, RunError
from lorasmith.imports import without_collection
from lorasmith.training import events
from lorasmith.training.commands import COMMANDS, Commands, drop_all, send
from lorasmith.training.distributed.process_group import LOST
from lorasmith.training.events import Emitter, Listener
from lorasmith.training.learner.saved_states import newest_step
from lorasmith.training.planning.check import CheckedRun
from lorasmith.training.records.event_log import EventLog, read_history
from lorasmith.training.records.run_folder import RunFolder

MARK = ".ray-"
"""How the folder is called by which a node is known to see the run's."""
LOOK = 0.2
"""Seconds between two looks at what the processes have sent."""
TRIES = 5
"""How often in a row the processes may end without a state being saved in between."""
END_WITHIN = 30.0
"""Seconds for Ray Train to end once the run is complete: left in the midst, it keeps its place in the cluster for three minutes."""
SILENT = 30.0
"""Seconds without one after which nobody is at work who could act on a request."""


def run_over_ray(
    checked: CheckedRun, folder: RunFolder, listeners: Iterable[Listener], commands: Commands, address: str, started: float, module: str
) -> Any:
    """The run over the cluster at `address`, seen from the program that the user started, to its end or until a request stops it.

    Its processes execute `work` of the module `module`. Returns what process 0 gave as the outcome; None where a stop was requested while
    nobody was at work.
    """
    with without_collection():
        imported("ray.train")
        from lorasmith.training.distributed import ray_nodes

    training = checked.settings.training
    emit = Emitter(listeners)
    drop_all(folder.commands)
    try:
        with ray_nodes.connected(address) as cluster, _mark(folder) as mark:
            on_gpus = cluster.check_room(training.device)
            wanted = f"{training.num_processes} on {'GPUs' if on_gpus else 'CPUs'} of the Ray cluster {cluster.address}"
            emit(events.PhaseStarted("workers", wanted))
            mailbox = ray_nodes.open_mailbox()
            order = {
                "folder": str(folder.root), "working_folder": os.getcwd(), "mark": str(mark), "mailbox": mailbox, "on_gpus": on_gpus,
                "threads": os.environ.get("OMP_NUM_THREADS"), "started": time.time() - (time.monotonic() - started),
            }  # fmt: skip
            at_work = ray_nodes.start(import_module(module).work, order, on_gpus, training.num_processes, mark, mailbox)
            outcome = _follow(folder, emit, commands, mailbox, at_work)
            if not isinstance(outcome, LorasmithError) and outcome is not None and outcome.finished:
                at_work.wait(END_WITHIN)
    except RunError as error:
        if folder.events.exists():
            _log(folder, events.Stopped(newest_step(folder.state), str(error), error.code))
        raise
    if isinstance(outcome, LorasmithError):
        if folder.events.exists() and not any(isinstance(event, events.Stopped) for _, event in read_history(folder.events)[-1:]):
            _log(folder, events.Stopped(newest_step(folder.state), str(outcome), outcome.code))  # what another one than process 0 said
        raise outcome
    if outcome is None:
        step = newest_step(folder.state)
        stopped = events.Stopped(
            step, f"Stopped after step {step}, before the workers had begun. Continue with: lorasmith resume {folder.root}"
        )
        _log(folder, stopped)
        emit(stopped)
    return outcome


def _follow(folder: RunFolder, emit: Emitter, commands: Commands, mailbox: Any, at_work: Any) -> Any:
    """Hand on events and requests until the run is over; None where a stop was requested while nobody was at work.

    Raises RunError where Ray Train gives up, or the processes end again and again.
    """
    import ray

    stop_sent_to = 0
    while True:
        is_over = at_work.is_over  # before the mailbox: what was sent until then is in it
        news = ray.get(mailbox.take.remote())
        emit(*news.events)
        if news.outcome is not None:
            return news.outcome
        advice = f"Fix that and continue with: lorasmith resume {folder.root} --ray auto"
        if news.failures >= TRIES:
            raise RunError(
                f"The processes of the run have ended {news.failures} times in a row before a state was saved. {news.reason} {advice}",
                code=LOST,
            )
        if is_over:
            raise RunError(f"Ray Train has given up the run ({at_work.why().removesuffix('.')}). {advice}", code=LOST)
        for command in COMMANDS[1:]:
            if commands.take(command):
                send(command, folder.commands)
        if commands.stopping:
            if not news.begun or news.silent > SILENT:
                return None
            if stop_sent_to != news.begun:  # again to those that begin anew
                send("stop", folder.commands)
                stop_sent_to = news.begun
        time.sleep(LOOK)


@contextmanager
def _mark(folder: RunFolder) -> Iterator[Path]:
    """A folder of a new name within the run's, so that whoever sees it sees the same storage; gone with the block."""
    for left in folder.state.glob(f"{MARK}*"):
        shutil.rmtree(left, ignore_errors=True)
    mark = folder.state / f"{MARK}{secrets.token_hex(4)}"
    mark.mkdir(parents=True)
    try:
        yield mark
    finally:
        shutil.rmtree(mark, ignore_errors=True)


def _log(folder: RunFolder, event: events.Event) -> None:
    """Record what the processes, which have ended, could not."""
    log = EventLog(folder.events)
    log(event)
    log.close()
