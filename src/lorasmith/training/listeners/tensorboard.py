"""The listener that writes TensorBoard files into `tensorboard/` of the run's folder.

Each part of a run, from a start or a resume to its end, is a file of its own. The first record of a resumed part names the step from
which on earlier files do not count, so that steps which a kill discarded are not plotted twice. Everything up to a saved state is on
disk before the next step. The files are written by tensorboardX, which needs no TensorBoard; by its writer of records and not by the
thread around that, whose `flush` does not wait for what is still being written.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from PIL import Image

from lorasmith.deferred_packages import deferred_packages
from lorasmith.images.read import read_picture
from lorasmith.training.events import Event, Finished, Resumed, SampleReady, StateSaved, Stopped
from lorasmith.training.listeners.curves import numbers_of

with deferred_packages("tensorboardX"):  # which imports torch's ONNX and jinja2 for writers that are not used here
    from tensorboardX.event_file_writer import EventsWriter
    from tensorboardX.proto.event_pb2 import Event as Record
    from tensorboardX.proto.event_pb2 import SessionLog
    from tensorboardX.proto.summary_pb2 import Summary
    from tensorboardX.summary import image, text

FOLDER = "tensorboard"
LONGEST = 512
"""Pixels of a picture's longer side; the whole picture is in `samples/`."""
FLUSH_SECONDS = 10


class TensorBoard:
    """Curves, samples and the settings of one run."""

    def __init__(self, run_folder: Path):
        self._run_folder = run_folder
        self._writer: EventsWriter | None = None
        self._flushed = 0.0
        self._resumed: int | None = None

    def __call__(self, event: Event) -> None:
        match event:
            case Resumed(step=step):
                self._close()
                self._resumed = step
            case SampleReady():
                self._write(event.step, self._picture(event))
            case StateSaved():
                if self._writer is not None:
                    self._writer.flush()
            case Stopped() | Finished():
                self._close()
            case _:
                if numbers := numbers_of(event):
                    values = [Summary.Value(tag=name, simple_value=number) for name, number in numbers.items()]
                    self._write(getattr(event, "step"), Summary(value=values))  # noqa: B009 - all events with numbers have it

    def _write(self, step: int, content: Summary) -> None:
        writer, now = self._open(), time.time()
        writer.write_event(Record(wall_time=now, step=step, summary=content))
        if now - self._flushed > FLUSH_SECONDS:
            writer.flush()
            self._flushed = now

    def _open(self) -> EventsWriter:
        """The writer; made at the first number, so that a run that is refused leaves no file."""
        if self._writer is None:
            folder = self._run_folder / FOLDER
            folder.mkdir(exist_ok=True)
            part, now = len(list(folder.glob("events.*"))) + 1, time.time()
            self._writer = EventsWriter(str(folder / "events"), f".{part:03d}")
            if self._resumed is not None:
                # Nothing of the start itself counts: what is reported at step 0 is reported again.
                first = self._resumed + 1 if self._resumed else 0
                self._writer.write_event(Record(wall_time=now, step=first, session_log=SessionLog(status=SessionLog.START)))
                self._resumed = None
            if part == 1:
                toml = (self._run_folder / "settings.toml").read_text(encoding="utf-8")
                block = "\n".join(f"    {line}" for line in toml.splitlines())  # of code, in Markdown
                self._writer.write_event(Record(wall_time=now, step=0, summary=text("settings", block)))
        return self._writer

    def _picture(self, event: SampleReady) -> Summary:
        picture = read_picture(self._run_folder / event.path)
        picture.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
        return image(f"samples/{event.seed} {event.prompt[:60]}", np.asarray(picture), dataformats="HWC")

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
