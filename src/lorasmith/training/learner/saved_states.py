"""Which states a run has saved, by the names of their files; `state` writes and reads them."""

from __future__ import annotations

from pathlib import Path


def saved_states(folder: Path) -> list[Path]:
    """The files of the states in `folder`, by their steps."""
    return sorted(folder.glob("step-*.pt"))


def newest_step(folder: Path) -> int:
    """The step of the newest state, whole or not; 0 where there is none."""
    return max(map(step_of, saved_states(folder)), default=0)


def step_of(path: Path) -> int:
    """The step that a state's file was saved after."""
    return int(path.stem.removeprefix("step-"))
