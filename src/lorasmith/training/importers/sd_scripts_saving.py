"""When sd-scripts saves a LoRA: every N epochs or steps, or a given number of times in total."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lorasmith.training.importers.found import typed
from lorasmith.training.importers.sd_scripts_rows import SdScriptsDraft


def save_every(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    """The row of save_every_n_epochs."""
    if typed(draft.options.get("save_n_epoch_ratio")):
        draft.leave(theirs, value, "save_n_epoch_ratio decides")
    else:
        draft.put(theirs, "checkpoints.save_every_n_epochs", value)


def save_every_steps(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    """The row of save_every_n_steps, beside which sd-scripts writes none by epochs unless it is told to."""
    if not typed(value):
        return
    draft.put(theirs, "checkpoints.save_every_n_steps", value)
    if not saves_by_epochs(draft.options):
        draft.put(f"{theirs} (epochs)", "checkpoints.save_every_n_epochs", 0, "files are written by steps alone there")


def save_ratio(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    """The row of save_n_epoch_ratio, the number of files in all: they are as many whole epochs apart as that allows."""
    epochs = typed(draft.options.get("max_train_epochs"))
    if not typed(value):
        return
    if epochs:
        every = max(1, int(epochs) // int(value))
        draft.put(theirs, "checkpoints.save_every_n_epochs", every, f"{value} files in {epochs} epochs")
    else:
        draft.leave(theirs, value, "the file does not say how many epochs there are; set checkpoints.save_every_n_epochs")


def saves_by_epochs(options: Mapping[str, Any]) -> bool:
    """Whether a file asks for LoRA files by epochs."""
    return bool(typed(options.get("save_every_n_epochs")) or typed(options.get("save_n_epoch_ratio")))
