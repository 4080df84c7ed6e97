"""How far a project has come, read from its folders: what is there to do next, in one word."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lorasmith.dataset_folder import REGULARISATION_NAMES, caption_names, is_picture, walk
from lorasmith.evaluation.proof.record import PROOF, RECORD
from lorasmith.projects.project import ProjectFolder
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
    """The run that goes on, by its folder's name."""


def standing_of(project: ProjectFolder) -> Standing:
    """Look at a project's folders; nothing is opened but project.toml. Raises InputError where that cannot be read."""
    pictures, captioned = _counted(project.dataset)
    runs = [RunFolder(file.parent) for file in sorted(project.runs.glob("*/settings.toml"))]
    running = next((run.root.name for run in runs if run.is_running), None)
    proven = any((run.root / PROOF / RECORD).is_file() for run in runs)
    finished = any(any(run.checkpoints.glob("*.safetensors")) for run in runs)
    stage: Stage = (
        "running" if running else "proven" if proven else "prove" if finished else "train" if captioned and captioned == pictures
        else "captions" if pictures else "pictures"
    )  # fmt: skip
    return Standing(stage, pictures, captioned, len(runs), running)


def _counted(dataset: Path) -> tuple[int, int]:
    """How many pictures there are below a folder, and how many have a caption file."""
    pictures = captioned = 0
    if not dataset.is_dir():
        return 0, 0
    for _, names in walk(dataset, leave_out=REGULARISATION_NAMES):
        here = set(names)
        own = [name for name in names if is_picture(name)]
        pictures += len(own)
        captioned += sum(any(os.fspath(caption) in here for caption in caption_names(name)) for name in own)
    return pictures, captioned
