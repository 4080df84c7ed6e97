"""How trials are run: what a sweep asks of whatever runs them. `queue_runner` has this machine's job queue, `ray_runner` a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from lorasmith.training.records.run_folder import RunFolder
from lorasmith.training.settings.tree import Settings

TRAIN = "train"
"""The kind of job that a trial is."""
TrialState = Literal["waiting", "running", "paused", "done", "failed", "cancelled"]
"""paused: asked to end, and can go on."""


@dataclass(frozen=True)
class TrialStatus:
    """How a trial that was submitted is; `reason` says why it failed."""

    state: TrialState
    reason: str = ""
    ending: bool = False
    """Whether it runs and was asked to end."""


class TrialRunner(Protocol):
    """Trains and judges trials, each in a process of its own, several at once where there are devices for them.

    A trial is called by its folder, where its run is. When the sweep's own process dies, the next one finds its trials again.
    """

    def submit(self, folder: Path, settings: Settings, effort: str) -> None:
        """Have a trial trained and judged, as soon as a device is free; a run that has begun in its folder goes on."""

    def look(self) -> Mapping[Path, TrialStatus]:
        """How the trials are that were ever submitted."""

    def pause(self, folder: Path) -> None:
        """Ask a trial to save and end, unless it was asked already."""

    def resume(self, folder: Path) -> None:
        """Have a trial go on that was paused."""


def arguments_of(folder: Path, settings: Settings, effort: str, root: Path = Path()) -> dict[str, Any]:
    """What the job of a trial is given; `folder` is below `root`, or whole. A run that has begun there goes on."""
    begun = RunFolder(root / folder).settings.is_file()
    run: dict[str, Any] = {"run": str(folder)} if begun else {"out": str(folder), "settings": settings.model_dump(mode="json")}
    return {**run, "prove": effort}
