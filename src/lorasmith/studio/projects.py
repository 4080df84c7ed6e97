"""`/api/projects`: made, listed, changed, moved, put into the bin and taken out of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from lorasmith.curation.audit.checks import CheckName
from lorasmith.errors import InputError
from lorasmith.images.upscale import check_networks
from lorasmith.projects.project import Line, PathLine, Project, ProjectFolder
from lorasmith.projects.standing import Standing, standing_of
from lorasmith.studio.etag import IfMatch, etag, version_of
from lorasmith.studio.studio import OpenStudio, Studio
from lorasmith.training.recipes.recipes import Kind, Level

router = APIRouter(tags=["projects"])


class ProjectView(Project):
    """A project, with where it is and how far it has come."""

    id: str
    folder: str = Field(description="The project's folder, by its full path.")
    standing: Standing | None = Field(description="None where the project cannot be read.")
    problem: str = Field("", description="Why it cannot be read.")


class NewProject(BaseModel):
    """What a new project begins with."""

    name: Annotated[Line, Field(min_length=1)]
    kind: Kind = "character"
    level: Level = "standard"
    base: PathLine | None = None
    trigger: Line | None = None
    dataset: PathLine = Field("dataset", description="A folder of this machine, by its full path; by default a new one in the project.")


class ProjectChange(BaseModel):
    """What to change; what is not sent stays."""

    name: Line | None = None
    kind: Kind | None = None
    level: Level | None = None
    base: PathLine | None = None
    trigger: Line | None = None
    audit_without: list[CheckName] | None = None
    read_words: bool | None = None
    upscaler: PathLine | None = Field(None, description="The `source` of a registered upscaler; empty for Lanczos.")


class Move(BaseModel):
    """Another name for the project's folder."""

    to: str


class Archived(BaseModel):
    """A project in the bin."""

    archived: str = Field(description="Its name in the bin.")


def view(studio: Studio, project: ProjectFolder) -> ProjectView:
    """A project as the API shows it; one that cannot be read is shown with the reason."""
    try:
        return ProjectView(
            **project.read().model_dump(), id=project.id, folder=str(project.root), standing=standing_of(project, studio.picture_counts),
            problem="",
        )  # fmt: skip
    except InputError as error:
        return ProjectView(name=project.id, id=project.id, folder=str(project.root), standing=None, problem=str(error))


@router.get("/projects")
def list_projects(studio: OpenStudio) -> list[ProjectView]:
    """All projects of the workspace, by id."""
    return [view(studio, project) for project in studio.projects]


@router.post("/projects", status_code=201)
def make_project(new: NewProject, studio: OpenStudio, response: Response) -> ProjectView:
    """Make a project in a folder of its own."""
    dataset = Path(new.dataset)
    if dataset.parts != ("dataset",) and not (dataset.is_absolute() and dataset.is_dir()):
        raise InputError(
            f"{new.dataset} is not a folder of this machine. Give its full path, or leave it out.",
            code="project.dataset",
            dataset=new.dataset,
        )
    made = studio.projects.make(Project(**new.model_dump()))
    return _with_version(studio, made, response)


@router.post("/projects:demo", status_code=201)
def make_demo_project(studio: OpenStudio, response: Response) -> ProjectView:
    """Make a project of the demo's world: pictures, captions, trigger and base are there, ready to train."""
    from lorasmith.studio.demo_project import make_demo_project as make  # draws its pictures with numpy

    return _with_version(studio, make(studio.projects), response)


@router.get("/projects:archived")
def list_archived_projects(studio: OpenStudio) -> list[ProjectView]:
    """What is in the bin; `id` is the name there."""
    return [view(studio, project) for project in studio.projects.archived]


@router.post("/projects:archived/{name}:restore")
def restore_project(name: str, studio: OpenStudio) -> ProjectView:
    """Take a project out of the bin."""
    return view(studio, studio.projects.restore(name))


@router.get("/projects/{project}")
def get_project(project: str, studio: OpenStudio, response: Response) -> ProjectView:
    """One project. The `ETag` is for `If-Match`."""
    return _with_version(studio, studio.projects[project], response)


@router.patch("/projects/{project}")
def change_project(project: str, change: ProjectChange, studio: OpenStudio, response: Response, if_match: IfMatch = None) -> ProjectView:
    """Change what is sent: name, kind, level, base, trigger, checks that are off, whether words are read, upscaler; null removes base or trigger."""
    if change.upscaler and not any(one.kind == "upscaler" and one.source == change.upscaler for one in studio.shelf):
        raise InputError(
            f"{change.upscaler} is not among the upscalers of the settings. Add it there, or choose Lanczos.",
            code="project.upscaler", upscaler=change.upscaler,
        )  # fmt: skip
    if change.upscaler:
        check_networks()
    changed = studio.projects.change(project, change.model_dump(exclude_unset=True), version_of(if_match))
    return _with_version(studio, changed, response)


@router.post("/projects/{project}:move")
def move_project(project: str, move: Move, studio: OpenStudio, response: Response) -> ProjectView:
    """Give the project's folder, and with it its id, another name."""
    return _with_version(studio, studio.projects.move(project, move.to), response)


@router.delete("/projects/{project}")
def archive_project(project: str, studio: OpenStudio, if_match: IfMatch = None) -> Archived:
    """Put the project into the bin; nothing is deleted."""
    return Archived(archived=studio.projects.archive(project, version_of(if_match)))


def _with_version(studio: Studio, project: ProjectFolder, response: Response) -> ProjectView:
    response.headers["etag"] = etag(project.version)
    return view(studio, project)
