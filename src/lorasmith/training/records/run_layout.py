"""What is where in a run's folder, by name alone: for `RunFolder`, and for those who look at many runs without opening one."""

from __future__ import annotations

from pathlib import Path

CHECKPOINTS, SAMPLES, EVENTS = "checkpoints", "samples", "events.jsonl"


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run which has begun."""
    return (folder / EVENTS).is_file()


def run_of(checkpoint: Path) -> Path | None:
    """The folder of the run that a file is a checkpoint of; None for any other file."""
    run = checkpoint.parent.parent
    return run if checkpoint.parent.name == CHECKPOINTS and is_run(run) else None


def sample_name(epoch: int, step: int, number: int) -> str:
    """What the sample of a run's prompt `number`, counted from 0, is called at a moment."""
    return f"epoch{epoch:06d}-step{step:08d}-{number:02d}.png"


def first_sample(run: Path, step: int) -> Path | None:
    """The picture that a run generated from its first prompt after `step` steps; None if there is none."""
    return max((run / SAMPLES).glob(f"epoch*-step{step:08d}-00.png"), default=None)
