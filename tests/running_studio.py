"""The studio as its users start it: a process of its own on a free port, with its own workspace."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from lorasmith.client import Client

PATIENCE = 300
"""Seconds that a studio may take to start, on a busy machine."""


class RunningStudio:
    """A studio that can be killed and started again; `address` is what it printed, token included."""

    def __init__(self, workspace: Path, within: Sequence[str] = (), options: Sequence[str] = ()):
        """`within` is a command that runs another one, in whose surroundings the studio runs; `options` are more options of its command."""
        self.workspace, self._within, self._options = workspace, within, options
        self.start(port=0)

    def start(self, port: int | None = None) -> None:
        """Start it, on the port that it had, or on this one; 0 is any that is free."""
        port = self.port if port is None else port
        command = [
            sys.executable,
            "-m",
            "lorasmith",
            "studio",
            "--workspace",
            str(self.workspace),
            "--port",
            str(port),
            "--no-browser",
            *self._options,
        ]
        self._process = subprocess.Popen([*self._within, *command], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().split()[-1]
        self.client = Client(self.address)

    @property
    def port(self) -> int:
        return int(self.client.address.rstrip("/").rpartition(":")[2])

    @property
    def process(self) -> psutil.Process:
        return psutil.Process(self._process.pid)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self._process.kill()
        self._process.wait(PATIENCE)

    def stop(self) -> None:
        """Tell it to end, and whoever works through its queue or on a job of it."""
        self._process.terminate()
        self._process.wait(PATIENCE)
        for process in [*self.supervisors(), *self.workers()]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()

    def supervisors(self) -> list[psutil.Process]:
        """The process that works through the queue, which waits a minute for more."""
        return [process for process, words in self._of_workspace() if "work" in words]

    def workers(self) -> list[psutil.Process]:
        """The processes that do a job."""
        return [process for process, words in self._of_workspace() if "lorasmith.jobs.worker" in words]

    def _of_workspace(self) -> list[tuple[psutil.Process, list[str]]]:
        running = [(process, process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
        return [(process, words) for process, words in running if str(self.workspace) in words]


@contextlib.contextmanager
def running_studio(workspace: Path, within: Sequence[str] = (), options: Sequence[str] = ()) -> Iterator[RunningStudio]:
    """A studio for a workspace, until the end of the block."""
    studio = RunningStudio(workspace, within, options)
    try:
        yield studio
    finally:
        studio.stop()
