"""A job as the queue knows it, and the states it goes through.

    queued ─> running ─> done | failed
                 │ ├─ pausing ───> paused       keeps its place in the queue
                 │ ├─ stopping ──> stopped      a training saves first
                 │ └─ cancelling > cancelled    at once; what was saved before is kept
                 └─> interrupted ─> running     its process died; it goes on where it was

A job that waits becomes paused, stopped or cancelled at once. `resume` and `retry` queue what has come to rest again. Where a job is
paused, so are those that it has begun; where it is stopped or cancelled, they are stopped, so that they can go on with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

State = Literal[
    "queued", "running", "pausing", "stopping", "cancelling", "paused", "stopped", "done", "failed", "cancelled", "interrupted"
]  # fmt: skip
Needs = Literal["cpu", "accelerator"]
"""What a job runs on: an accelerator takes one job at a time (the CPU counts as one where there is no other), the CPU two beside it."""
Request = Literal["pause", "stop", "cancel"]
Command = Literal["save", "sample"]
"""What a training can be asked for while it goes on."""

WAITING: tuple[State, ...] = ("queued", "interrupted")
ACTIVE: tuple[State, ...] = ("running", "pausing", "stopping", "cancelling")
AT_REST: tuple[State, ...] = ("paused", "stopped", "done", "failed", "cancelled")
PLACED: tuple[State, ...] = (*WAITING, "paused")
"""With a place in the queue that counts: of those that wait, and of those that will when they are resumed."""
ENDED: tuple[State, ...] = ("stopped", "done", "failed", "cancelled")

ASKED: Mapping[Request, State] = {"pause": "pausing", "stop": "stopping", "cancel": "cancelling"}
"""Request -> the state of a job that runs and was asked."""
ANSWERED: Mapping[State, State] = {"pausing": "paused", "stopping": "stopped", "cancelling": "cancelled"}
"""State of a job that was asked -> its state once it has ended."""

COMMANDS: tuple[Command, ...] = get_args(Command)


@dataclass(frozen=True)
class Job:
    """A row of the queue. Times are in Unix seconds."""

    id: int
    kind: str
    """A key of `kinds.KINDS`."""
    arguments: dict[str, Any]
    needs: Needs
    state: State
    project: str = ""
    priority: int = 0
    """Higher ones go first."""
    place: int = 0
    """The order among jobs of one priority."""
    device: str = ""
    """What it runs on, or ran on last: cpu, or an accelerator's name."""
    attempts: int = 0
    """How many times it was started."""
    created: float = 0.0
    started: float | None = None
    """The last time."""
    ended: float | None = None
    worker: int | None = None
    """The process that runs it."""
    sentence: str = ""
    """Why it is in this state, for people."""
    outcome: dict[str, Any] = field(default_factory=dict)
    """What it made, as its kind says."""
    interrupted_at: str = ""
    """How far it was when its process last died."""
    dismissed: bool = False
    """Whether it has ended and a person wants to see no more of it."""
    begun_by: int | None = None
    """The job that added it, as a sweep adds its trials. A request to pause, stop or cancel that job reaches this one, too."""

    def __str__(self) -> str:
        return f"Job {self.id} ({self.kind})"
