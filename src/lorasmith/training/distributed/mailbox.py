"""What the processes of a run over several machines send to its driver, which started them: events, signs of life, why they ended, the outcome."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lorasmith.training.distributed.lost import LOST
from lorasmith.training.events import Event, StateSaved


@dataclass(frozen=True)
class News:
    """What the processes have sent since it was asked for last."""

    events: list[Event]
    outcome: Any
    """What `Mailbox.end` was given; None before that."""
    begun: int
    """How often the processes have begun."""
    silent: float
    """Seconds since process 0 was last heard of."""
    failures: int
    """How often in a row they have ended without a state being saved."""
    reason: str
    """Why they ended last; "" where they have not."""


class Mailbox:
    """What the processes of a run send to its driver. Ray keeps it beside that, as an actor."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._outcome: Any = None
        self._begun = self._failures = 0
        self._heard = time.monotonic()
        self._reason = ""

    def begin(self) -> str:
        """Process 0 begins, for the first time or again; returns why those before ended."""
        self._begun += 1
        self.alive()
        return self._reason if self._begun > 1 else ""

    def alive(self) -> None:
        """Process 0 is at work."""
        self._heard = time.monotonic()

    def send(self, event: Event) -> None:
        """An event of the run."""
        self._events.append(event)
        if isinstance(event, StateSaved):
            self._failures = 0

    def failed(self, reason: str) -> None:
        """Processes have ended before the run was over."""
        self._failures += 1
        self._reason = reason

    def end(self, outcome: Any) -> None:
        """The run is over; what was said first counts."""
        if self._outcome is None:
            self._outcome = outcome

    def is_over(self) -> bool:
        """Whether it is."""
        return self._outcome is not None

    def take(self) -> News:
        """What has come since the last call."""
        events, self._events = self._events, []
        return News(events, self._outcome, self._begun, time.monotonic() - self._heard, self._failures, self._reason)


def why_ended(raised: Mapping[int, Exception]) -> str:
    """A sentence on why processes have ended, from what each rank raised: the first that did not only lose the others says why."""
    causes = {rank: _cause(error) for rank, error in sorted(raised.items())}
    rank = next((rank for rank, cause in causes.items() if getattr(cause, "code", "") != LOST), next(iter(causes)))
    return f"Process {rank + 1} has ended ({_first_line(causes[rank])})."


def _cause(error: BaseException) -> BaseException:
    """What a process raised, without what Ray puts around it."""
    return getattr(error, "_base_exc", None) or getattr(error, "health_check_failure", None) or error


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0].removesuffix('.')}"
