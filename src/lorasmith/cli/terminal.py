"""A run in the terminal: a progress bar with the time left, words for what matters, Ctrl-C as a stop that saves."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from lorasmith.training import events
from lorasmith.training.commands import Commands
from lorasmith.training.events import Event, Listener


class Terminal:
    """The listener that shows a run."""

    def __init__(self, console: Console):
        self.console = console
        self.progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"), console=console,
        )  # fmt: skip
        self._cache: TaskID | None = None
        self._train: TaskID | None = None
        self._steps = 0
        self._done = 0
        self._loss: float | None = None

    def __call__(self, event: Event) -> None:
        match event:
            case events.PhaseStarted(phase="model", detail=detail):
                self.console.print(f"opening the base {detail}", highlight=False)
            case events.PhaseStarted(phase="proof", detail=detail):
                self.console.print(detail, highlight=False)
            case events.CacheProgress(done=done, total=total):
                if self._cache is None:
                    self._cache = self.progress.add_task("latents", total=total, note="")
                self.progress.update(self._cache, completed=done)
            case events.Planned():
                self._steps = event.steps
                self.console.print(
                    f"{event.pictures} pictures, {event.epochs} epochs of {event.batches_per_epoch} batches, {event.steps} steps, "
                    f"{event.trained_parameters:,} trained numbers", highlight=False,
                )  # fmt: skip
            case events.Resumed(step=step):
                self._done = step
                self.console.print(f"going on after step {step}", highlight=False)
            case events.PhaseStarted(phase="train"):
                self._train = self.progress.add_task("training", total=self._steps, completed=self._done, note="")
            case events.StepDone():
                self._loss = event.loss if self._loss is None else 0.95 * self._loss + 0.05 * event.loss
                if self._train is not None:
                    self.progress.update(self._train, completed=event.step, note=f"epoch {event.epoch} loss {self._loss:.4f}")
            case events.CheckpointSaved(path=path, final=True):
                self.console.print(f"saved {path}", highlight=False)
            case events.Warned(message=message):
                self.console.print(f"[yellow]warning:[/yellow] {message}", highlight=False)
            case events.Stopped(reason=reason):
                self.console.print(reason, highlight=False)
            case events.Finished(seconds=seconds, step=step):
                self.console.print(f"finished {step} steps in {seconds:.0f} s of training", highlight=False)


@contextmanager
def follow() -> Iterator[tuple[Listener, Commands]]:
    """A listener for the run, and commands that Ctrl-C (or a terminating signal) turns into a stop; a second one ends at once."""
    commands = Commands()
    console = Console(stderr=True, soft_wrap=True)
    terminal = Terminal(console)

    def stop(signum: int, frame: FrameType | None) -> None:
        if commands.stopping:
            raise KeyboardInterrupt
        commands.stop()
        console.print("stopping after this step; once more to end at once", highlight=False)

    before = {s: signal.signal(s, stop) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        with terminal.progress:
            yield terminal, commands
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
