"""The folder of a run, which explains the run.

runs/<name>/
  settings.toml    the complete settings
  manifest.json    hashes of every input, versions, device, settings of each stretch; see `manifest`
  events.jsonl     what happened, append-only; see `event_log`
  checkpoints/     LoRA files: <name>-000001.safetensors for each epoch, <name>.safetensors at the end
  state/           what a killed run continues from; see `learner.state`
  samples/         pictures that were generated on the way
  commands/        requests of other processes; see `training.commands`
  report.html      made at the end
  mirror.json      where in a store the run is kept as well; see `mirror`
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from lorasmith.atomic import WriteFailed, remove_leftovers, write_atomically
from lorasmith.command_line import quoted
from lorasmith.errors import RunError, SettingsError
from lorasmith.registry import nearest
from lorasmith.training.commands import COMMANDS, Command, send
from lorasmith.training.records.run_layout import CHECKPOINTS, EVENTS, SAMPLES
from lorasmith.training.settings.toml import load_settings, settings_toml
from lorasmith.training.settings.tree import Settings


@dataclass(frozen=True)
class RunFolder:
    """Paths inside a run's folder, and who may work in it."""

    root: Path

    @property
    def settings(self) -> Path:
        return self.root / "settings.toml"

    @property
    def manifest(self) -> Path:
        return self.root / "manifest.json"

    @property
    def events(self) -> Path:
        return self.root / EVENTS

    @property
    def checkpoints(self) -> Path:
        return self.root / CHECKPOINTS

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def samples(self) -> Path:
        return self.root / SAMPLES

    @property
    def commands(self) -> Path:
        return self.root / "commands"

    @property
    def report(self) -> Path:
        return self.root / "report.html"

    def create(self, settings: Settings) -> None:
        """Make the folder with its settings; raises SettingsError (`run.folder_not_empty`) where it holds something already."""
        self.root.mkdir(parents=True, exist_ok=True)
        remove_leftovers(self.root, self.settings.name)  # of a start that was killed here, before there was anything to continue from
        if any(self.root.iterdir()):
            raise SettingsError(
                f"The run folder {self.root} is not empty. Give another --out, or continue the run in it with: lorasmith resume {quoted(self.root)}",
                code="run.folder_not_empty", path=str(self.root),
            )  # fmt: skip
        self.write_settings(settings)
        for folder in (self.checkpoints, self.state, self.samples):
            folder.mkdir(exist_ok=True)

    def remove_unstarted(self) -> None:
        """Remove the folder of a run that was refused before its first step, so that nothing half-written is left; not another process's."""
        if not self.is_running and not any(self.state.glob("step-*")) and not any(self.checkpoints.iterdir()):
            shutil.rmtree(self.root)

    def write_settings(self, settings: Settings) -> None:
        """Write the run's settings, or replace them."""
        write_atomically(self.settings, settings_toml(settings).encode())

    def read_settings(self) -> Settings:
        """The run's settings; raises SettingsError (`run.no_run_folder`) where there is no run here."""
        self._check_is_run()
        return load_settings(self.settings)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Within the block no other process may work on this run; the system lifts the lock when this one ends.

        Raises SettingsError (`run.in_use`) where another process does.
        """
        self.state.mkdir(parents=True, exist_ok=True)
        try:
            with self._lock.acquire(timeout=0.1):  # `is_running` holds it for a moment
                yield
        except Timeout:
            raise SettingsError(
                f"Another process is working on the run {self.root}. Stop it first with: lorasmith signal {quoted(self.root)} stop",
                code="run.in_use", path=str(self.root),
            ) from None  # fmt: skip

    @property
    def is_running(self) -> bool:
        """Whether some process is working on this run now."""
        return (self.state / ".lock").exists() and _is_held(self.state / ".lock")

    @contextmanager
    def being_judged(self) -> Iterator[None]:
        """Within the block the run counts as being judged; the system ends that when this process ends. Others may judge it, too."""
        self.state.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._judged, is_singleton=True)  # a training that judges itself begins before `prove` does
        with ExitStack() as held:
            with suppress(Timeout):
                held.enter_context(lock.acquire(timeout=0.1))
            yield

    @property
    def is_being_judged(self) -> bool:
        """Whether some process is judging this run now."""
        return self._judged.exists() and _is_held(self._judged)

    def send(self, command: Command) -> None:
        """Request something of the process that is working on this run; see `training.commands`.

        Raises RunError (`run.not_running`) where none is, SettingsError where there is no such command or no run here.
        """
        self._check_is_run()
        if command not in COMMANDS:
            raise SettingsError(f"There is no command {command!r}; {nearest(command, COMMANDS)}", code="run.unknown_command")
        if not self.is_running:
            raise RunError(
                f"The run {self.root} is not running, so nobody would act on {command!r}. Continue it with: lorasmith resume {quoted(self.root)}",
                code="run.not_running", path=str(self.root),
            )  # fmt: skip
        send(command, self.commands)

    def remove_leftovers(self) -> None:
        """Remove what a killed process was writing; only for the one that has the run in use."""
        for folder in (self.checkpoints, self.state, self.samples):
            folder.mkdir(exist_ok=True)
            remove_leftovers(folder)
        remove_leftovers(self.root, self.manifest.name)

    @property
    def _lock(self) -> FileLock:
        return FileLock(self.state / ".lock")

    @property
    def _judged(self) -> Path:
        return self.state / ".judged"

    def _check_is_run(self) -> None:
        if not self.settings.is_file():
            raise SettingsError(
                f"{self.root} is not the folder of a run (it has no settings.toml). Give the folder of a run.",
                code="run.no_run_folder", path=str(self.root),
            )  # fmt: skip


def _is_held(file: Path) -> bool:
    """Whether a process has this lock."""
    try:
        with FileLock(file).acquire(timeout=0):
            return False
    except Timeout:
        return True


def could_not_write(error: WriteFailed, run: Path) -> RunError:
    """The error where a file of a run could not be written: which file, what it needs, and how to continue."""
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return RunError(
            f"{error.path} could not be written ({error.strerror}). What was saved before is whole. Make sure that this folder can be written to, "
            f"and continue with: lorasmith resume {quoted(run)}",
            code="run.cannot_write", path=str(error.path),
        )  # fmt: skip
    free = shutil.disk_usage(error.path.parent).free
    return RunError(
        f"{error.path} could not be written ({error.strerror}): it needs {_size(error.size)}, and {_size(free)} are free. What was saved "
        f"before is whole. Make room and continue with: lorasmith resume {quoted(run)}",
        code="run.disk_full", path=str(error.path), needed=error.size, free=free,
    )  # fmt: skip


def _size(count: int) -> str:
    """Bytes for people: 3.2 MB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"
