"""Kill supervisors and jobs where nobody expects it, start a supervisor as the studio would, and look at what is there in the end."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from lorasmith.jobs.job import ACTIVE, Job
from lorasmith.jobs.journal import Ended, Started, read_journal
from lorasmith.jobs.lock import is_held
from lorasmith.jobs.queue import Queue
from tests.jobs import made_up

PATIENCE = 1200.0
"""Seconds after which jobs are thought to hang."""
VICTIMS = ("supervisor", "job", "both")


def torture(workspace: Path, kills: int, rng: random.Random, pause: float = 0.6) -> list[str]:
    """Work through the queue of a workspace with kills at random moments; returns what was killed. Raises AssertionError.

    `pause` is the longest time between two kills, in seconds.
    A job that was killed twice at the same place has failed by the rules, and is retried as a user would.
    """
    killed: list[str] = []
    with Queue(workspace) as queue:
        supervisors = [_supervisor(workspace)]
        until = time.monotonic() + PATIENCE
        try:
            while any(job.state != "done" for job in queue.jobs()):
                assert time.monotonic() < until, [(str(job), job.state, job.sentence) for job in queue.jobs()]
                time.sleep(rng.uniform(0.02, pause))
                if len(killed) < kills:
                    killed += _kill(queue, supervisors, rng)
                supervisors = _one_left(supervisors) or [_supervisor(workspace), _supervisor(workspace)]
                for job in queue.jobs(["failed"]):
                    assert "the second time at the same place" in job.sentence, job.sentence
                    queue.retry(job.id)
        finally:
            for process in supervisors:
                process.kill()
                process.wait()
            for job in queue.jobs(ACTIVE):
                _kill_job(queue, job)
    return killed


def check(workspace: Path) -> None:
    """Each job was finished once, and they began in their order."""
    with Queue(workspace) as queue:
        jobs = sorted(queue.jobs(), key=lambda job: job.id)
        journals = [list(read_journal(queue.workspace.job(job.id).events).events) for job in jobs]
    for job, journal in zip(jobs, journals, strict=True):
        assert job.state == "done"
        assert sum(isinstance(event, Ended) and event.state == "done" for _, event in journal) <= 1
        assert sum(isinstance(event, Started) for _, event in journal) <= job.attempts
    for needs in ("cpu", "accelerator"):
        began = [journal[0].time for job, journal in zip(jobs, journals, strict=True) if job.needs == needs]
        assert began == sorted(began)


def _supervisor(workspace: Path) -> subprocess.Popen[bytes]:
    with (workspace / "supervisors.txt").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, made_up.__file__, "supervise", str(workspace)], cwd=workspace, stdout=output, stderr=output
        )


def _one_left(supervisors: Sequence[subprocess.Popen[bytes]]) -> list[subprocess.Popen[bytes]]:
    """The supervisors that live; of two that were started together one finds the other and leaves."""
    alive = [process for process in supervisors if process.poll() is None]
    until = time.monotonic() + PATIENCE
    while len(alive) > 1:
        assert time.monotonic() < until, "two supervisors work on one queue"
        time.sleep(0.05)
        alive = [process for process in alive if process.poll() is None]
    assert all(process.returncode in (None, made_up.SECOND, -signal.SIGKILL) for process in supervisors)
    return alive


def _kill(queue: Queue, supervisors: Sequence[subprocess.Popen[bytes]], rng: random.Random) -> list[str]:
    """Kill something that lives; returns what, or nothing where it does not live."""
    victim = rng.choice(VICTIMS)
    running = [job for job in queue.jobs(ACTIVE) if job.worker and is_held(queue.workspace.job(job.id).lock)]
    killed = []
    if victim != "job":
        supervisors[0].kill()
        supervisors[0].wait()
        killed.append("supervisor")
    if victim != "supervisor" and running:
        job = rng.choice(running)
        _kill_job(queue, job)
        killed.append(str(job))
    return [" and ".join(killed)] if killed else []


def _kill_job(queue: Queue, job: Job) -> None:
    if job.worker and is_held(queue.workspace.job(job.id).lock):
        with contextlib.suppress(ProcessLookupError):
            os.kill(job.worker, signal.SIGKILL)
