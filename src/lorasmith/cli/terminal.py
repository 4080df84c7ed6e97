"""A run in the terminal: a progress bar with loss, speed, time left and memory, and a line for each thing that matters."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Column

from lorasmith.cli.interrupt import stop_on_ctrl_c
from lorasmith.pages.numbers import count
from lorasmith.training import events
from lorasmith.training.commands import Commands
from lorasmith.training.events import Event, Listener


class Terminal:
    """The listener that shows a run."""

    def __init__(self, console: Console):
        self.console = console
        # In 80 columns only the bar gets shorter: the numbers beside it are never cut.
        self.progress = Progress(
            TextColumn("{task.description}", table_column=Column(no_wrap=True)),
            BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=6)),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[note]}", table_column=Column(no_wrap=True)),
            console=console, expand=True,
        )  # fmt: skip
        self._cached: dict[str, TaskID] = {}
        self._train: TaskID | None = None
        self._steps = 0
        self._done = 0

    def say(self, message: str) -> None:
        """Print a line above the bar."""
        self.console.print(message, highlight=False, markup=False)

    def __call__(self, event: Event) -> None:
        match event:
            case events.PhaseStarted(phase="train"):
                self._train = self.progress.add_task("training", total=self._steps, completed=self._done, note="")
            case events.CacheProgress(done=done, total=total, what=what):
                if what not in self._cached:
                    self._cached[what] = self.progress.add_task(what, total=total, note="")
                self.progress.update(self._cached[what], completed=done)
            case events.StepDone():
                if self._train is not None:
                    self.progress.update(self._train, completed=event.step, note=step_note(event))
            case events.Warned(message=message):
                self.console.print(f"[yellow]Warning:[/yellow] {escape(message)}", highlight=False)
            case events.StepSkipped():
                self.console.print(f"[yellow]{escape(skipped_line(event))}[/yellow]", highlight=False)
            case _:
                if line := self._line(event):
                    self.say(line)

    def _line(self, event: Event) -> str | None:
        match event:
            case events.PhaseStarted(phase="model", detail=detail):
                return f"Loading the base model {detail}"
            case events.PhaseStarted(phase="workers", detail=detail):
                return f"Starting the processes: {detail}"
            case events.PhaseStarted(phase="proof", detail=detail):
                return detail
            case events.Planned():
                self._steps = event.steps
                return (
                    f"{count(event.images, 'training image')}, {count(event.epochs, 'epoch')} of "
                    f"{count(event.batches_per_epoch, 'batch', 'batches')}, {count(event.steps, 'step')}, "
                    f"{count(event.trainable_parameters, 'trainable parameter')}"
                )
            case events.Resumed(step=step):
                self._done = step
                return f"Continuing after step {step}"
            case events.ValidationDone():
                return validation_line(event)
            case events.CheckpointSaved(path=path, final=True):
                return f"Saved {path}"
            case events.Stopped(reason=reason, code="stopped"):
                return reason
            case events.Finished(seconds=seconds, step=step, early=early):
                ended = f"Finished {'early, after ' if early else ''}{count(step, 'step')} in {seconds:.0f} s of training"
                return f"{ended}. {early}" if early else ended
            case _:
                return None


def step_note(event: events.StepDone) -> str:
    """The numbers beside the bar: epoch, smoothed loss, images per second, memory, time left."""
    parts = [f"ep {event.epoch}", f"loss {event.loss if event.loss_smoothed is None else event.loss_smoothed:.4f}"]
    if event.images_per_second is not None:
        parts.append(f"{event.images_per_second:.3g} img/s")
    memory = event.gpu_memory_bytes if event.gpu_memory_bytes is not None else event.memory_bytes
    if memory is not None:
        parts.append(f"{memory / 1e9:.1f} GB")
    if event.eta is not None:
        parts.append(f"{clock(event.eta)} left")
    return " ".join(parts)


def clock(seconds: float) -> str:
    """A time left: 4:07, 1:02:59."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"


def skipped_line(event: events.StepSkipped) -> str:
    """Why a step was skipped, in a line."""
    if not event.consecutive:
        return f"Step {event.step} is skipped: a gradient overflowed float16. The loss is scaled down from here on."
    return f"Step {event.step} is skipped: its loss is not finite ({', '.join(event.images)})."


def validation_line(event: events.ValidationDone) -> str:
    """A validation in a line: the losses, and what was gained against the base."""
    if event.epoch == 0:
        return f"Base: val loss {event.val_loss:.4f}, train loss {event.train_loss:.4f}"

    def delta(number: float, margin: float | None) -> str:
        return f"{number:+.4f}" + ("" if margin is None else f" ± {margin:.4f}")

    return (
        f"Epoch {event.epoch}: val loss {event.val_loss:.4f} ({delta(event.val_loss_delta, event.val_loss_delta_margin)}), "
        f"train loss {event.train_loss:.4f} ({delta(event.train_loss_delta, event.train_loss_delta_margin)})"
        f"{_by_noise(event)}"
    )


def _by_noise(event: events.ValidationDone) -> str:
    """How much the loss on held-out images changed in each band of noise: ", by noise: texture +12%, composition -8%"."""
    changes = [f"{name} {math.exp(band['val_change']) - 1:+.0%}" for name, band in event.bands.items()]
    return f", val loss by noise: {', '.join(changes)}" if changes else ""


@contextmanager
def follow() -> Iterator[tuple[Listener, Commands]]:
    """A listener for the run, and commands that Ctrl-C turns into a stop."""
    commands = Commands()
    terminal = Terminal(Console(stderr=True, soft_wrap=True))
    with stop_on_ctrl_c("Stopping after this step.", terminal.say, commands.stop), terminal.progress:
        yield terminal, commands
