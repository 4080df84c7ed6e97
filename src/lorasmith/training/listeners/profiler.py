"""Where a step's time goes: torch's profiler over a few steps of a run, as a trace to look at and as a table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from lorasmith.training.events import Event, Finished, StepDone, Stopped

WARM_UP = 3
"""Steps before the first one that is profiled: kernels are chosen and graphs recorded in them."""
ROWS = 25


class Profiler:
    """A listener that profiles `steps` steps after the first few; shorter runs are profiled to their end.

    Writes profile.json, for chrome://tracing or https://ui.perfetto.dev, and profile.txt into the run's folder, and calls `show` with the
    table.
    """

    def __init__(self, folder: str | Path, steps: int, show: Callable[[str], None]):
        self._folder, self._steps, self._show = Path(folder), steps, show
        self._done = 0
        self._profile: profile | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, StepDone):
            self._done += 1
            if self._done == WARM_UP:
                activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if torch.accelerator.is_available() else [])]
                self._profile = profile(activities=activities)
                self._profile.start()
            elif self._done == WARM_UP + self._steps:
                self._write()
        elif isinstance(event, Finished | Stopped):
            self._write()

    def _write(self) -> None:
        if self._profile is None:
            return
        done, self._profile = self._profile, None
        done.stop()
        done.export_chrome_trace(str(self._folder / "profile.json"))
        order = "self_device_time_total" if torch.accelerator.is_available() else "self_cpu_time_total"
        table = str(done.key_averages().table(sort_by=order, row_limit=ROWS, max_name_column_width=50))
        (self._folder / "profile.txt").write_text(table, encoding="utf-8")
        self._show(table)
