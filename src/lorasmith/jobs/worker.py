"""The process of one job: it does the work, looks at what was asked of it meanwhile, and records how it ended.

    python -m lorasmith.jobs.worker WORKSPACE JOB ATTEMPT LOCK

The supervisor starts it, apart from itself, and hands it the job's lock. What it prints is the
job's log. It may be killed at any moment: the job is then continued by another one.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from pydantic import ValidationError

from lorasmith.errors import LorasmithError
from lorasmith.jobs.job import ANSWERED, Job, State
from lorasmith.jobs.journal import Ended, Journal
from lorasmith.jobs.kinds.kind import Kind
from lorasmith.jobs.lock import keep_lock
from lorasmith.jobs.queue import Queue
from lorasmith.jobs.work import StoppedEarly, Work
from lorasmith.lock_holder import name_this_program
from lorasmith.secrets import without_secrets

log = logging.getLogger("lorasmith.jobs.worker")  # also where it is the program itself

LOOK_EVERY = 0.1
"""Seconds between two looks at what was asked of the job."""

OUT_OF_MEMORY = re.compile("out of memory|can't allocate memory", re.IGNORECASE)
"""What torch says on a GPU, and on the CPU."""
SMALLER = "End what else uses the memory, or make the job smaller."


@dataclass(frozen=True)
class Result:
    """How the work ended."""

    state: State
    sentence: str = ""
    outcome: dict[str, Any] = field(default_factory=dict)


def run_job(workspace: Path, id: int, kinds: Mapping[str, Kind]) -> State:
    """Do the work of a job that this process was started for; returns the state in which it is then."""
    with Queue(workspace) as queue:
        job = queue.get(id)
        queue.started(id, os.getpid())
        work = Work(queue.workspace.job(id))
        ended = threading.Event()
        terminated = _stop_when_terminated(work)
        threading.Thread(target=_watch, args=(queue, id, work, ended), daemon=True).start()
        result = _result(kinds, job, work)
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


def _result(kinds: Mapping[str, Kind], job: Job, work: Work) -> Result:
    """Do the work; what goes wrong becomes a sentence."""
    try:
        kind = kinds[job.kind]
        arguments = kind.arguments.model_validate(job.arguments)
    except (KeyError, ValidationError):
        log.exception("the job cannot be read")
        return Result("failed", "Another version of Lorasmith added this job, and this one cannot read it. Add it again.")
    try:
        return Result("done", outcome=kind.run(arguments, work))
    except StoppedEarly:
        return Result("stopped")
    except LorasmithError as error:
        return Result("failed", without_secrets(str(error)))
    except OSError as error:
        log.exception("the job ended")
        return Result("failed", f"{error.filename or 'A file'} could not be used ({error.strerror or error}). Fix that and retry the job.")
    except Exception as error:
        log.exception("the job ended")
        if isinstance(error, MemoryError) or OUT_OF_MEMORY.search(str(error)):
            return Result("failed", f"It ran out of memory ({_first_sentence(error)}) {SMALLER}")
        said = without_secrets(f"{type(error).__name__}: {error}")
        return Result("failed", f"Lorasmith made a mistake ({said}). The log has more: lorasmith jobs log {job.id}")


def _first_sentence(error: Exception) -> str:
    return re.split(r"(?<=\.)\s", str(error) or "the system gave none.", maxsplit=1)[0]


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
