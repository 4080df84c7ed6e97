"""A run whose processes are on the nodes of a Ray cluster.

The program that the user started holds the run's lock, shows its events and passes requests on. Beside it is a process of its own, the driver
(`ray_driver`), which alone imports Ray and belongs to the cluster; so this program may begin many runs, one after the other, and may belong
to a cluster itself. The run itself is in the processes that Ray Train places (`ray_worker`). Process 0 writes the run's folder, which is on
storage that every node sees. Where a process ends, all begin anew from the run's last saved state, as many as there is room for: a step is
the same for any number of them (`Plan.batches_of`).
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from lorasmith.command_line import quoted
from lorasmith.errors import LorasmithError
from lorasmith.training import events
from lorasmith.training.commands import COMMANDS, Commands, drop_all
from lorasmith.training.distributed.driver import Driver
from lorasmith.training.events import Emitter, Listener
from lorasmith.training.learner.saved_states import newest_step
from lorasmith.training.planning.check import CheckedRun
from lorasmith.training.records.event_log import EventLog, read_history
from lorasmith.training.records.run_folder import RunFolder

LOOK = 0.2
"""Seconds between two looks at what is requested."""


def run_over_ray(
    checked: CheckedRun, folder: RunFolder, listeners: Iterable[Listener], commands: Commands, address: str, started: float, module: str
) -> Any:
    """The run over the cluster at `address`, seen from the program that the user started, to its end or until a request stops it.

    The driver executes `module`. Returns what process 0 gave as the outcome; None where a stop was requested while nobody was at work.
    """
    emit = Emitter(listeners)
    drop_all(folder.commands)
    training = checked.settings.training
    order = {
        "folder": str(folder.root), "address": address, "device": training.device, "count": training.num_processes,
        "started": time.time() - (time.monotonic() - started),
    }  # fmt: skip
    advice = f"Continue with: lorasmith resume {quoted(folder.root)} --ray {quoted(address)}"
    with Driver(module, order, advice) as driver:
        outcome = _follow(driver, emit, commands)
    if isinstance(outcome, LorasmithError):
        _log_end(folder, newest_step(folder.state), outcome)
        raise outcome
    if outcome is None:
        step = newest_step(folder.state)
        stopped = events.Stopped(
            step, f"Stopped after step {step}, before the workers had begun. Continue with: lorasmith resume {quoted(folder.root)}"
        )
        _log(folder, stopped)
        emit(stopped)
    return outcome


def _follow(driver: Driver, emit: Emitter, commands: Commands) -> Any:
    """Hand on events and requests until the run is over: its outcome, or the error that ended it."""
    stop_is_sent = False
    while not driver.is_over:
        emit(*driver.events(LOOK))
        for command in COMMANDS[1:]:
            if commands.take(command):
                driver.request(command)
        if commands.stopping and not stop_is_sent:
            driver.request("stop")
            stop_is_sent = True
    return driver.outcome


def _log_end(folder: RunFolder, step: int, error: LorasmithError) -> None:
    """Record why a run that had begun has ended, where process 0 did not: another one said so, or all have ended."""
    if not folder.events.exists() or any(isinstance(event, events.Stopped) for _, event in read_history(folder.events)[-1:]):
        return
    _log(folder, events.Stopped(step, str(error), error.code))


def _log(folder: RunFolder, event: events.Event) -> None:
    """Record what the processes, which have ended, could not."""
    log = EventLog(folder.events)
    log(event)
    log.close()
