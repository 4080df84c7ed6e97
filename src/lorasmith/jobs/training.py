"""Training as a job: the run, then its report. The command line and the studio both call this."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lorasmith.evaluation.report import write_report
from lorasmith.training.commands import Commands
from lorasmith.training.events import Listener
from lorasmith.training.run import RunResult, resume, train
from lorasmith.training.settings.tree import Settings


def start_training(
    settings: Settings, folder: str | Path, listeners: Iterable[Listener] = (), commands: Commands | None = None
) -> RunResult:
    """Train a LoRA in a new run folder and write its report, also where the run was stopped.

    Parameters
    ----------
    settings
        From `load_settings` or `settings_from`.
    folder
        The run's folder, which must not exist or be empty; everything of the run is in it.
    listeners
        Called with each event (see `lorasmith.training.events`); one that fails is reported and gets no more.
    commands
        To stop, save or sample from another thread; other processes use `lorasmith signal`.

    Raises
    ------
    InputError
        Settings, pictures or base cannot be used; nothing was written.

    Examples
    --------
    >>> result = ls.train(ls.load_settings("my-lora.toml"), "runs/example")
    >>> result.finished, result.step
    (True, 2)
    >>> print(result.file)
    runs/example/checkpoints/my-lora.safetensors
    """
    result = train(settings, folder, listeners, commands)
    write_report(folder)
    return result


def resume_training(
    folder: str | Path, listeners: Iterable[Listener] = (), commands: Commands | None = None, changes: Mapping[str, Any] | None = None
) -> RunResult:
    """Continue a run from its last saved state and write its report; a finished run is left as it is, unless it is made longer.

    Parameters
    ----------
    folder
        The run's folder.
    listeners, commands
        As for `train`.
    changes
        Settings to continue with, by dotted names: `{"training.epochs": 20, "optimizer.learning_rate": 1e-5}`.

    Raises
    ------
    SettingsError
        One of `changes`, or of the edits in the run's settings.toml, cannot change in a run that has begun.
    RunError
        Pictures, captions or base have changed since the run began.

    Examples
    --------
    >>> ls.resume("runs/my-lora").finished
    True
    """
    result = resume(folder, listeners, commands, changes)
    write_report(folder)
    return result
