"""The runs of a workspace: every folder of a run in it, wherever that was started from.

A run's id is its folder's name, with the project in front of it: `zorvex-3`, `mimi~zorvex-3`; of a trial of a sweep with the sweep's between them:
`mimi~rates~trial-1`. Of one that is neither in the workspace's `runs` nor in a project's it is the whole path: `~tries~zorvex-3`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from lorasmith.errors import InputError
from lorasmith.projects.projects import PROJECTS, Projects
from lorasmith.training.records.run_folder import RunFolder

BETWEEN = "~"


Folder = TypeVar("Folder")


@dataclass(frozen=True)
class Found(Generic[Folder]):
    """The folder of a run, or of a sweep, and how it is called."""

    id: str
    project: str
    """"" of one that belongs to none."""
    folder: Folder


FoundRun = Found[RunFolder]


def runs_of(projects: Projects) -> Iterator[FoundRun]:
    """All runs of a workspace, by their folders."""
    root = projects.workspace.root
    for folder in projects.run_folders.found():
        id, project = id_of(folder.relative_to(root).parts)
        yield FoundRun(id, project, RunFolder(folder))


def id_of(parts: tuple[str, ...]) -> tuple[str, str]:
    """How the folder of a run, or of a sweep, is called by its path below the workspace; and its project, or ""."""
    match parts:
        case ("runs", name):
            return name, ""
        case (home, project, "runs", *names) if home == PROJECTS and names:
            return BETWEEN.join((project, *names)), project
    return "".join(f"{BETWEEN}{part}" for part in parts), ""


def find_run(projects: Projects, id: str) -> FoundRun:
    """The run of this id; raises InputError where there is none (`run.not_found`)."""
    found = next((run for run in runs_of(projects) if run.id == id), None)
    if found is None:
        raise InputError(f"There is no run {id!r} in this workspace. Choose one of the list.", code="run.not_found", run=id)
    return found
