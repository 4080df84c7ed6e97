"""How far a project has come, read from its folders: what is there to do next, in one word."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lorasmith.evaluation.proof.record import PROOF, RECORD
from lorasmith.projects.picture_counts import Counts, PictureCounts
from lorasmith.projects.project import ProjectFolder
from lorasmith.projects.runs import BETWEEN
from lorasmith.training.records.run_folder import RunFolder

Stage = Literal["pictures", "captions", "train", "running", "prove", "proven"]
"""What comes next: bring pictures, caption them, train, wait, prove a run; or nothing, because one is proven."""


@dataclass(frozen=True)
class Standing:
    """How far a project has come."""

    stage: Stage
    pictures: int
    """Those of regularisation are not counted."""
    captioned: int
    """Pictures with a caption file."""
    runs: int
    running: str | None
    """The run that goes on, as its id has it behind the project's: `first`, or `rates~trial-1` of a sweep's trial."""


def standing_of(project: ProjectFolder, count: Callable[[Path], Counts] | None = None) -> Standing:
    """Look at a project's folders; nothing is opened but project.toml. Raises InputError where that cannot be read.

    `count` counts pictures; one that is kept (`PictureCounts`) does so quicker the next time.
    """
    pictures, captioned = (count or PictureCounts())(project.dataset)
    runs = [run for folder in project.run_folders if (run := RunFolder(folder)).settings.is_file()]
    running = next((BETWEEN.join(run.root.relative_to(project.runs).parts) for run in runs if run.is_running), None)
    proven = any((run.root / PROOF / RECORD).is_file() for run in runs)
    finished = any(any(run.checkpoints.glob("*.safetensors")) for run in runs)
    stage: Stage = (
        "running" if running else "proven" if proven else "prove" if finished else "train" if captioned and captioned == pictures
        else "captions" if pictures else "pictures"
    )  # fmt: skip
    return Standing(stage, pictures, captioned, len(runs), running)
