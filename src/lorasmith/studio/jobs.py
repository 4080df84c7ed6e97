"""`/api/jobs`: the queue of the workspace, shown, added to and asked things of. What works through it outlives the studio."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, JsonValue

from lorasmith.errors import InputError
from lorasmith.jobs import enqueue
from lorasmith.jobs.job import Job, Needs, State
from lorasmith.jobs.journal import latest_progress
from lorasmith.jobs.kinds.registry import KINDS
from lorasmith.secrets import without_secrets
from lorasmith.studio.etag import version_of_all
from lorasmith.studio.log import LogPage, read_log
from lorasmith.studio.paths import within
from lorasmith.studio.studio import OpenStudio, Studio

router = APIRouter(tags=["jobs"])

Verb = Literal["stop", "cancel", "pause", "resume", "retry", "dismiss", "save", "sample"]

WRITTEN = ("out", "cache", "run", "dataset")
"""Arguments of jobs that name what is written to, and `into` of an import."""


class JobKind(BaseModel):
    """A kind of job."""

    name: str
    words: str = Field(description="What it does, for people.")
    needs: Needs
    takes_commands: bool = Field(description="Whether it can be asked to save or sample while it goes on.")
    arguments: dict[str, JsonValue] = Field(description="JSON schema of its arguments.")


class ProgressView(BaseModel):
    """How far a job is."""

    done: int
    of: int
    unit: str
    doing: str
    rate: float | None = Field(description="How many are done in a second.")
    eta: float | None = Field(description="Seconds until this part is done.")


class JobView(BaseModel):
    """A job of the queue."""

    id: int
    kind: str
    words: str = Field(description="What it does, for people.")
    arguments: dict[str, JsonValue]
    state: State
    project: str
    priority: int
    place: int = Field(description="The order among jobs of one priority.")
    device: str
    attempts: int
    created: datetime
    started: datetime | None
    ended: datetime | None
    sentence: str = Field(description="Why it is in this state, for people.")
    outcome: dict[str, JsonValue] = Field(description="What it made.")
    dismissed: bool = Field(description="Whether it has ended and a person wants to see no more of it.")
    progress: ProgressView | None


class NewJob(BaseModel):
    """A job to be added."""

    kind: str
    arguments: dict[str, JsonValue] = Field(default={}, description="As its kind describes them; paths are relative to the workspace.")
    project: str = Field("", description="The project that it is for.")
    priority: int = Field(0, ge=-100, le=100, description="Higher ones go first.")


class VersionRead(BaseModel):
    """What the files of a job are."""

    version: str = Field(description="Another one where a file that the job reads is another.")


class JobChange(BaseModel):
    """Another place in the queue."""

    order: int | None = Field(None, ge=1, description="Its position among the jobs that wait, 1 for the next one.")
    priority: int | None = Field(None, ge=-100, le=100)


def view(studio: Studio, job: Job) -> JobView:
    """A job as the API shows it."""
    kind = KINDS.get(job.kind)
    progress = latest_progress(studio.queue.workspace.job(job.id).events)
    return JobView(
        id=job.id, kind=job.kind, words=job.kind if kind is None else kind.words, arguments=without_secrets(job.arguments), state=job.state,
        project=job.project, priority=job.priority, place=job.place, device=job.device, attempts=job.attempts, created=_time(job.created),
        started=None if job.started is None else _time(job.started), ended=None if job.ended is None else _time(job.ended),
        sentence=job.sentence, outcome=job.outcome, dismissed=job.dismissed, progress=None if progress is None else ProgressView(**vars(progress)),
    )  # fmt: skip


@router.get("/jobs")
def list_jobs(studio: OpenStudio, state: Annotated[list[State], Query()] = [], project: str = "") -> list[JobView]:  # noqa: B006
    """Jobs that run, then those that wait or are paused in their order, then those that have ended, the latest first."""
    jobs = studio.queue.jobs(state or None)
    return [view(studio, job) for job in jobs if not project or job.project == project]


@router.get("/jobs/kinds")
def list_job_kinds() -> list[JobKind]:
    """The kinds of jobs with their arguments."""
    return [
        JobKind(name=name, words=kind.words, needs=kind.needs, takes_commands=kind.takes_commands, arguments=kind.arguments.model_json_schema())
        for name, kind in KINDS.items()
    ]  # fmt: skip


@router.post("/jobs", status_code=201)
def add_job(new: NewJob, studio: OpenStudio) -> JobView:
    """Put a job at the end of the queue; it begins as soon as there is room."""
    if new.project:
        studio.projects[new.project]
    _check_what_is_written(studio, new.kind, new.arguments)
    job = enqueue.enqueue(studio.queue, new.kind, new.arguments, new.project, new.priority, studio.start_supervisor)
    return view(studio, job)


@router.post("/jobs:reads")
def get_version_read(new: NewJob, studio: OpenStudio) -> VersionRead:
    """The version of all that a job with these arguments would read, models and LoRAs among it; nothing is added."""
    reads = enqueue.checked(new.kind, new.arguments).read_paths()
    return VersionRead(version=version_of_all(studio.workspace / path for _, path in reads))


@router.get("/jobs/{job}")
def get_job(job: int, studio: OpenStudio) -> JobView:
    """One job."""
    return view(studio, studio.queue.get(job))


@router.patch("/jobs/{job}")
def move_job(job: int, change: JobChange, studio: OpenStudio) -> JobView:
    """Give a job another priority, or another position among those that wait."""
    found = studio.queue.get(job)
    if change.priority is not None:
        found = studio.queue.prioritise(job, change.priority)
    if change.order is not None:
        found = studio.queue.move(job, change.order)
    return view(studio, found)


@router.post("/jobs/{job}:{verb}")
def ask_job(job: int, verb: Verb, studio: OpenStudio) -> JobView:
    """Ask something of a job: stop (a training saves first), cancel, pause, resume, retry, dismiss; of a running training also save or sample."""
    match verb:
        case "stop" | "cancel" | "pause":
            return view(studio, enqueue.request(studio.queue, job, verb, studio.start_supervisor))
        case "resume" | "retry":
            return view(studio, enqueue.again(studio.queue, job, studio.start_supervisor))
        case "dismiss":
            return view(studio, studio.queue.dismiss(job))
        case "save" | "sample":
            enqueue.send(studio.queue, job, verb)
            return view(studio, studio.queue.get(job))


@router.get("/jobs/{job}/log")
def get_job_log(
    job: int, studio: OpenStudio, before: Annotated[int | None, Query(ge=0)] = None, count: Annotated[int, Query(ge=1, le=5000)] = 500
) -> LogPage:
    """The last lines that a job printed, or those before an earlier page."""
    studio.queue.get(job)
    return read_log(studio.queue.workspace.job(job).log, before, count)


def _check_what_is_written(studio: Studio, kind: str, arguments: Mapping[str, Any]) -> None:
    """Raises InputError where a job would write outside of the workspace and the folders that the user registered."""
    roots = [studio.workspace, *_registered(studio)]
    written = [*(arguments.get(name) for name in WRITTEN), arguments.get("into") if kind == "import" else None]
    written.append(arguments.get("file") if kind == "sweep" and (studio.workspace / str(arguments.get("file"))).is_dir() else None)
    sweep = arguments.get("sweep")
    for settings in (arguments.get("settings"), arguments.get("changes"), sweep.get("settings") if isinstance(sweep, dict) else None):
        written.append(settings.get("cache") if isinstance(settings, dict) else None)
    for place in written:
        if isinstance(place, str) and not any(_is_within(root, studio.workspace / os.path.expanduser(place)) for root in roots):
            raise InputError(
                f"{place} is outside of the workspace {studio.workspace}, so no job may write there. Give a path in it, in a project, or in a folder of the library.",
                code="jobs.outside", path=place,
            )  # fmt: skip


def _registered(studio: Studio) -> Iterable[Path]:
    """Folders outside of the workspace that are projects' datasets, or in the library."""
    yield from studio.catalogue.folders
    for project in studio.projects:
        try:
            yield project.dataset
        except InputError:  # a damaged project has registered nothing
            continue


def _is_within(root: Path, place: Path) -> bool:
    try:
        within(root, place)
    except (InputError, ValueError):
        return False
    return True


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
