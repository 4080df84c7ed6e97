"""The one process that works through a workspace's queue. It starts a process for each job and sees how that one ends.

It holds a lock, so there is never a second one, and it may be killed at any moment: jobs that run go on, and the next supervisor finds
them by their locks. A job in the queue as running whose lock is free has lost its process: it is continued, unless that has happened
twice at the same place. After a minute without work the supervisor leaves; whoever adds a job starts one (see `supervisor_process`).
"""

from __future__ import annotations

import logging
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lorasmith.errors import LorasmithError
from lorasmith.jobs.devices import CPU_JOBS, accelerators, environment_for
from lorasmith.jobs.job import ACTIVE, ANSWERED, Job, Needs, State
from lorasmith.jobs.journal import Ended, Journal, Started, latest_progress
from lorasmith.jobs.lock import is_held, take_lock
from lorasmith.jobs.queue import Queue
from lorasmith.jobs.room import room_wanted
from lorasmith.jobs.supervisor_process import PYTHON
from lorasmith.processes import APART, kill_with_children

log = logging.getLogger(__name__)

WORKER = (*PYTHON, "-m", "lorasmith.jobs.worker")
"""The program of a job's process; the workspace, the job's number and its lock follow."""
LOOK_EVERY = 0.1
"""Seconds between two looks at the queue."""
GRACE = 0.5
"""Seconds that a cancelled job has to end by itself."""
IDLE = 60.0
"""Seconds without work after which a supervisor leaves."""
AFTER_TROUBLE = 1.0
"""Seconds to wait where the queue could not be written, say because the disk is full."""


@dataclass(frozen=True)
class Child:
    """A process that this supervisor started."""

    process: subprocess.Popen[bytes]
    kills_for_memory: int
    """How many processes the system had killed before, as it was out of memory."""


def supervise(workspace: str | Path, worker: Sequence[str] = WORKER, idle: float = IDLE, leave: Callable[[], bool] = lambda: False) -> bool:
    """Work through the queue until it has been empty for `idle` seconds, or until `leave` says so; jobs that run then go on.

    Returns False at once where another supervisor is at it.
    """
    with Queue(workspace) as queue:
        while (lock := take_lock(queue.workspace.supervisor_lock)) is not None:
            try:
                Supervisor(queue, worker).work(idle, leave)
            finally:
                lock.release()
            # A job may have been added while the lock was still held; see start_supervisor.
            if leave() or not (queue.waits("cpu") or queue.waits("accelerator")):
                return True
    return False


class Supervisor:
    """What the process that holds the lock does."""

    def __init__(self, queue: Queue, worker: Sequence[str] = WORKER):
        self.queue, self.worker = queue, worker
        self.devices = accelerators()
        self._running: dict[int, Job] = {}
        """Those whose process lives, also for a moment after it has recorded its end."""
        self._children: dict[int, Child] = {}
        self._cancelled: dict[int, float] = {}
        """Job -> when it was seen to be cancelled."""

    def work(self, idle: float, leave: Callable[[], bool]) -> None:
        """Look at the queue again and again; see `supervise`."""
        busy = time.monotonic()
        while not leave() and time.monotonic() - busy < idle:
            try:
                if self.look():
                    busy = time.monotonic()
            except (LorasmithError, OSError) as error:
                log.warning("%s", error)
                time.sleep(AFTER_TROUBLE)
            time.sleep(LOOK_EVERY)

    def look(self) -> bool:
        """See which jobs have ended, and start others where there is room; returns whether any job runs."""
        self._running |= {job.id: job for job in self.queue.jobs(ACTIVE)}
        for job in list(self._running.values()):
            if self._has_ended(job):
                del self._running[job.id]
                self._settle(job)
            else:
                self._end_if_cancelled(job)
        if not room_wanted(self.queue.workspace):
            self._start_what_fits()
        return bool(self._running) or self.queue.waits("cpu") or self.queue.waits("accelerator")

    def _start_what_fits(self) -> None:
        """Start a job on each device that is free, and as many beside them as the CPU takes."""
        drawing = [job.device for job in self._running.values() if job.needs == "accelerator"]
        free = [device for device in self.devices if device not in drawing]
        for device in free[: max(0, len(self.devices) - len(drawing))]:  # an earlier supervisor may have called them otherwise
            self._start_next("accelerator", device)
        for _ in range(CPU_JOBS - sum(job.needs == "cpu" for job in self._running.values())):
            self._start_next("cpu", "cpu")

    def _start_next(self, needs: Needs, device: str) -> None:
        if self.queue.waits(needs) and (job := self.queue.claim(needs, device)):
            self._start(job)

    def _start(self, job: Job) -> None:
        folder = self.queue.workspace.job(job.id)
        lock = take_lock(folder.lock, patience=1.0)
        if lock is None:  # it was paused and resumed, say, and its last process is still leaving: it waits on, and has lost none
            self._end(job, "interrupted", "Its last process has not ended yet.", job.interrupted_at)
            return
        try:
            Journal(folder.events)(Started(job.attempts, job.device))
            with folder.log.open("ab") as output:
                process = subprocess.Popen(
                    [*self.worker, str(self.queue.workspace.root), str(job.id), str(job.attempts), lock.argument],
                    env=environment_for(job, len(self.devices)), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                    pass_fds=lock.inherited, **APART,
                )  # fmt: skip
            self._running[job.id], self._children[job.id] = job, Child(process, _kills_for_memory())
        except OSError as error:
            self._interrupted(job, f"Its process could not be started ({error}).")
        finally:
            lock.release()  # the child holds it now, or takes it

    def _has_ended(self, job: Job) -> bool:
        """Whether the job's process is gone, and with it those that it had started."""
        child = self._children.get(job.id)
        if child is not None and child.process.poll() is None:
            return False
        held = is_held(self.queue.workspace.job(job.id).lock)
        if child is not None and held:
            kill_with_children(child.process.pid)
        return child is not None or not held

    def _settle(self, seen: Job) -> None:
        """Record how a job ended whose process is gone, if that did not do so itself."""
        child = self._children.pop(seen.id, None)
        self._cancelled.pop(seen.id, None)
        job = self.queue.get(seen.id)
        if job.state in ANSWERED:
            self._end(job, ANSWERED[job.state])
        elif job.state in ACTIVE:
            self._interrupted(job, _why(child))

    def _interrupted(self, job: Job, why: str) -> None:
        """Queue a job whose process died once more, unless it got no further than when that happened last."""
        progress = latest_progress(self.queue.workspace.job(job.id).events)
        place = "its start" if progress is None else progress.place
        if job.interrupted_at == place:
            again = f"That was the second time at the same place ({place}). To try once more: lorasmith jobs retry {job.id}"
            self._end(job, "failed", f"{why} {again}")
        else:
            self._end(job, "interrupted", f"{why} It was at {place}, and is continued.", place)

    def _end(self, job: Job, state: State, sentence: str = "", place: str = "") -> None:
        row = self.queue.end(job.id, state, sentence, interrupted_at=place)
        Journal(self.queue.workspace.job(job.id).events)(Ended(row.state, row.sentence))
        log.info("%s is %s. %s", row, row.state, row.sentence)

    def _end_if_cancelled(self, job: Job) -> None:
        """Kill a job that was cancelled and has not ended by itself."""
        child = self._children.get(job.id)
        worker = job.worker if child is None else child.process.pid
        if job.state == "cancelling" and time.monotonic() - self._cancelled.setdefault(job.id, time.monotonic()) > GRACE and worker:
            kill_with_children(worker)


def _why(child: Child | None) -> str:
    """Why a process ended without a word."""
    if child is None:
        return "Its process ended while no supervisor was there to see why."
    code = child.process.returncode
    if code >= 0:
        return f"Its process ended with exit code {code}."
    memory = _kills_for_memory() > child.kills_for_memory
    return f"It was ended by signal {-code} ({signal.strsignal(-code)}){': the system ran out of memory' if memory else ''}."


def _kills_for_memory() -> int:
    """How many processes the system has killed because it was out of memory; 0 where it does not say."""
    try:
        counts = dict(line.split() for line in Path("/proc/vmstat").read_text(encoding="ascii").splitlines())
    except (OSError, ValueError):
        return 0
    return int(counts.get("oom_kill", 0))
