"""What a run must save to continue: one dataclass, written so that a kill at any instant loses nothing that was saved.

A state is one file: a line with the checksum of what follows, then what follows. So it is whole or it is not there, and damage that a
disk does later is noticed. It is written aside, synced and renamed; only then is the oldest one deleted. The last two are kept, and
the newest that is whole is read.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from lorasmith.atomic import write_atomically
from lorasmith.errors import RunError
from lorasmith.training.learner.saved_states import saved_states

STATES_KEPT = 2
LAYOUT = 3
"""Rises when a field is renamed, what is in one changes its form, or the steps after it are others (`order.ORDER`)."""


@dataclass
class TrainState:
    """Everything that changes while training. All random draws depend on `step` and the settings, so no generator is in here."""

    step: int = 0
    adapter: dict[str, torch.Tensor] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    epoch_loss: float = 0.0
    """Sum of the step losses of the epoch under way."""
    epoch_steps: int = 0
    elapsed: float = 0.0
    """Seconds of training before this moment."""
    ema: dict[str, torch.Tensor] = field(default_factory=dict)
    """The EMA of the adapters' weights, where there is one."""
    scale: dict[str, float] = field(default_factory=dict)
    """Of the loss, in fp16."""
    non_finite_in_a_row: int = 0
    """Steps up to now whose loss was not finite."""
    loss_sums: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Of `records.metrics`."""

    def __repr__(self) -> str:
        return f"TrainState(step {self.step}, {len(self.adapter)} trained tensors)"

    @property
    def saved(self) -> bool:
        """Whether something has been learnt that a run continues from; False at the very start, from which it starts again."""
        return self.step > 0


def save_state(folder: Path, state: TrainState) -> Path:
    """Write `state` into `folder` as step-XXXXXXXX.pt; of the others only the last one before it stays.

    States of later steps are deleted too: they were damaged, or the run would not have come to this step again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    torch.save({"layout": LAYOUT, **vars(state)}, content)
    path = folder / f"step-{state.step:08d}.pt"
    write_atomically(path, hashlib.sha256(content.getbuffer()).hexdigest().encode() + b"\n" + content.getbuffer())
    earlier = [other for other in saved_states(folder) if other < path]
    for other in saved_states(folder):
        if other != path and other not in earlier[1 - STATES_KEPT :]:
            other.unlink()
    return path


def load_newest_state(folder: Path) -> tuple[TrainState | None, list[Path]]:
    """The newest state that is whole, or None; and the newer ones that are damaged.

    Raises RunError (`run.state_layout`) where another version of Lorasmith wrote it.
    """
    damaged = []
    for path in reversed(saved_states(folder)):
        checksum, _, content = path.read_bytes().partition(b"\n")
        if hashlib.sha256(content).hexdigest().encode() != checksum:
            damaged.append(path)
            continue
        values = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        layout = values.pop("layout", 1)
        if layout != LAYOUT:
            raise _of_another_version(path, layout)
        return TrainState(**values), damaged
    return None, damaged


def _of_another_version(path: Path, layout: int) -> RunError:
    run = path.parent.parent
    older = "an older" if layout < LAYOUT else "a newer"
    return RunError(
        f"The run {run} was saved by {older} Lorasmith (layout {layout} of {path.name}, and this one reads {LAYOUT}). Continue it with that "
        f"version (manifest.json names it), or start a new run from its newest LoRA in {run / 'checkpoints'} with network.weights.",
        code="run.state_layout", run=str(run), layout=layout,
    )  # fmt: skip
