"""The listeners that plot a run's numbers, by the setting that asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lorasmith.training.events import Listener
from lorasmith.training.listeners.curves import EveryNth
from lorasmith.training.settings.sections import LoggingSettings


def plotting_listeners(logging: LoggingSettings, run_folder: Path, name: str, settings: Mapping[str, Any]) -> list[Listener]:
    """The listeners that `logging` asks for; `name` and `settings` are the run's, for programs that show them.

    Raises SettingsError where a package for one is missing.
    """
    found = [make(logging, run_folder, name, settings) for make in LISTENERS.values()]
    return [EveryNth(listener, logging.log_every_n_steps) for listener in found if listener is not None]


def tensorboard(logging: LoggingSettings, run_folder: Path, name: str, settings: Mapping[str, Any]) -> Listener | None:
    if not logging.tensorboard:
        return None
    from lorasmith.training.listeners.tensorboard import TensorBoard

    return TensorBoard(run_folder)


def wandb(logging: LoggingSettings, run_folder: Path, name: str, settings: Mapping[str, Any]) -> Listener | None:
    if logging.wandb_project is None:
        return None
    from lorasmith.training.listeners.wandb_log import WandbLog

    return WandbLog(run_folder, logging.wandb_project, name, settings)


LISTENERS = {"tensorboard": tensorboard, "wandb": wandb}
"""Each makes its listener, or None where the settings do not ask for it."""
