"""The sweeps of a workspace: every folder of one in it, wherever that was started from. Their ids are made as those of runs are.

runs/rates                  rates
projects/mimi/runs/rates    mimi~rates, and its trials the runs mimi~rates~trial-1 ...
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lorasmith.errors import InputError
from lorasmith.jobs.sweep.sweep_folder import RECORD
from lorasmith.projects.projects import PROJECTS, Projects
from lorasmith.projects.runs import Found, id_of

FoundSweep = Found[Path]


def sweeps_of(projects: Projects) -> Iterator[FoundSweep]:
    """All sweeps of a workspace, by their folders."""
    root = projects.workspace.root
    folders = {file.parent for pattern in ("runs", f"{PROJECTS}/*/runs") for file in root.glob(f"{pattern}/*/{RECORD}")}
    folders |= {place for place in {run.parent for run in projects.run_folders.found()} if (place / RECORD).is_file()}
    for folder in sorted(folders):
        id, project = id_of(folder.relative_to(root).parts)
        yield FoundSweep(id, project, folder)


def find_sweep(projects: Projects, id: str) -> FoundSweep:
    """The sweep of this id; raises InputError where there is none (`sweep.not_found`)."""
    found = next((sweep for sweep in sweeps_of(projects) if sweep.id == id), None)
    if found is None:
        raise InputError(f"There is no sweep {id!r} in this workspace. Choose one of the list.", code="sweep.not_found", sweep=id)
    return found
