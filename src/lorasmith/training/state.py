"""What a run must keep to go on: one dataclass, written so that a kill at any instant loses nothing that was saved.

A state file is written aside, synced and renamed; beside it stands its checksum. The last two are kept, and the newest
that is whole is read.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from lorasmith.atomic import write_atomically

KEPT = 2


@dataclass
class TrainState:
    """Everything that changes while training. All draws depend on `step` and the settings, so no generator is here."""

    step: int
    adapter: dict[str, torch.Tensor]
    optimizer: dict[str, Any]
    epoch_loss: float  # sum of the step losses of the epoch under way
    epoch_steps: int
    elapsed: float  # seconds of training before this moment
    average: dict[str, torch.Tensor] = field(default_factory=dict)  # of the adapters' weights, where one is kept
    spoilt_in_a_row: int = 0  # steps up to now whose loss was not finite


def save_state(folder: Path, state: TrainState) -> Path:
    """Write `state` into `folder` as step-XXXXXXXX.pt and drop all but the last two."""
    folder.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    torch.save(vars(state), buffer)
    data = buffer.getvalue()
    path = folder / f"step-{state.step:08d}.pt"
    write_atomically(path.with_suffix(".sha256"), hashlib.sha256(data).hexdigest().encode())
    write_atomically(path, data)
    for old in sorted(folder.glob("step-*.pt"))[:-KEPT]:
        old.unlink()
        old.with_suffix(".sha256").unlink(missing_ok=True)
    return path


def load_newest_state(folder: Path) -> TrainState | None:
    """The newest state that is whole; None where there is none."""
    for path in sorted(folder.glob("step-*.pt"), reverse=True):
        try:
            data = path.read_bytes()
            expected = path.with_suffix(".sha256").read_text(encoding="ascii")
        except FileNotFoundError:
            continue
        if hashlib.sha256(data).hexdigest() == expected:
            return TrainState(**torch.load(io.BytesIO(data), map_location="cpu", weights_only=True))
    return None
