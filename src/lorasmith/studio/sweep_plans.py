"""`/api/sweep-plans`: what a sweep will do and take, before anything begins, and as a file.

Trials, steps and refusals come at once, by the checks of `lorasmith sweep --dry-run`; that command says in a process of its own how long it takes.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from fastapi import Path as InPath
from pydantic import BaseModel, Field, JsonValue
from starlette.responses import PlainTextResponse

from lorasmith.jobs.kinds.options import check_ray
from lorasmith.jobs.sweep.forecast import forecast_sweep
from lorasmith.jobs.sweep.ladder import ladder_of
from lorasmith.jobs.sweep.sweep_file import Sweep, sweep_from
from lorasmith.jobs.sweep.sweep_folder import definition_of
from lorasmith.jobs.sweep.sweep_toml import sweep_toml
from lorasmith.jobs.sweep.trials import planned_values, value_in_words
from lorasmith.studio.estimates import State
from lorasmith.studio.settings import SettingsTree
from lorasmith.studio.studio import OpenStudio, Studio
from lorasmith.training.forecast.report import make_report
from lorasmith.training.settings.places import starting_from
from lorasmith.training.settings.tree import settings_from

router = APIRouter(tags=["sweeps"])

SHOWN = 100
"""Trials whose values are said; a sweep may have ten times as many."""


class SweepTree(BaseModel):
    """What the file of a sweep says, with the settings in it; relative paths start from the workspace."""

    sweep: dict[str, JsonValue]


class PlannedSweep(SweepTree):
    """A sweep to be planned."""

    ray: str | None = Field(None, description="The Ray cluster that trains it: HEAD:PORT, or auto. None: this machine.")


class SweepEstimateView(BaseModel):
    """What a sweep will take, if no trial is stopped early."""

    state: State
    problem: str = Field("", description="Why it could not be estimated, or the cluster not be used.")
    devices: int | None = Field(None, description="How many trials are trained at once.")
    seconds: float | None = Field(None, description="None where a base lacks parts.")
    proofs: bool = Field(False, description="Whether `seconds` includes the proofs.")
    memory: int | None = Field(None, description="Bytes, of the largest trial.")
    disk: int | None = Field(None, description="Bytes that it will write.")


class SweepPlanView(BaseModel):
    """What a sweep will do."""

    id: str = Field(description="For `GET /api/sweep-plans/{id}/estimate`.")
    name: str
    trials: int
    in_full: bool = Field(description="Whether the winner is trained in full at the end.")
    steps: int = Field(description="Of all trainings together, that in full included.")
    held_out: bool = Field(description="Whether every trial has pictures by which it can be stopped early.")
    values: list[dict[str, str]] = Field(description="What the trials vary, of the first ones; empty for a search that chooses as it goes.")
    estimate: SweepEstimateView


@router.post("/sweep-plans")
def plan_sweep(sent: PlannedSweep, studio: OpenStudio) -> SweepPlanView:
    """Check every trial, and say what the sweep will be; the estimate of its time begins where it is not known yet."""
    check_ray(sent.ray)
    wanted = _read(studio, sent)
    forecast = forecast_sweep(wanted, workspace=studio.workspace, estimate=False)
    pictures = make_report(starting_from(studio.workspace, wanted.settings), estimate=False).training_set
    id = studio.estimates.begin_sweep(wanted, pictures, sent.ray)
    values = [{name: value_in_words(value) for name, value in each.items()} for each in planned_values(wanted)[:SHOWN]]
    return SweepPlanView(
        id=id, name=wanted.name, trials=forecast.trials, in_full=forecast.in_full, steps=forecast.steps, held_out=forecast.held_out,
        values=values, estimate=_estimate(studio, id),
    )  # fmt: skip


@router.get("/sweep-plans/{id}/estimate")
def get_sweep_estimate(id: Annotated[str, InPath(pattern="^[0-9a-f]{24}$")], studio: OpenStudio) -> SweepEstimateView:
    """What a planned sweep will take, as far as that is known."""
    return _estimate(studio, id)


@router.post("/sweep-plans:ladder")
def make_ladder(sent: SettingsTree) -> SweepTree:
    """The ready sweep of settings: three rates by two ranks on a short budget, then the winner in full."""
    return SweepTree(sweep=definition_of(ladder_of(settings_from(sent.settings))))


@router.post("/sweep-plans:toml", response_class=PlainTextResponse)
def make_sweep_file(sent: SweepTree, studio: OpenStudio) -> PlainTextResponse:
    """The sweep as a file that `lorasmith sweep` takes; it needs no other."""
    return PlainTextResponse(sweep_toml(_read(studio, sent)))


def _read(studio: Studio, sent: SweepTree) -> Sweep:
    return sweep_from(sent.sweep, workspace=studio.workspace)


def _estimate(studio: Studio, id: str) -> SweepEstimateView:
    found = studio.estimates.look(id)
    said = {name: found.report[name] for name in ("devices", "seconds", "proofs", "memory", "disk") if name in found.report}
    return SweepEstimateView(state=found.state, problem=found.problem, **said)
