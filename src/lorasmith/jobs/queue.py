"""The queue of a workspace: jobs in their order, in one SQLite file that any number of processes use at once.

    with Queue("lora") as queue:
        job = queue.add("audit", {"dataset": "anna"}, needs="cpu")
        queue.request(job.id, "pause")
        queue.resume(job.id)

Code that adds a job for a user calls `enqueue`, which checks the arguments first; here they are only stored. A job is taken by one statement
(`claim`), so that no two processes take the same one. What a running job was asked to do is its state (`pausing`), which its process
looks at; so a request is not lost where the process dies before it has seen it.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from lorasmith.errors import InputError
from lorasmith.jobs.database import open_database, speaking_of, transaction
from lorasmith.jobs.job import ACTIVE, ANSWERED, ASKED, AT_REST, COMMANDS, ENDED, PLACED, WAITING, Command, Job, Needs, Request, State
from lorasmith.jobs.workspace import Workspace

COLUMNS = (
    "id, kind, arguments, needs, state, project, priority, place, device, attempts, created, started, ended, worker, sentence, outcome, "
    "interrupted_at, dismissed, begun_by"
)


OPEN: tuple[State, ...] = (*WAITING, "running")
"""Jobs that go on, or will, as nobody has asked for anything else."""
LARGEST = 2**63
"""The first number that SQLite cannot hold."""


class Queue:
    """The jobs of a workspace. To be closed, or used in a `with`; threads may share one."""

    def __init__(self, workspace: str | Path):
        """Open or make the queue of a workspace.

        `note` is a sentence where an older file had to be set aside, else "".

        Raises:
            LorasmithError: the workspace cannot be written to, or the disk is full.
        """
        self.workspace = Workspace.at(workspace)
        self._db, self.note = open_database(self.workspace.database, self.workspace.jobs)
        self._one_at_a_time = threading.RLock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Queue({self.workspace.root})"

    def close(self) -> None:
        self._db.close()

    # -- to look --

    def get(self, id: int) -> Job:
        """A job by its number.

        Raises:
            InputError: there is none (`jobs.unknown`).
        """
        found = self._jobs(f"SELECT {COLUMNS} FROM jobs WHERE id = ?", (id,)) if abs(id) < LARGEST else []
        if not found:
            raise InputError(f"There is no job {id}. See all with: lorasmith jobs list", code="jobs.unknown", id=id)
        return found[0]

    def jobs(self, states: Iterable[State] | None = None) -> list[Job]:
        """Jobs: those that run, then those that wait or are paused, in their order, then those that have ended, the latest first."""
        wanted = [*WAITING, *ACTIVE, *AT_REST] if states is None else [*states]
        order = f"CASE WHEN state IN {_marks(ACTIVE)} THEN 0 WHEN state IN {_marks(PLACED)} THEN 1 ELSE 2 END"
        return self._jobs(
            f"SELECT {COLUMNS} FROM jobs WHERE state IN {_marks(wanted)} ORDER BY {order}, "
            f"CASE WHEN state NOT IN {_marks((*ACTIVE, *PLACED))} THEN -ended END, priority DESC, place, id",
            (*wanted, *ACTIVE, *PLACED, *ACTIVE, *PLACED),
        )

    # -- for people --

    def add(
        self, kind: str, arguments: Mapping[str, Any], needs: Needs, project: str = "", priority: int = 0, begun_by: int | None = None
    ) -> Job:
        """Put a job at the end of those of its priority; `begun_by` is the job that adds it, if one does."""
        added = self._jobs(
            "INSERT INTO jobs (kind, arguments, needs, state, project, priority, place, created, begun_by) "
            f"VALUES (?, ?, ?, 'queued', ?, ?, (SELECT COALESCE(MAX(place), 0) + 1 FROM jobs), ?, ?) RETURNING {COLUMNS}",
            (kind, json.dumps(arguments), needs, project, priority, time.time(), begun_by),
        )
        return added[0]

    def request(self, id: int, request: Request) -> Job:
        """Pause, stop or cancel a job: one that waits at once, one that runs when its process sees it.

        Pausing keeps its place in the queue. Stopping lets a training save. Cancelling keeps what was saved before, and ends it within a second.
        Jobs that it has begun are paused with it; where it is stopped or cancelled, they are stopped, and those that run save first.

        Raises:
            InputError: it has ended already (`jobs.state`).
        """
        with self._changing():
            job = self.get(id)
            if job.state in ACTIVE:
                state = job.state if job.state == "cancelling" else ASKED[request]
            elif job.state in WAITING or (request == "cancel" and job.state in ("paused", "stopped")):
                state = ANSWERED[ASKED[request]]
            else:
                raise _wrong_state(job, f"{request} it", "a job that waits or runs")
            ended = None if state in ACTIVE else time.time()
            self._ask_begun_by(id, "pause" if request == "pause" else "stop")
            return self._put(id, state=state, ended=ended, sentence="")

    def resume(self, id: int) -> Job:
        """Queue a job again that was paused, at its place, or stopped, at the end; it goes on where it was.

        Raises:
            InputError: it is neither (`jobs.state`).
        """
        with self._changing():
            job = self.get(id)
            if job.state not in ("paused", "stopped"):
                raise _wrong_state(job, "resume it", "a job that was paused or stopped")
            place = job.place if job.state == "paused" else self._last_place() + 1
            return self._put(id, state="queued", place=place, ended=None, sentence="", interrupted_at="", dismissed=False)

    def retry(self, id: int) -> Job:
        """Queue a job again that failed or was cancelled, at its place; it goes on where it was.

        Raises:
            InputError: it did neither (`jobs.state`).
        """
        with self._changing():
            job = self.get(id)
            if job.state not in ("failed", "cancelled"):
                raise _wrong_state(job, "retry it", "a job that failed or was cancelled")
            return self._put(id, state="queued", ended=None, sentence="", interrupted_at="", dismissed=False)

    def dismiss(self, id: int) -> Job:
        """Keep a job that has ended out of what people look at, until it goes on again; what it made and its log stay.

        Raises:
            InputError: it has not ended (`jobs.state`).
        """
        with self._changing():
            job = self.get(id)
            if job.state not in ENDED:
                raise _wrong_state(job, "dismiss it", "a job that has ended")
            return self._put(id, dismissed=True)

    def prioritise(self, id: int, priority: int) -> Job:
        """Give a job another priority; higher ones go first."""
        with self._changing():
            self.get(id)
            return self._put(id, priority=priority)

    def move(self, id: int, position: int) -> Job:
        """Put a waiting job at a position among those that wait, 1 for the next one; a priority that would forbid it is changed, too.

        A paused job stays between the same two.

        Raises:
            InputError: it does not wait (`jobs.state`).
        """
        with self._changing():
            job = self.get(id)
            if job.state not in WAITING:
                raise _wrong_state(job, "move it", "a job that waits")
            placed = [other for other in self.jobs(PLACED) if other.id != id]
            others = [other for other in placed if other.state in WAITING]
            index = min(max(position - 1, 0), len(others))
            priority = job.priority
            if index < len(others):
                priority = max(priority, others[index].priority)
            if index > 0:
                priority = min(priority, others[index - 1].priority)
            before = placed.index(others[index]) if index < len(others) else len(placed)
            for place, other in enumerate([*placed[:before], job, *placed[before:]], self._last_place() + 1):
                self._put(other.id, place=place)
            return self._put(id, priority=priority)

    def send(self, id: int, command: Command) -> None:
        """Ask a running job to save or sample now.

        Raises:
            InputError: it does not run (`jobs.state`), or there is no such command.
        """
        if command not in COMMANDS:
            raise InputError(f"There is no command {command!r}; choose one of {', '.join(COMMANDS)}.", code="jobs.unknown_command")
        with self._changing():
            job = self.get(id)
            if job.state not in ACTIVE:
                raise _wrong_state(job, command, "a job that runs")
            self._db.execute("INSERT INTO commands VALUES (?, ?, ?)", (id, command, time.time()))

    def take_over(self, ids: Iterable[int], begun_by: Job | None) -> None:
        """Jobs are from now on those that another job has begun, and of its project; None: those of nobody in the queue."""
        with self._changing():
            for id in ids:
                self._put(id, **({"begun_by": None} if begun_by is None else {"begun_by": begun_by.id, "project": begun_by.project}))

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Nobody adds, takes or changes a job within the block, which should be short: everybody waits for it."""
        with self._changing():
            yield

    # -- for the supervisor and the workers --

    def waits(self, needs: Needs) -> bool:
        """Whether there is a job to claim."""
        with self._speaking():
            found = self._db.execute(f"SELECT 1 FROM jobs WHERE state IN {_marks(WAITING)} AND needs = ? LIMIT 1", (*WAITING, needs))
            return found.fetchone() is not None

    def claim(self, needs: Needs, device: str) -> Job | None:
        """Take the next job that waits for such a device; it is running from now on. None where none waits."""
        with self._changing():
            found = self._jobs(
                "UPDATE jobs SET state = 'running', device = ?, attempts = attempts + 1, started = ?, ended = NULL, worker = NULL, sentence = '' "
                f"WHERE id = (SELECT id FROM jobs WHERE state IN {_marks(WAITING)} AND needs = ? ORDER BY priority DESC, place, id LIMIT 1) "
                f"RETURNING {COLUMNS}",
                (device, time.time(), *WAITING, needs),
            )
            if not found:
                return None
            self._db.execute("DELETE FROM commands WHERE job = ?", (found[0].id,))  # what an earlier process was asked for
            return found[0]

    def started(self, id: int, worker: int) -> None:
        """Record the process that runs a job."""
        with self._changing():
            self._put(id, worker=worker)

    def commands(self, id: int) -> list[Command]:
        """What was asked of a running job since this was last called."""
        with self._speaking():
            if self._db.execute("SELECT 1 FROM commands WHERE job = ?", (id,)).fetchone() is None:  # nearly always: nobody is kept waiting
                return []
            return [row["verb"] for row in self._db.execute("DELETE FROM commands WHERE job = ? RETURNING verb", (id,)).fetchall()]

    def end(self, id: int, state: State, sentence: str = "", outcome: Mapping[str, Any] | None = None, interrupted_at: str = "") -> Job:
        """Record that a job's process has ended; a job that is not active any more stays as it is."""
        with self._changing():
            job = self.get(id)
            if job.state not in ACTIVE:
                return job
            if state == "cancelled":  # what it has begun since it was asked to end
                self._ask_begun_by(id, "stop")
            return self._put(
                id, state=state, ended=time.time(), worker=None, sentence=sentence,
                outcome=json.dumps(outcome or {}), interrupted_at=interrupted_at,
            )  # fmt: skip

    # -- what stands below these --

    def _ask_begun_by(self, id: int, request: Request) -> None:
        """Ask the same of the jobs that a job has begun, as far as they wait or run and were asked for nothing yet."""
        for begun in self._jobs(f"SELECT {COLUMNS} FROM jobs WHERE begun_by = ? AND state IN {_marks(OPEN)}", (id, *OPEN)):
            state = ASKED[request] if begun.state == "running" else ANSWERED[ASKED[request]]
            self._put(begun.id, state=state, ended=None if state in ACTIVE else time.time(), sentence="")
            self._ask_begun_by(begun.id, request)

    def _last_place(self) -> int:
        place: int = self._db.execute("SELECT COALESCE(MAX(place), 0) FROM jobs").fetchone()[0]
        return place

    def _put(self, id: int, **values: Any) -> Job:
        assignments = ", ".join(f"{name} = ?" for name in values)
        return self._jobs(f"UPDATE jobs SET {assignments} WHERE id = ? RETURNING {COLUMNS}", (*values.values(), id))[0]

    def _jobs(self, statement: str, values: Iterable[Any]) -> list[Job]:
        with self._speaking():
            return [_job(row) for row in self._db.execute(statement, tuple(values)).fetchall()]

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Nobody else changes the queue within the block."""
        with self._speaking(), transaction(self._db):
            yield

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        with self._one_at_a_time, speaking_of(self.workspace.database):
            yield


def _job(row: Mapping[str, Any]) -> Job:
    decoded = {name: json.loads(row[name]) for name in ("arguments", "outcome")}
    return Job(**{**row, **decoded, "dismissed": bool(row["dismissed"])})


def _marks(values: Collection[object]) -> str:
    return f"({', '.join('?' * len(values))})"


def _wrong_state(job: Job, wish: str, wanted: str) -> InputError:
    return InputError(
        f"{job} is {job.state}, so nobody can {wish}; that takes {wanted}.", code="jobs.state", id=job.id, state=job.state, wish=wish
    )
