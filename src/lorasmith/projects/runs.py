"""The runs of a workspace: every folder of a run in its `runs`, and in those of its projects, wherever it was started from.

A run's id is its folder's name, with the project in front of it: `zorvex-3`, `mimi~zorvex-3`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lorasmith.errors import InputError
from lorasmith.projects.projects import Projects
from lorasmith.training.records.run_folder import RunFolder

BETWEEN = "~"


@dataclass(frozen=True)
class FoundRun:
    """A run's folder and how it is called."""

    id: str
    project: str
    """"" of a run that belongs to none."""
    folder: RunFolder


def runs_of(projects: Projects) -> Iterator[FoundRun]:
    """All runs of a workspace, those of no project first, by name."""
    for folder in _run_folders(projects.workspace.root / "runs"):
        yield FoundRun(folder.name, "", RunFolder(folder))
    for project in projects:
        for folder in _run_folders(project.runs):
            yield FoundRun(f"{project.id}{BETWEEN}{folder.name}", project.id, RunFolder(folder))


def find_run(projects: Projects, id: str) -> FoundRun:
    """The run of this id; raises InputError where there is none (`run.not_found`)."""
    found = next((run for run in runs_of(projects) if run.id == id), None)
    if found is None:
        raise InputError(f"There is no run {id!r} in this workspace. Choose one of the list.", code="run.not_found", run=id)
    return found


def _run_folders(place: Path) -> list[Path]:
    return [file.parent for file in sorted(place.glob("*/settings.toml"))]
