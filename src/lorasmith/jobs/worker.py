"""The process of one job: it does the work, looks at what was asked of it meanwhile, and records how it ended.

    python -m lorasmith.jobs.worker WORKSPACE JOB ATTEMPT LOCK

The supervisor starts it, apart from itself, and hands it the job's lock. What it prints is the
job's log. It may be killed at any moment: the job is then continued by another one.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from lorasmith.errors import LorasmithError
from lorasmith.jobs.job import ANSWERED, State
from lorasmith.jobs.journal import Ended, Journal
from lorasmith.jobs.kind import Kind
from lorasmith.jobs.lock import keep_lock
from lorasmith.jobs.queue import Queue
from lorasmith.jobs.result import Result, result_of
from lorasmith.jobs.work import Work
from lorasmith.lock_holder import name_this_program

log = logging.getLogger("lorasmith.jobs.worker")  # also where it is the program itself

LOOK_EVERY = 0.1
"""Seconds between two looks at what was asked of the job."""


def run_job(workspace: Path, id: int, kinds: Mapping[str, Kind]) -> State:
    """Do the work of a job that this process was started for; returns the state in which it is then."""
    with Queue(workspace) as queue:
        job = queue.get(id)
        queue.started(id, os.getpid())
        work = Work(queue.workspace.job(id), job=job)
        ended = threading.Event()
        terminated = _stop_when_terminated(work)
        threading.Thread(target=_watch, args=(queue, id, work, ended), daemon=True).start()
        result = result_of(kinds, job.kind, job.arguments, work, f"lorasmith jobs log {job.id}")
        ended.set()
        if result.state == "stopped":
            asked = ANSWERED.get(queue.get(id).state)
            result = (
                Result("interrupted", "The system asked its process to end.")
                if asked is None and terminated()
                else Result(asked or "stopped")
            )
        log.info("%s: %s. %s", job, result.state, result.sentence)
        row = queue.end(id, result.state, result.sentence, result.outcome, job.interrupted_at if result.state == "interrupted" else "")
        Journal(work.folder.events)(Ended(row.state, row.sentence, row.outcome))
        return row.state


def _watch(queue: Queue, id: int, work: Work, ended: threading.Event) -> None:
    """Pass requests made of the job on to its work, until it has ended."""
    while not ended.wait(LOOK_EVERY):
        try:
            if queue.get(id).state in ANSWERED:
                work.stop()
            for command in queue.commands(id):
                {"save": work.commands.save, "sample": work.commands.sample}[command]()
        except LorasmithError as error:  # a full disk; the work itself goes on
            log.warning("%s", error)
            ended.wait(1.0)


def _stop_when_terminated(work: Work) -> Any:
    """Have SIGTERM, which a shutdown sends, stop the work; returns a function that says whether that has happened."""
    terminated = threading.Event()

    def handler(signum: int, frame: FrameType | None) -> None:
        terminated.set()
        work.stop()

    signal.signal(signal.SIGTERM, handler)
    return terminated.is_set


def _is_wanted(workspace: Path, id: int, attempt: int, lock: str) -> bool:
    """Take over the job's lock; False where the supervisor has died meanwhile and the next one started another process for the job."""
    with Queue(workspace) as queue:
        wanted = keep_lock(queue.workspace.job(id).lock, lock) and queue.get(id).attempts == attempt
    if not wanted:
        log.warning("Another process was started for this job meanwhile, so this one ends.")
    return wanted


def main(arguments: Sequence[str], kinds: Mapping[str, Kind]) -> None:
    """Work on the job that the command line names."""
    workspace, id, attempt, lock = arguments
    name_this_program(f"job {id}")
    os.chdir(workspace)  # where the arguments' paths start
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", stream=sys.stdout)
    logging.getLogger("lorasmith").setLevel(logging.INFO)
    if _is_wanted(Path(workspace), int(id), int(attempt), lock):
        run_job(Path(workspace), int(id), kinds)


if __name__ == "__main__":
    from lorasmith.jobs.kinds.registry import KINDS

    main(sys.argv[1:], KINDS)
