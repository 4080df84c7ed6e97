"""`/api/runs`: the runs of the workspace, each read from its folder alone."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, JsonValue
from starlette.responses import Response

from lorasmith.errors import InputError, RunError
from lorasmith.evaluation.proven import verdict_sentence
from lorasmith.jobs.sweep.sweep_folder import RECORD
from lorasmith.projects.runs import FoundRun, find_run, id_of, runs_of
from lorasmith.secrets import without_secrets
from lorasmith.studio.courses import CourseSummary
from lorasmith.studio.etag import IfNoneMatch
from lorasmith.studio.files import picture_response
from lorasmith.studio.log import LogPage, read_log
from lorasmith.studio.paths import confined
from lorasmith.studio.said import Said, said
from lorasmith.studio.studio import OpenStudio, Studio
from lorasmith.training.commands import Command
from lorasmith.training.events import Finished, Stopped
from lorasmith.training.records.run_folder import RunFolder

router = APIRouter(tags=["runs"])
files = APIRouter(tags=["files"])

State = Literal["running", "judging", "finished", "stopped", "killed", "unreadable"]


class RunView(BaseModel):
    """A run and how far it is."""

    id: str
    project: str
    sweep: str | None = Field(description="The sweep of which it is a trial, by its id.")
    folder: str
    name: str
    state: State = Field(
        description="judging: finished, and its proof is being made. killed: its process ended without a word, and it can go on from its last saved state."
    )
    reason: str = Field(description="Why it was stopped, finished early, or cannot be read.")
    code: str = Field(description="Of the reason: `stopped` where somebody asked for it, else the error's, such as `run.out_of_memory`.")
    step: int
    steps: int | None
    epoch: int
    epochs: int | None
    eta: float | None = Field(description="Seconds until its end, while it runs.")
    loss: float | None = Field(description="Smoothed.")
    images_per_second: float | None
    last_event: datetime | None
    checkpoints: int
    samples: int
    verdict: str = Field(description="The first sentence of its proof; empty where there is none.")
    said: Said | None = Field(description="The same by its code and values.")


class CheckpointView(BaseModel):
    """A LoRA file of a run."""

    file: str
    epoch: int
    step: int
    final: bool


class RunFacts(RunView):
    """A run with its settings and files."""

    settings: dict[str, JsonValue]
    files: list[CheckpointView]
    warnings: list[str]
    offset: int = Field(description="Where to watch its events from: everything before is in this answer and in the curve.")


class Series(BaseModel):
    """One number over the steps."""

    steps: list[int]
    values: list[float | None]


class CurveView(BaseModel):
    """The numbers of a run."""

    offset: int = Field(description="Where to watch the run's events from.")
    series: dict[str, Series] = Field(description="By name: `loss/step`, `loss/smoothed`, `lr/unet`, `validation/gap` ...")


class SampleView(BaseModel):
    """A picture that was generated on the way."""

    url: str
    prompt: str
    seed: int
    epoch: int
    step: int


class Difference(BaseModel):
    """A setting in which runs differ."""

    setting: str
    values: dict[str, JsonValue] = Field(description="Run -> its value; None where it has none.")


@router.get("/runs")
def list_runs(studio: OpenStudio, project: str = "") -> list[RunView]:
    """All runs of the workspace and its projects, the latest first."""
    found = [_view(studio, run) for run in runs_of(studio.projects) if not project or run.project == project]
    return sorted(found, key=lambda run: -(run.last_event.timestamp() if run.last_event else 0))


@router.get("/runs:compare")
def compare_runs(runs: Annotated[list[str], Query(description="Their ids.")], studio: OpenStudio) -> list[Difference]:
    """The settings in which runs differ."""
    flat = {id: _flat(_settings(find_run(studio.projects, id))) for id in runs}
    names = dict.fromkeys(name for settings in flat.values() for name in settings)
    values = {name: {id: settings.get(name) for id, settings in flat.items()} for name in names}
    return [Difference(setting=name, values=each) for name, each in values.items() if len({str(value) for value in each.values()}) > 1]


@router.get("/runs/{run}")
def get_run(run: str, studio: OpenStudio) -> RunFacts:
    """One run with its settings and its LoRA files."""
    found = find_run(studio.projects, run)
    view, course = _view(studio, found), studio.courses.follow(found.folder.events)
    return RunFacts(
        **view.model_dump(), settings=_settings(found), warnings=[warned.message for warned in course.warnings], offset=course.offset,
        files=[CheckpointView(file=one.path, epoch=one.epoch, step=one.step, final=one.final) for one in course.checkpoints],
    )  # fmt: skip


@router.get("/runs/{run}/curve")
def get_curve(
    run: str, studio: OpenStudio, most: Annotated[int, Query(ge=10, le=20_000)] = 2000,
    from_: Annotated[int, Query(alias="from", ge=0, description="The first step.")] = 0, name: str = "",
) -> CurveView:  # fmt: skip
    """The numbers of a run, each thinned to its lowest and highest values; `name` is the beginning of those that are wanted."""
    course = studio.courses.follow(find_run(studio.projects, run).folder.events)
    series = {}
    for key, curve in course.curves.items():
        if key.startswith(name):
            steps, values = curve.after(from_).thinned(most)
            series[key] = Series(steps=steps, values=[value if math.isfinite(value) else None for value in values])
    return CurveView(offset=course.offset, series=series)


@router.get("/runs/{run}/samples")
def list_samples(run: str, studio: OpenStudio) -> list[SampleView]:
    """The pictures that the run generated, in their order."""
    found = find_run(studio.projects, run)
    return [
        SampleView(url=f"/files/runs/{quote(run)}/{quote(place)}", prompt=one.prompt, seed=one.seed, epoch=one.epoch, step=one.step)
        for one in studio.courses.follow(found.folder.events).samples
        if (place := _below(found, one.path)) is not None
    ]


@router.get("/runs/{run}/log")
def get_events(
    run: str, studio: OpenStudio, before: Annotated[int | None, Query(ge=0)] = None, count: Annotated[int, Query(ge=1, le=5000)] = 500
) -> LogPage:
    """The last lines of the run's events, or those before an earlier page."""
    return read_log(find_run(studio.projects, run).folder.events, before, count)


@router.post("/runs/{run}:{command}", status_code=202)
def ask_run(run: str, command: Command, studio: OpenStudio) -> None:
    """Ask a run that goes on, wherever it was started, to stop (and save), to save, or to sample now."""
    find_run(studio.projects, run).folder.send(command)


@files.get("/runs/{run}/{file:path}", response_class=Response, responses={200: {"content": {"image/*": {}}}})
def get_run_file(run: str, file: str, studio: OpenStudio, if_none_match: IfNoneMatch = None) -> Response:
    """A picture of a run: a sample, or one of its proof."""
    place = confined(find_run(studio.projects, run).folder.root, file)
    if not place.is_file():
        raise InputError(f"The run {run} has no file {file}.", code="run.not_found", run=run, file=file)
    return picture_response(place, if_none_match)


def _view(studio: Studio, run: FoundRun) -> RunView:
    try:
        course = studio.courses.summary(run.folder.events)
    except RunError as error:
        return RunView(
            id=run.id, project=run.project, sweep=_sweep(studio, run), folder=str(run.folder.root), name=run.folder.root.name, state="unreadable", reason=str(error), code=error.code,
            step=0, steps=None, epoch=0, epochs=None, loss=None, images_per_second=None, last_event=None, checkpoints=0, samples=0, verdict="", said=None,
            eta=None,
        )  # fmt: skip
    planned, last, ending, verdict = course.planned, course.last_step, course.ending, verdict_sentence(run.folder.root)
    running = run.folder.is_running
    return RunView(
        id=run.id, project=run.project, sweep=_sweep(studio, run), folder=str(run.folder.root), name=run.folder.root.name, state=_state(course, run.folder, running),
        reason="" if running else _reason(ending), code=ending.code if isinstance(ending, Stopped) and not running else "", step=last.step if last else 0, steps=planned.steps if planned else None,
        epoch=last.epoch if last else 0, epochs=planned.epochs if planned else None, eta=last.eta if last and running else None,
        loss=_finite(last.loss_smoothed) if last else None, images_per_second=last.images_per_second if last else None,
        last_event=datetime.fromtimestamp(course.last_time, UTC) if course.last_time else None, checkpoints=course.checkpoints,
        samples=course.samples, verdict=str(verdict or ""), said=None if verdict is None else said(verdict),
    )  # fmt: skip


def _sweep(studio: Studio, run: FoundRun) -> str | None:
    """The sweep of which a run is a trial."""
    folder = run.folder.root.parent
    return id_of(folder.relative_to(studio.projects.workspace.root).parts)[0] if (folder / RECORD).is_file() else None


def _state(course: CourseSummary, folder: RunFolder, running: bool) -> State:
    if running:
        return "running"
    match course.ending:
        case Finished():
            return "judging" if folder.is_being_judged else "finished"
        case Stopped():
            return "stopped"
        case _:
            return "killed"


def _reason(ending: Finished | Stopped | None) -> str:
    return "" if ending is None else ending.early if isinstance(ending, Finished) else ending.reason


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


def _settings(run: FoundRun) -> dict[str, JsonValue]:
    settings: dict[str, JsonValue] = without_secrets(run.folder.read_settings().model_dump(mode="json", exclude_none=True))
    return settings


def _flat(tree: dict[str, JsonValue], above: str = "") -> dict[str, JsonValue]:
    """The tree as dotted names; the tables of a list, such as datasets, are counted from 1."""
    found: dict[str, JsonValue] = {}
    for name, value in tree.items():
        tables = isinstance(value, list) and value and all(isinstance(one, dict) for one in value)
        inner = {str(number): one for number, one in enumerate(value, 1)} if tables else value  # type: ignore[arg-type]
        found |= _flat(inner, f"{above}{name}.") if isinstance(inner, dict) else {f"{above}{name}": value}
    return found


def _below(run: FoundRun, path: str) -> str | None:
    """A file that an event names, if it is there: its path below the run's folder."""
    return path if not Path(path).is_absolute() and (run.folder.root / path).is_file() else None
