"""What can be asked of a run while it works: to stop, to save, to sample. It looks between two steps, and between two cached pictures.

From the same process, by a thread or a signal handler:

    commands = Commands()
    train(settings, folder, commands=commands)      # elsewhere: commands.stop()

From another process, by a file in the run's folder (`RunFolder.send`, `lorasmith signal RUN stop`). The files are empty and are called
`stop`, `save` and `sample`; the run removes each one as it takes it up. Looking is one listing of a folder that is nearly always empty.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Literal, get_args

Command = Literal["stop", "save", "sample"]
"""stop: save and end after this step. save: write a LoRA file now. sample: generate the samples now."""

COMMANDS: tuple[Command, ...] = get_args(Command)


class StopRequested(Exception):
    """A stop was requested before the loop began."""


class Commands:
    """Requests to one run, from this process and, once it listens, from others."""

    def __init__(self) -> None:
        self._requested = {command: threading.Event() for command in COMMANDS}
        self._folder: Path | None = None

    def __repr__(self) -> str:
        return f"Commands(requested: {', '.join(name for name, event in self._requested.items() if event.is_set()) or 'nothing'})"

    def stop(self) -> None:
        """Save and end after the step under way."""
        self._requested["stop"].set()

    def save(self) -> None:
        """Write a LoRA file of this moment."""
        self._requested["save"].set()

    def sample(self) -> None:
        """Generate the samples of this moment."""
        self._requested["sample"].set()

    # -- for the run --

    def listen(self, folder: Path) -> None:
        """Take requests of other processes from the files in `folder`, too."""
        self._folder = folder

    def look(self) -> None:
        """Take up what other processes have requested; once a step."""
        if self._folder is None or not any(self._folder.iterdir()):
            return
        for command in COMMANDS:
            if (file := self._folder / command).exists():
                file.unlink()
                self._requested[command].set()

    @property
    def stopping(self) -> bool:
        """Whether a stop was requested; from then on."""
        return self._requested["stop"].is_set()

    def raise_if_stopping(self) -> None:
        """Raises StopRequested where a stop was requested, by whatever process."""
        self.look()
        if self.stopping:
            raise StopRequested

    def take(self, command: Command) -> bool:
        """Whether `command` was requested since it was last taken."""
        requested = self._requested[command].is_set()
        self._requested[command].clear()
        return requested


def drop_all(folder: Path) -> None:
    """Drop what was requested of an earlier process in `folder`."""
    folder.mkdir(exist_ok=True)
    for command in COMMANDS:
        (folder / command).unlink(missing_ok=True)


def send(command: Command, folder: Path) -> None:
    """Leave a request in `folder` for the run that listens there."""
    folder.mkdir(exist_ok=True)
    (folder / command).touch()
