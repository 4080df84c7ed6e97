"""The listener that logs to Weights & Biases, where a project is named and the package is installed.

A run keeps its identity over resumes in `wandb-id.txt` of its folder. Curves are drawn over our own step, since theirs only rises:
steps that a kill took back stay visible there beside their second try.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any
from uuid import uuid4

from lorasmith.atomic import write_atomically
from lorasmith.errors import SettingsError
from lorasmith.training.events import Event, Finished, SampleReady, Stopped
from lorasmith.training.listeners.curves import numbers_of
from lorasmith.training.settings.tree import Settings


class WandbLog:
    """Curves and samples of one run; nothing is sent before its first number.

    Raises SettingsError where the package is missing.
    """

    def __init__(self, run_folder: Path, settings: Settings):
        if importlib.util.find_spec("wandb") is None:
            raise SettingsError(
                "logging.wandb_project needs the package wandb; install it with: pip install wandb, or remove the setting to log to TensorBoard alone"
            )
        self._run_folder, self._settings = run_folder, settings
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
                    self._open().log({**numbers, "step": getattr(event, "step")})  # noqa: B009 - all that carry numbers have it

    def _open(self) -> Any:
        if self._run is None:
            import wandb

            kept = self._run_folder / "wandb-id.txt"
            if not kept.exists():
                write_atomically(kept, uuid4().hex[:8].encode())
            self._run = wandb.init(
                project=self._settings.logging.wandb_project, name=self._settings.name, id=kept.read_text().strip(), resume="allow",
                dir=str(self._run_folder), config=self._settings.model_dump(mode="json"),
            )  # fmt: skip
            self._run.define_metric("step")
            self._run.define_metric("*", step_metric="step")
        return self._run
