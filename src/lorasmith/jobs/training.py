"""Training as a job: the run, then its report. The command line and the studio both call this."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lorasmith.errors import LorasmithError
from lorasmith.evaluation.report import write_report
from lorasmith.library.retrain import plan_retraining
from lorasmith.training.commands import Commands
from lorasmith.training.events import Listener
from lorasmith.training.records.mirror import send_rest
from lorasmith.training.run import RunResult, resume, train
from lorasmith.training.settings.tree import Settings

log = logging.getLogger(__name__)


def start_training(
    settings: Settings, folder: str | Path, listeners: Iterable[Listener] = (), commands: Commands | None = None, ray: str | None = None
) -> RunResult:
    """Train a LoRA in a new run folder and write its report, also where the run was stopped.

    Parameters
    ----------
    settings
        From `load_settings` or `settings_from`.
    folder
        The run's folder, which must not exist or be empty; everything of the run is in it. A URL (`s3://bucket/runs/my-lora`) keeps the run,
        which works in runs/NAME, in a store as well.
    listeners
        Called with each event (see `lorasmith.training.events`); one that fails is reported and gets no more.
    commands
        To stop, save or sample from another thread; other processes use `lorasmith signal`.
    ray
        A Ray cluster over whose nodes the run's processes go (HEAD:PORT, or `auto`: the one that this machine is a node of); see
        docs/guide/several-processes.md.

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
    result = train(settings, folder, listeners, commands, ray)
    write_report_of(result.folder)
    return result


def resume_training(
    folder: str | Path, listeners: Iterable[Listener] = (), commands: Commands | None = None, changes: Mapping[str, Any] | None = None,
    ray: str | None = None,
) -> RunResult:  # fmt: skip
    """Continue a run from its last saved state and write its report; a finished run is left as it is, unless it is made longer.

    Parameters
    ----------
    folder
        The run's folder, or its URL in a store.
    listeners, commands
        As for `train`.
    changes
        Settings to continue with, by dotted names: `{"training.epochs": 20, "optimizer.learning_rate": 1e-5}`.
    ray
        As for `train`; a run may continue on a cluster, or without one, however it was begun.

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
    result = resume(folder, listeners, commands, changes, ray)
    write_report_of(result.folder)
    return result


def write_report_of(folder: Path) -> Path:
    """Write the report of a run, and send it where the run is kept in a store; what cannot be sent is a warning."""
    report = write_report(folder)
    try:
        send_rest(folder)
    except LorasmithError as error:
        log.warning("Not everything of %s could be sent: %s", folder, error)
    return report


def retrain(
    file: str | Path, folder: str | Path | None = None, data: Iterable[str | Path] = (), base: str | Path | None = None,
    anyway: bool = False, listeners: Iterable[Listener] = (), commands: Commands | None = None,
) -> RunResult:  # fmt: skip
    """Train a LoRA again from its file alone: its settings are in it, its base and pictures are found by their hashes.

    Parameters
    ----------
    file
        The LoRA file.
    folder
        The new run's folder; without one, runs/NAME-again.
    data, base
        Where the pictures and the base are, if not where the run had them or below the current folder.
    anyway
        Train also where pictures, captions or base differ from what they were.
    listeners, commands
        As for `train`.

    Raises
    ------
    InputError
        Something is missing, or differs; nothing was written.

    Examples
    --------
    >>> result = ls.retrain("my-lora.safetensors", "runs/once-more")
    >>> before, after = (ls.read_lora_header(file).metadata for file in ("my-lora.safetensors", result.file))
    >>> after["sshs_model_hash"] == before["sshs_model_hash"]  # of the tensors
    True
    """
    settings = plan_retraining(file, data, base).ready(anyway)
    return start_training(settings, folder or again(settings), listeners, commands)


def again(settings: Settings) -> Path:
    """Where a training is done again."""
    return Path("runs") / f"{settings.name}-again"
