"""The driver of a run over several machines, which belongs to the Ray cluster: `python -m lorasmith.training.ray_driver`, started by
`run_over_ray`, with which it speaks through pipes (`distributed.driver`).

It has Ray Train place the run's processes, hands on what they send and what is requested, and when the program that started it ends, has
them end. Told to, Ray Train gives its place in the cluster back; where the driver ends without a word, `distributed.place` does.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lorasmith.cluster import imported, joined
from lorasmith.command_line import quoted
from lorasmith.errors import LorasmithError, RunError
from lorasmith.imports import without_collection
from lorasmith.training import events
from lorasmith.training.commands import COMMANDS, Commands, send
from lorasmith.training.distributed.driver import Program, hand_over
from lorasmith.training.distributed.lost import LOST
from lorasmith.training.records.run_folder import RunFolder

MARK = ".ray-"
"""How the folder is called by which a node is known to see the run's."""
LOOK = 0.2
"""Seconds between two looks at what the processes have sent."""
TRIES = 5
"""How often in a row the processes may end without a state being saved in between."""
END_WITHIN = 30.0
"""Seconds for the processes to end by themselves once the run is over; they may be loading a model, and are ended then."""
SILENT = 30.0
"""Seconds without one after which nobody is at work who could act on a request."""


def main() -> None:
    """Lead the run that the program asks for to its end, and say how it ended when nothing of it is left in the cluster."""
    order, program = hand_over()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the program decides what that means
    try:
        program.end(lead(order, program))
    except LorasmithError as error:
        program.end(error)


def lead(order: dict[str, Any], program: Program) -> Any:
    """The run over the cluster; returns what process 0 gave as the outcome, None where a stop was requested while nobody was at work.

    Raises InputError where the cluster, or one of its nodes, cannot do it, RunError where the run could not go on.
    """
    folder = RunFolder(Path(order["folder"]))
    with joined(order["address"]), _mark(folder) as mark:
        with without_collection():  # only now: they take seconds, in which an address that is wrong is not to be waited for
            imported("ray.train")
            from lorasmith.training.distributed import place, ray_nodes
            from lorasmith.training.ray_worker import work
        cluster = ray_nodes.Cluster.here()
        on_gpus = cluster.check_room(order["device"])
        wanted = f"{order['count']} on {'GPUs' if on_gpus else 'CPUs'} of the Ray cluster {cluster.address}"
        program.send(events.PhaseStarted("workers", wanted))
        mailbox = ray_nodes.open_mailbox()
        to_workers = {
            "folder": order["folder"], "working_folder": os.getcwd(), "mark": str(mark), "mailbox": mailbox, "on_gpus": on_gpus,
            "threads": os.environ.get("OMP_NUM_THREADS"), "started": order["started"],
        }  # fmt: skip
        training = ray_nodes.Training(ray_nodes.trainer(work, to_workers, on_gpus, order["count"], mark, mailbox))
        with place.given_back(training.run_id, mailbox):
            following = _Following(program, folder, mailbox, training)
            training.fit()
            return following.outcome()


class _Following:
    """A thread that hands on events and requests while Ray Train works in the main one, and has that end once the run is over."""

    def __init__(self, program: Program, folder: RunFolder, mailbox: Any, training: Any):
        self._program, self._folder, self._mailbox, self._training = program, folder, mailbox, training
        self._outcome: Any = None
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def outcome(self) -> Any:
        """What it came to; raises what ended the run otherwise."""
        self._thread.join()
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome

    def _follow(self) -> None:
        try:
            self._outcome = follow(self._program, self._folder, self._mailbox, self._training)
        except Exception as error:
            self._outcome = error
        finally:
            at_work = not isinstance(self._outcome, RunError) and self._outcome is not None
            self._training.end(END_WITHIN if at_work else 0)


def follow(program: Program, folder: RunFolder, mailbox: Any, training: Any) -> Any:
    """Hand on events and requests until the run is over; None where nobody was at work when a stop was requested, or the program ended.

    Raises RunError where Ray Train gives up, or the processes end again and again.
    """
    import ray

    stop_sent_to = 0
    while True:
        is_over = training.is_over  # before the mailbox: what was sent until then is in it
        news = ray.get(mailbox.take.remote())
        program.send(*news.events)
        if news.outcome is not None:
            return news.outcome
        advice = f"Fix that and continue with: lorasmith resume {quoted(folder.root)} --ray auto"
        if news.failures >= TRIES:
            raise RunError(
                f"The processes of the run have ended {news.failures} times in a row before a state was saved. {news.reason} {advice}",
                code=LOST,
            )
        if is_over:
            raise RunError(f"Ray Train has given up the run ({training.why().removesuffix('.')}). {advice}", code=LOST)
        pass_on(program.commands, folder)
        if program.commands.stopping:
            if not news.begun or news.silent > SILENT:
                return None
            if stop_sent_to != news.begun:  # once more to processes that were started again
                send("stop", folder.commands)
                stop_sent_to = news.begun
        if program.has_ended.wait(LOOK):
            return None


def pass_on(commands: Commands, folder: RunFolder) -> None:
    """Leave requests other than to stop where process 0 finds them, whenever it is at work."""
    for command in COMMANDS[1:]:
        if commands.take(command):
            send(command, folder.commands)


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


if __name__ == "__main__":
    main()
