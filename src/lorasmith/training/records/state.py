"""What a run must keep to go on: one dataclass, written so that a kill at any instant loses nothing that was saved.

A state is one file: a line with the checksum of what follows, then what follows. So it is whole or it is not there, and a disk that
spoils it later is found out. It is written aside, synced and renamed; only then the oldest goes. The last two are kept, and the
newest that is whole is read.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch

from lorasmith.atomic import write_atomically
from lorasmith.errors import RunError

KEPT = 2


@dataclass
class TrainState:
    """Everything that changes while training. All draws depend on `step` and the settings, so no generator is here."""

    step: int = 0
    adapter: dict[str, torch.Tensor] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    epoch_loss: float = 0.0  # sum of the step losses of the epoch under way
    epoch_steps: int = 0
    elapsed: float = 0.0  # seconds of training before this moment
    ema: dict[str, torch.Tensor] = field(default_factory=dict)  # of the adapters' weights, where one is kept
    scale: dict[str, float] = field(default_factory=dict)  # of the loss, in fp16
    non_finite_in_a_row: int = 0  # steps up to now whose loss was not finite
    loss_sums: dict[str, tuple[float, float]] = field(default_factory=dict)  # of `metrics`

    @property
    def saved(self) -> bool:
        """Whether something was learnt and kept; False at the very start."""
        return bool(self.adapter)


def save_state(folder: Path, state: TrainState) -> Path:
    """Write `state` into `folder` as step-XXXXXXXX.pt; of the others only the last before it stays.

    States of later steps go too: they were not whole, or the run would not have come to this step again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    torch.save(vars(state), content)
    path = folder / f"step-{state.step:08d}.pt"
    write_atomically(path, hashlib.sha256(content.getbuffer()).hexdigest().encode() + b"\n" + content.getbuffer())
    earlier = [other for other in saved_states(folder) if other < path]
    for other in saved_states(folder):
        if other != path and other not in earlier[1 - KEPT :]:
            other.unlink()
    return path


def load_newest_state(folder: Path) -> tuple[TrainState | None, list[Path]]:
    """The newest state that is whole, or None; and the newer ones that are damaged.

    Raises RunError where another version of Lorasmith wrote it.
    """
    damaged = []
    for path in reversed(saved_states(folder)):
        checksum, _, content = path.read_bytes().partition(b"\n")
        if hashlib.sha256(content).hexdigest().encode() != checksum:
            damaged.append(path)
            continue
        values = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        if unknown := sorted(values.keys() - {f.name for f in fields(TrainState)}):
            raise RunError(f"{path} was written by another version of Lorasmith (it holds {unknown[0]!r}); go on with that version")
        return TrainState(**values), damaged
    return None, damaged


def saved_states(folder: Path) -> list[Path]:
    """The files of the states in `folder`, by their steps."""
    return sorted(folder.glob("step-*.pt"))
