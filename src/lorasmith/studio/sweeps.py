"""`/api/sweeps`: the sweeps of the workspace, each read from its folder and its trials'. What is said of one is what its written page says."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field, JsonValue
from starlette.responses import PlainTextResponse

from lorasmith.errors import InputError, LorasmithError, RunError
from lorasmith.jobs.enqueue import again, enqueue
from lorasmith.jobs.job import ACTIVE, WAITING, Job
from lorasmith.jobs.sweep.effects import Effect
from lorasmith.jobs.sweep.onlooker import is_worked_on
from lorasmith.jobs.sweep.outcome import Swept, TrialOutcome
from lorasmith.jobs.sweep.runner import TrialState
from lorasmith.jobs.sweep.sweep_file import Effort
from lorasmith.jobs.sweep.sweep_folder import RECORD, SweepFolder
from lorasmith.jobs.sweep.sweep_toml import sweep_toml
from lorasmith.jobs.sweep.trials import value_in_words
from lorasmith.projects.runs import id_of
from lorasmith.projects.sweeps import FoundSweep, find_sweep, sweeps_of
from lorasmith.studio.courses import NOTHING_YET, CourseSummary
from lorasmith.studio.jobs import JobView, view
from lorasmith.studio.proofs import Number
from lorasmith.studio.said import Said, all_said, said
from lorasmith.studio.studio import OpenStudio, Studio
from lorasmith.training.events import ValidationDone
from lorasmith.training.records.run_folder import RunFolder

router = APIRouter(tags=["sweeps"])

State = Literal["waiting", "running", "stopping", "stopped", "failed", "finished", "unreadable"]
KIND = "sweep"
"""The kind of job that works on a sweep."""
GOING = ("waiting", "running", "paused")
"""States of trials that have not ended."""


class SweepView(BaseModel):
    """A sweep and how far it is."""

    id: str
    project: str
    folder: str
    name: str
    state: State = Field(description="waiting: in the queue. stopped: it goes on where it was when it is resumed.")
    reason: str = Field(description="Why it failed, or cannot be read.")
    job: int | None = Field(description="The latest job that works on it; None of one that was started in a shell.")
    search: str
    trials: int = Field(description="All that it will have, if no time runs out.")
    begun: int
    ended: int
    in_full: bool = Field(description="Whether the winner of short trials is trained in full at the end.")
    runs: list[str] = Field(description="The runs of its trials, by their ids.")
    last_event: datetime | None
    sentence: str = Field(description="What to use, as far as it is known.")
    sentence_said: Said | None = Field(description="The same by its code and values; None where the sweep cannot be read.")


class ValidationView(BaseModel):
    """What held-out pictures came to."""

    epoch: int
    loss: float
    change: Number = Field(
        description="Against the base, below 0 where the LoRA does better; the error is the margin, half of a 95 % interval."
    )


class TrialView(BaseModel):
    """A trial of a sweep as it is now."""

    number: int | None = Field(description="None: the winner, trained in full.")
    run: str | None = Field(description="The run that it is; None where that has not begun.")
    values: dict[str, str] = Field(description="The settings that vary, in words.")
    state: TrialState | Literal["ruled out"]
    reason: str = Field(description="Why it was ruled out, or failed.")
    reason_said: Said | None = Field(description="Why it was ruled out, by its code and values; None otherwise.")
    step: int
    steps: int | None
    epoch: int
    epochs: int | None
    held_out: ValidationView | None = Field(description="The latest; None where nothing is held out.")
    score: Number | None
    verdict: list[str]
    said: list[Said] = Field(description="The verdict by its sentences' codes and values.")
    file: str | None = Field(description="The LoRA to use, below the run's folder.")
    recommended: bool
    as_good: bool


class DifferenceView(BaseModel):
    """A value of a setting beside the best one."""

    value: str
    trials: int
    below: Number = Field(description="By how much it scores less; the error is a standard error, over prompts and trainings.")
    differs: bool = Field(description="False where that cannot be told.")


class EffectView(BaseModel):
    """What a setting did."""

    setting: str
    best: str
    trials: int = Field(description="Judged ones with the best value.")
    sentence: str
    said: Said = Field(description="The sentence by its code and values.")
    repeated: bool = Field(description="Whether the error knows how much trainings vary.")
    others: list[DifferenceView]


class SweepFacts(SweepView):
    """A sweep with its trials and what was found."""

    vary: dict[str, JsonValue] = Field(description="As the sweep's file has it.")
    hours: float | None
    share: float
    effort: Effort
    stop_early: bool
    length: dict[str, JsonValue] = Field(
        description="The settings of the length in full, which short trials do not have: dotted name -> value."
    )
    sentences: list[str] = Field(description="What to use, what is as good, and what each setting did.")
    said: list[Said] = Field(description="The sentences by their codes and values.")
    rows: list[TrialView]
    effects: list[EffectView]
    why_not: str = Field(description="Why the verdicts cannot be compared; empty where they can.")
    why_not_said: Said | None = Field(description="The same by its code and values.")


@router.get("/sweeps")
def list_sweeps(studio: OpenStudio, project: str = "") -> list[SweepView]:
    """All sweeps of the workspace and its projects, the latest first."""
    found = [_view(studio, sweep) for sweep in sweeps_of(studio.projects) if not project or sweep.project == project]
    return sorted(found, key=lambda sweep: -(sweep.last_event.timestamp() if sweep.last_event else 0))


@router.get("/sweeps/{sweep}")
def get_sweep(sweep: str, studio: OpenStudio) -> SweepFacts:
    """One sweep: its trials as they go, and what they came to."""
    found = find_sweep(studio.projects, sweep)
    outcome = studio.outcomes.of(studio.queue, found.folder)
    file, training, swept = outcome.sweep.file, outcome.sweep.settings.training, outcome.swept
    return SweepFacts(
        **_view(studio, found).model_dump(), vary=file.vary, hours=file.hours, share=file.share, effort=file.effort, stop_early=file.stop_early,
        length={"training.epochs": training.epochs, "training.max_train_steps": training.max_train_steps},
        sentences=list(swept.sentences), said=all_said(swept.said), rows=[_row(studio, swept, one) for one in swept.trials], effects=[_effect(one) for one in swept.effects],
        why_not=swept.why_not, why_not_said=None if swept.incomparable is None else said(swept.incomparable),
    )  # fmt: skip


@router.get("/sweeps/{sweep}/file", response_class=PlainTextResponse)
def get_sweep_file(sweep: str, studio: OpenStudio) -> PlainTextResponse:
    """The sweep as a file that `lorasmith sweep` takes."""
    return PlainTextResponse(sweep_toml(studio.outcomes.of(studio.queue, find_sweep(studio.projects, sweep).folder).sweep))


@router.post("/sweeps/{sweep}:resume", status_code=201)
def resume_sweep(sweep: str, studio: OpenStudio) -> JobView:
    """Have a sweep go on that was stopped, or that failed, wherever it was started: by its job, or by a new one where there is none."""
    found = find_sweep(studio.projects, sweep)
    job = job_of(studio, found.folder)
    if job is not None and job.state in (*WAITING, *ACTIVE):
        return view(studio, job)
    if job is not None and job.state != "done":
        return view(studio, again(studio.queue, job.id, studio.start_supervisor))
    if is_worked_on(found.folder):
        raise InputError("A program in a shell works on this sweep. Stop it there first.", code="sweep.in_use", sweep=sweep)
    place = str(found.folder.relative_to(studio.projects.workspace.root))
    return view(studio, enqueue(studio.queue, KIND, {"file": place}, found.project, start=studio.start_supervisor))


def _view(studio: Studio, found: FoundSweep) -> SweepView:
    job = job_of(studio, found.folder)
    name, folder, last = found.folder.name, str(found.folder), _changed(found.folder)
    number = None if job is None else job.id
    try:
        outcome = studio.outcomes.of(studio.queue, found.folder)
    except LorasmithError as error:
        return SweepView(
            id=found.id, project=found.project, folder=folder, name=name, state="unreadable", reason=str(error), job=number, search="", trials=0,
            begun=0, ended=0, in_full=False, runs=[], last_event=last, sentence="", sentence_said=None,
        )  # fmt: skip
    file, trials, first = outcome.sweep.file, outcome.swept.trials, outcome.swept.said[0]
    state = _state(outcome.folder, job)
    return SweepView(
        id=found.id, project=found.project, folder=folder, name=name, state=state, job=number, search=file.search, trials=outcome.sweep.trials,
        reason=job.sentence if job is not None and state == "failed" else "", begun=len(outcome.folder.record.trials),
        ended=sum(one.state not in GOING for one in trials if one.number is not None), in_full=file.share < 1,
        runs=[run for one in trials if (run := _run(studio, one)) is not None], last_event=last, sentence=str(first), sentence_said=said(first),
    )  # fmt: skip


def job_of(studio: Studio, folder: Path) -> Job | None:
    """The latest job that works, or has worked, on the sweep in a folder."""
    root = studio.queue.workspace.root
    jobs = [job for job in studio.queue.jobs() if job.kind == KIND and folder in {root / place for place in _places(job)}]
    return max(jobs, key=lambda job: job.id, default=None)


def _places(job: Job) -> Iterator[str]:
    """Where the folder of a job's sweep is, as far as the job says."""
    given = job.arguments
    yield from (str(place) for place in (given.get("out"), given.get("file"), job.outcome.get("sweep")) if place)
    if not given.get("out") and isinstance(said := given.get("sweep"), dict) and "name" in said:
        yield f"runs/{said['name']}"


def _state(folder: SweepFolder, job: Job | None) -> State:
    if job is not None and job.state in WAITING:
        return "waiting"
    if job is not None and job.state in ACTIVE:
        return "running" if job.state == "running" else "stopping"
    if is_worked_on(folder.root):  # by a shell
        return "running"
    if folder.record.complete:
        return "finished"
    return "failed" if job is not None and job.state == "failed" else "stopped"


def _row(studio: Studio, swept: Swept, one: TrialOutcome) -> TrialView:
    course = _course(studio, one.folder)
    planned, last, validated = course.planned, course.last_step, course.validation
    score = None if one.score is None or one.chosen is None else Number(value=one.score, error=_finite(one.chosen.score.error))
    return TrialView(
        number=one.number, run=_run(studio, one), values={name: value_in_words(value) for name, value in one.values.items()}, state=one.state,
        reason=one.reason, reason_said=None if one.ruling is None else said(one.ruling), step=last.step if last else 0, steps=planned.steps if planned else None, epoch=last.epoch if last else 0,
        epochs=planned.epochs if planned else None, held_out=None if validated is None else _validation(validated), score=score,
        verdict=list(one.verdict), said=all_said(one.said), file=None if one.chosen is None else one.chosen.measured.file, recommended=one is swept.recommended,
        as_good=one in swept.as_good,
    )  # fmt: skip


def _course(studio: Studio, run: Path) -> CourseSummary:
    try:
        return studio.courses.summary(RunFolder(run).events)
    except RunError:  # its own page says why
        return NOTHING_YET


def _validation(one: ValidationDone) -> ValidationView | None:
    if not (math.isfinite(one.val_loss) and math.isfinite(one.val_loss_delta)):
        return None
    return ValidationView(
        epoch=one.epoch, loss=one.val_loss, change=Number(value=one.val_loss_delta, error=_finite(one.val_loss_delta_margin))
    )  # fmt: skip


def _effect(one: Effect) -> EffectView:
    others = [
        DifferenceView(
            value=other.value, trials=other.trials, below=Number(value=other.below, error=_finite(other.error)), differs=other.differs
        )
        for other in one.others
    ]
    return EffectView(
        setting=one.setting,
        best=one.best,
        trials=one.trials,
        sentence=one.sentence,
        said=said(one.said),
        repeated=one.repeated,
        others=others,
    )


def _run(studio: Studio, one: TrialOutcome) -> str | None:
    """The id of the run that a trial is; None where that has not begun."""
    if not RunFolder(one.folder).settings.is_file():
        return None
    return id_of(one.folder.relative_to(studio.projects.workspace.root).parts)[0]


def _changed(folder: Path) -> datetime | None:
    """When the sweep last noted something."""
    try:
        return datetime.fromtimestamp((folder / RECORD).stat().st_mtime, UTC)
    except OSError:
        return None


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None
