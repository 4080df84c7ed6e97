"""A training in its cell: a bar with loss and time left, the newest samples below it, and the stop button that saves."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from IPython.display import HTML, display

from lorasmith.cli.interrupt import stop_on_ctrl_c
from lorasmith.cli.terminal import skipped_line, step_note, validation_line
from lorasmith.images.read import read_picture
from lorasmith.pages.markup import Html, element, joined
from lorasmith.pages.picture import Picture
from lorasmith.pages.render import picture_html
from lorasmith.training import events
from lorasmith.training.commands import Commands
from lorasmith.training.events import Event
from lorasmith.training.records.run_folder import RunFolder

if TYPE_CHECKING:
    from lorasmith.training.run import RunResult
    from lorasmith.training.settings.tree import Settings

EVERY = 0.5
"""Seconds between two looks of the bar."""
SIDE = 160
"""Longest side of a sample, in pixels."""
ROWS = 3
"""Epochs of samples that are shown, the newest first."""


def train_here(settings: Settings, folder: str | Path) -> RunResult:
    """Train in the cell, or go on with a run in that folder that was stopped; the notebook's stop button saves and stops.

    Parameters
    ----------
    settings
        From `lorasmith.notebook.form`, `ls.load_settings` or `ls.settings_from`. A run that goes on keeps its own.
    folder
        The run's folder.
    """
    from lorasmith.jobs.training import resume_training, start_training

    watch, commands = Watch(Path(folder)), Commands()
    with stop_on_ctrl_c("Stopping after this step.", watch.say, commands.stop):
        if RunFolder(Path(folder)).settings.exists():
            return resume_training(folder, [watch], commands)
        return start_training(settings, folder, [watch], commands)


class Watch:
    """The listener that shows a run in a cell."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._bar = display(HTML(""), display_id=True)
        self._pictures = display(HTML(""), display_id=True)
        self._steps, self._looked = 0, 0.0
        self._samples: dict[int, list[events.SampleReady]] = {}

    def say(self, message: str) -> None:
        """A line below the bar, for good."""
        display(HTML(element("div", message)))

    def __call__(self, event: Event) -> None:
        match event:
            case events.Planned(steps=steps):
                self._steps = steps
            case events.CacheProgress(done=done, total=total, what=what):
                self._show(done, total, what)
            case events.StepDone(step=step):
                self._show(step, self._steps, step_note(event), last=step == self._steps)
            case events.SampleReady(epoch=epoch):
                self._samples.setdefault(epoch, []).append(event)
                self._pictures.update(HTML(self._rows()))
            case events.ValidationDone():
                self.say(validation_line(event))
            case events.StepSkipped():
                self.say(skipped_line(event))
            case events.Warned(message=message):
                self.say(f"Warning: {message}")
            case events.Stopped(reason=reason):
                self.say(reason)

    def _show(self, done: int, total: int, note: str, last: bool = False) -> None:
        now = time.monotonic()
        if last or now - self._looked >= EVERY:
            self._looked = now
            bar = element("progress", value=str(done), max=str(max(total, 1)), style="width:60%")
            self._bar.update(HTML(joined(bar, f" {done:,} of {total:,} ", element("small", note))))

    def _rows(self) -> Html:
        """The newest epochs' samples, a row each."""
        newest = sorted(self._samples, reverse=True)[:ROWS]
        return joined(*(self._row(epoch) for epoch in newest))

    def _row(self, epoch: int) -> Html:
        pictures = [
            picture_html(Picture.of(read_picture(self.folder / sample.path), f"epoch {epoch}: {sample.prompt}", SIDE))
            for sample in self._samples[epoch]
        ]
        return element("div", element("small", "base" if epoch == 0 else f"epoch {epoch}"), " ", *pictures)
