"""The projects of a workspace: made, found, changed, moved, and put into the bin, from which they can be taken again.

    projects = Projects("lora")
    mimi = projects.make(Project(name="Mimi", kind="character"))
    projects.archive(mimi.id)

A project is any folder straight below `projects/` of the workspace with a `project.toml`; its name is the id. Nothing is deleted here.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock
from pydantic import ValidationError

from lorasmith.curation.names import TakenNames, safe_stem
from lorasmith.dataset_folder import STATE, locked
from lorasmith.errors import InputError, SettingsError
from lorasmith.evaluation.run_folders import RunFolders
from lorasmith.jobs.job import ACTIVE, PLACED, Job
from lorasmith.jobs.lock import is_held
from lorasmith.jobs.queue import Queue
from lorasmith.jobs.sweep.sweep_folder import LOCK as SWEEP_LOCK
from lorasmith.jobs.workspace import Workspace
from lorasmith.projects.project import PROJECT_FILE, Project, ProjectFolder, first_fault
from lorasmith.training.records.run_folder import RunFolder

PROJECTS = "projects"
NAMED = 3
"""Jobs that a refusal names; there may be hundreds."""


class Projects:
    """The projects of a workspace."""

    def __init__(self, workspace: str | Path):
        self.workspace = Workspace.at(workspace)
        self.folder = self.workspace.root / PROJECTS
        self.bin = self.workspace.state / "bin"
        """Where archived ones are."""
        self.run_folders = RunFolders(self.workspace.root)

    def __iter__(self) -> Iterator[ProjectFolder]:
        """All of them, by id; a damaged one is among them."""
        return (ProjectFolder(file.parent) for file in sorted(self.folder.glob(f"*/{PROJECT_FILE}")))

    def __getitem__(self, id: str) -> ProjectFolder:
        """The project of this id; raises InputError where there is none (`project.not_found`)."""
        found = ProjectFolder(self.folder / id)
        if not _is_id(id) or not found.file.is_file():
            raise InputError(f"There is no project {id!r}. Choose one of the list.", code="project.not_found", project=id)
        return found

    def make(self, project: Project) -> ProjectFolder:
        """A new project in a folder named after it; a number is added where that name is taken."""
        with self._changing():
            taken = TakenNames(os.listdir(self.folder))
            made = ProjectFolder(self.folder / taken.claim(safe_stem(project.name).lower()))
            made.root.mkdir()
            made.runs.mkdir()
            (made.root / project.dataset).mkdir(parents=True, exist_ok=True)
            made.write(project)
        return made

    def change(self, id: str, changes: Mapping[str, Any], version: str | None = None) -> ProjectFolder:
        """Change some of what a project says of itself; raises InputError where it has changed since `version` (`project.changed`)."""
        with self._changing():
            found = self._as_read(id, version)
            try:
                project = Project.model_validate(found.read().model_dump() | dict(changes))
            except ValidationError as error:
                where, sentence = first_fault(error)
                raise SettingsError(f"The project's {where}: {sentence}", code="project.value", setting=where) from error
            found.write(project)
        return found

    def move(self, id: str, to: str) -> ProjectFolder:
        """Give a project's folder, and with it its id, another name.

        Raises:
            InputError: the name is taken (`project.exists`) or cannot be one (`project.name`), something in the project is in use
                (`project.in_use`), or a job has a place in the queue that would not find it any more (`project.jobs`).
        """
        if not _is_id(to):
            raise InputError(f"{to!r} cannot be the name of a folder on every system. Try {safe_stem(to).lower()!r}.", code="project.name")
        with self._changing():
            found, goal = self[id], self.folder / to
            if to in TakenNames(other for other in os.listdir(self.folder) if other != id):
                raise InputError(f"There is a project {to!r} already. Choose another name.", code="project.exists", project=to)
            self._put(found, goal)
        return ProjectFolder(goal)

    def archive(self, id: str, version: str | None = None) -> str:
        """Put a project into the bin, and give its name there. Raises InputError as `move` does, where something works in it or waits to."""
        with self._changing():
            found = self._as_read(id, version)
            self.bin.mkdir(parents=True, exist_ok=True)
            name = TakenNames(os.listdir(self.bin)).claim(f"{id}-{datetime.now(UTC):%Y%m%d-%H%M%S}")
            self._put(found, self.bin / name)
        return name

    @property
    def archived(self) -> list[ProjectFolder]:
        """What is in the bin, by name."""
        return [ProjectFolder(file.parent) for file in sorted(self.bin.glob(f"*/{PROJECT_FILE}"))]

    def restore(self, name: str) -> ProjectFolder:
        """Take a project out of the bin again, under its id of before where that is free."""
        with self._changing():
            found = next((one for one in self.archived if one.id == name), None)
            if found is None:
                raise InputError(
                    f"There is no project {name!r} in the bin. Choose one of the list.", code="project.not_found", project=name
                )
            goal = self.folder / TakenNames(os.listdir(self.folder)).claim(name.rsplit("-", 2)[0])
            os.rename(found.root, goal)
        return ProjectFolder(goal)

    def bases(self) -> list[str]:
        """The bases that the projects use, the most used first."""
        used: Counter[str] = Counter()
        for project in self:
            try:
                used.update(base for base in (project.read().base,) if base)
            except InputError:  # a damaged project uses none
                continue
        return [base for base, _ in used.most_common()]

    def _put(self, project: ProjectFolder, goal: Path) -> None:
        """Move a project's folder, where nobody works in it and no job waits that would look for it where it was."""
        with Queue(self.workspace.root) as queue, queue.unchanged():
            if needing := [job for job in queue.jobs((*ACTIVE, *PLACED)) if _needs(job, project, self.workspace.root)]:
                raise _wanted_by(needing, project)
            _check_not_in_use(project)
            os.rename(project.root, goal)

    def _as_read(self, id: str, version: str | None) -> ProjectFolder:
        found = self[id]
        if version is not None and version != found.version:
            raise InputError(f"The project {id!r} has changed since it was read. Look at it again.", code="project.changed", project=id)
        return found

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Nobody else makes, changes or moves a project within the block."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.workspace.state.mkdir(exist_ok=True)
        with FileLock(self.workspace.state / "projects.lock"):
            yield


def _is_id(name: str) -> bool:
    return bool(name) and name == safe_stem(name)


def _check_not_in_use(project: ProjectFolder) -> None:
    """Raises InputError where a run or a sweep of the project goes on, or its pictures are being changed."""
    for folder in project.run_folders:
        name, run = folder.relative_to(project.runs).as_posix(), RunFolder(folder)
        if run.is_running or run.is_being_judged:
            raise InputError(f"The run {name} is going on in {project.id!r}. Stop it first.", code="project.in_use", run=name)
        if is_held(folder / SWEEP_LOCK):
            raise InputError(f"The sweep {name} is going on in {project.id!r}. Stop it first.", code="project.in_use", run=name)
    inside = project.root / "dataset"
    if (inside / STATE).is_dir():
        with locked(inside):
            pass  # nobody changes the pictures now


def _needs(job: Job, project: ProjectFolder, workspace: Path) -> bool:
    """Whether a job is for the project, or names a file or folder in it."""
    named = (workspace / os.path.expanduser(text) for text in _texts(job.arguments))
    return job.project == project.id or any(Path(os.path.normpath(path)).is_relative_to(project.root) for path in named)


def _texts(value: object) -> Iterator[str]:
    """Every text in a job's arguments."""
    match value:
        case str():
            yield value
        case Mapping():
            yield from (text for each in value.values() for text in _texts(each))
        case list():
            yield from (text for each in value for text in _texts(each))


def _wanted_by(jobs: Sequence[Job], project: ProjectFolder) -> InputError:
    named = ", ".join(map(str, jobs[:NAMED])) + (f" and {len(jobs) - NAMED} more" if len(jobs) > NAMED else "")
    one = len(jobs) == 1
    return InputError(
        f"{named} in the queue {'needs' if one else 'need'} {project.id!r} where it is. Cancel {'it' if one else 'them'}, or wait until "
        f"{'it has' if one else 'they have'} ended; then try again.",
        code="project.jobs", jobs=[job.id for job in jobs],
    )  # fmt: skip
