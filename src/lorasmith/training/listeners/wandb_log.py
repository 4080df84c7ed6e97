"""The listener that logs to Weights & Biases, where a project is named and the package is installed.

A run keeps its id over resumes in `wandb-id.txt` of its folder. Curves are plotted over our own step, since theirs only rises: steps
that a kill discarded stay visible there beside their second attempt.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from lorasmith.atomic import write_atomically
from lorasmith.errors import SettingsError
from lorasmith.training.events import Event, Finished, SampleReady, Stopped
from lorasmith.training.listeners.curves import numbers_of


def check_installed() -> None:
    """Raises SettingsError where the package is missing."""
    if importlib.util.find_spec("wandb") is None:
        raise SettingsError(
            "logging.wandb_project needs the package wandb. Install it with `pip install wandb`, or remove the setting.",
            code="settings.missing_package", setting="logging.wandb_project", package="wandb",
        )  # fmt: skip


class WandbLog:
    """Curves and samples of one run; nothing is sent before its first number.

    Raises SettingsError where the package is missing.
    """

    def __init__(self, run_folder: Path, project: str, name: str, settings: Mapping[str, Any]):
        check_installed()
        self._run_folder, self._project, self._name, self._settings = run_folder, project, name, settings
        self._run: Any = None

    def __call__(self, event: Event) -> None:
        match event:
            case SampleReady():
                import wandb

                picture = wandb.Image(str(self._run_folder / event.path), caption=event.prompt)
                self._open().log({f"samples/{event.seed}": picture, "step": event.step})
            case Stopped() | Finished():
                if self._run is not None:
                    self._run.finish()
                    self._run = None
            case _:
                if numbers := numbers_of(event):
                    self._open().log({**numbers, "step": getattr(event, "step")})  # noqa: B009 - all events with numbers have it

    def _open(self) -> Any:
        if self._run is None:
            import wandb

            kept = self._run_folder / "wandb-id.txt"
            if not kept.exists():
                write_atomically(kept, uuid4().hex[:8].encode())
            self._run = wandb.init(
                project=self._project, name=self._name, id=kept.read_text().strip(), resume="allow",
                dir=str(self._run_folder), config=dict(self._settings),
            )  # fmt: skip
            self._run.define_metric("step")
            self._run.define_metric("*", step_metric="step")
        return self._run
