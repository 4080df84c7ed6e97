"""The studio as its users start it: a process of its own on a free port, with its own workspace."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from lorasmith.client import Client

PATIENCE = 60
"""Seconds that a studio may take to start, on a busy machine."""


class RunningStudio:
    """A studio that can be killed and started again; `address` is what it printed, token included."""

    def __init__(self, workspace: Path):
        self.workspace = workspace
        self.start(port=0)

    def start(self, port: int | None = None) -> None:
        """Start it, on the port that it had, or on this one; 0 is any that is free."""
        port = self.port if port is None else port
        command = [sys.executable, "-m", "lorasmith", "studio", "--workspace", str(self.workspace), "--port", str(port), "--no-browser"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().split()[-1]
        self.client = Client(self.address)

    @property
    def port(self) -> int:
        return int(self.client.address.rstrip("/").rpartition(":")[2])

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self._process.kill()
        self._process.wait(PATIENCE)

    def stop(self) -> None:
        """Tell it to end, and whoever works through its queue."""
        self._process.terminate()
        self._process.wait(PATIENCE)
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"]
            if words and words[-1] == str(self.workspace) and "work" in words:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.terminate()  # the supervisor, which would wait a minute for more


@contextlib.contextmanager
def running_studio(workspace: Path) -> Iterator[RunningStudio]:
    """A studio for a workspace, until the end of the block."""
    studio = RunningStudio(workspace)
    try:
        yield studio
    finally:
        studio.stop()
