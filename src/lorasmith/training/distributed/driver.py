"""The driver of a run over Ray: the one process beside the program that the user started which imports Ray and belongs to the cluster.

    with Driver("lorasmith.training.ray_driver", order, advice) as driver:     # here, without Ray
        while not driver.is_over:
            for event in driver.events(0.2): ...

    order, program = hand_over()                                               # in the driver
    program.send(event)
    program.end(outcome)

They speak through pipes: the order and then requests, a word a line, go in; events and at last the outcome come out, pickled. The driver
notices by its end of the pipe when the program ends, for whatever reason, and has everything end that it started (`Program.wait_for_end`).
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import IO, Any, Self

from lorasmith.errors import RunError
from lorasmith.processes import APART, kill_with_children
from lorasmith.training.commands import COMMANDS, Command, Commands
from lorasmith.training.distributed.lost import LOST
from lorasmith.training.events import Event

END_WITHIN = 120.0
"""Seconds in which the driver, told that all is over, has left the cluster and ended. It is not cut short: Ray would keep the run's place."""


# -- in the program that the user started -----------------------------------------------------------------------------


class Driver:
    """The driver as the program that started it sees it; it has ended with the block."""

    def __init__(self, module: str, order: Mapping[str, Any], advice: str):
        """`module` is what it executes, `order` what `hand_over` gives it, and `advice` ends the sentence where it ends without a word."""
        self._module, self._order, self._advice = module, dict(order), advice
        self._messages: queue.SimpleQueue[Event | _Outcome | None] = queue.SimpleQueue()
        self._ended: _Outcome | None = None

    def __enter__(self) -> Self:
        self._stderr: IO[bytes] = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", self._module],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr, **APART,
        )  # fmt: skip
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # one that ended at once is noticed by what comes out of it
            self._process.stdin.write(pickle.dumps(self._order))
            self._process.stdin.flush()
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(END_WITHIN)
        except subprocess.TimeoutExpired:
            pass
        finally:
            if self._process.poll() is None:
                kill_with_children(self._process.pid)
                self._process.wait()
            self._stderr.close()

    @property
    def is_over(self) -> bool:
        """Whether the run is over; all its events have been given then."""
        return self._ended is not None

    @property
    def outcome(self) -> Any:
        """What the driver gave as the outcome, which may be an error; a RunError where it ended without a word."""
        assert self._ended is not None
        return self._ended.value

    def events(self, seconds: float) -> list[Event]:
        """The events that have arrived; waits up to this many seconds for the first."""
        found: list[Event] = []
        with contextlib.suppress(queue.Empty):
            message = self._messages.get(timeout=seconds)
            while isinstance(message, Event):
                found.append(message)
                message = self._messages.get_nowait()
            self._ended = message if message is not None else _Outcome(RunError(self._last_words(), code=LOST))
        return found

    def request(self, command: Command) -> None:
        """Ask something of the run."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # a driver that has ended is noticed by what comes out of it
            self._process.stdin.write(f"{command}\n".encode())
            self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            with self._process.stdout as pipe, contextlib.suppress(EOFError, pickle.UnpicklingError):  # ended, perhaps within a message
                while True:
                    self._messages.put(pickle.load(pipe))
        finally:
            self._messages.put(None)

    def _last_words(self) -> str:
        """A sentence on a driver that ended without an outcome."""
        code = self._process.wait(END_WITHIN)
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        ended = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        why = lines[-1].removesuffix(".") if lines and code > 0 else ended
        return f"The process that belongs to the Ray cluster has ended ({why}). {self._advice}"


class _Outcome:
    """The last message of the driver."""

    def __init__(self, value: Any):
        self.value = value


# -- in the driver ----------------------------------------------------------------------------------------------------


class Program:
    """The program that started the driver, as that sees it."""

    def __init__(self, requests: IO[bytes], messages: IO[bytes]):
        self.commands = Commands()
        """What it has requested."""
        self.has_ended = threading.Event()
        """Set once it has ended, or no longer waits."""
        self._requests, self._messages, self._writing = requests, messages, threading.Lock()
        threading.Thread(target=self._listen, daemon=True).start()

    def send(self, *events: Event) -> None:
        """Give it events to show."""
        for event in events:
            self._send(event)

    def end(self, outcome: Any) -> None:
        """The run is over, with this outcome or error; nothing is sent after it."""
        self._send(_Outcome(outcome))

    def _send(self, message: Any) -> None:
        with self._writing, contextlib.suppress(OSError):  # `has_ended` tells of a program that has
            self._messages.write(pickle.dumps(message))
            self._messages.flush()

    def _listen(self) -> None:
        for line in iter(self._requests.readline, b""):
            if (command := line.decode().strip()) in COMMANDS:
                getattr(self.commands, command)()
        self.has_ended.set()


def hand_over() -> tuple[dict[str, Any], Program]:
    """In the driver, before anything else: what it is to do, and the program that asks for it.

    What libraries print goes where warnings go: the pipe is for messages alone.
    """
    messages = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    requests = os.fdopen(os.dup(sys.stdin.fileno()), "rb")  # not stdin itself: Python aborts where a thread still reads that at the end
    return pickle.load(requests), Program(requests, messages)
