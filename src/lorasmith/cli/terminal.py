"""A run in the terminal: a progress bar with loss, speed, time left and memory, words for what matters, Ctrl-C as a stop that saves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Column

from lorasmith.cli.interrupt import stop_on_ctrl_c
from lorasmith.training import events
from lorasmith.training.commands import Commands
from lorasmith.training.events import Event, Listener


class Terminal:
    """The listener that shows a run."""

    def __init__(self, console: Console):
        self.console = console
        # In 80 columns the bar alone gives way: what is told beside it stays whole.
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
        self.console.print(message, highlight=False)

    def __call__(self, event: Event) -> None:
        match event:
            case events.PhaseStarted(phase="model", detail=detail):
                self.console.print(f"opening the base {detail}", highlight=False)
            case events.PhaseStarted(phase="proof", detail=detail):
                self.console.print(detail, highlight=False)
            case events.CacheProgress(done=done, total=total, what=what):
                if what not in self._cached:
                    self._cached[what] = self.progress.add_task(what, total=total, note="")
                self.progress.update(self._cached[what], completed=done)
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
                if self._train is not None:
                    self.progress.update(self._train, completed=event.step, note=step_note(event))
            case events.StepSkipped(step=step, in_a_row=0):
                self.console.print(
                    f"[yellow]step {step} is passed over[/yellow]: a gradient overflowed float16; the loss is scaled less from here",
                    highlight=False,
                )
            case events.StepSkipped(step=step, pictures=pictures):
                self.console.print(
                    f"[yellow]step {step} is passed over[/yellow]: no finite loss ({escape(', '.join(pictures))})", highlight=False
                )
            case events.ValidationDone():
                self.console.print(validation_line(event), highlight=False)
            case events.CheckpointSaved(path=path, final=True):
                self.console.print(f"saved {path}", highlight=False)
            case events.Warned(message=message):
                self.console.print(f"[yellow]warning:[/yellow] {escape(message)}", highlight=False)
            case events.Stopped(reason=reason):
                self.console.print(reason, highlight=False)
            case events.Finished(seconds=seconds, step=step):
                self.console.print(f"finished {step} steps in {seconds:.0f} s of training", highlight=False)


def step_note(event: events.StepDone) -> str:
    """What stands beside the bar: epoch, smoothed loss, pictures a second, memory, time left."""
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


def validation_line(event: events.ValidationDone) -> str:
    """A round of validation in a line: what was gained against the base on held-out and on trained pictures."""
    if event.epoch == 0:
        return f"base: held-out loss {event.held_out_mean:.4f}, trained pictures {event.trained_mean:.4f}"

    def change(number: float, margin: float | None) -> str:
        return f"{number:+.4f}" + ("" if margin is None else f" ± {margin:.4f}")

    return (
        f"epoch {event.epoch}: held-out loss {event.held_out_mean:.4f} ({change(event.held_out_change, event.held_out_change_margin)}), "
        f"trained {event.trained_mean:.4f} ({change(event.trained_change, event.trained_change_margin)})"
    )


@contextmanager
def follow() -> Iterator[tuple[Listener, Commands]]:
    """A listener for the run, and commands that Ctrl-C turns into a stop."""
    commands = Commands()
    terminal = Terminal(Console(stderr=True, soft_wrap=True))
    with stop_on_ctrl_c("Stopping after this step.", terminal.say, commands.stop), terminal.progress:
        yield terminal, commands
