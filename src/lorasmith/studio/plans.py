"""`/api/plans`: what a training will be. Steps, buckets and lints at once; files, memory and time from a process of their own.

What needs torch is computed beside the server, once for the same settings and pictures, and kept in the workspace.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from fastapi import Path as InPath
from pydantic import BaseModel, Field, JsonValue

from lorasmith.findings import alike_together
from lorasmith.studio.estimates import State
from lorasmith.studio.findings import FindingView, views
from lorasmith.studio.settings import SettingsTree
from lorasmith.studio.studio import OpenStudio
from lorasmith.training.forecast.report import make_report
from lorasmith.training.settings.places import starting_from
from lorasmith.training.settings.tree import settings_from

router = APIRouter(tags=["plans"])


class BucketView(BaseModel):
    """Pictures of one size."""

    width: int
    height: int
    pictures: int
    samples: int
    batches: int
    lost: float = Field(description="The mean share of a picture that is cropped away, 0-1.")


class EstimateView(BaseModel):
    """What a training will write, need and take."""

    state: State
    problem: str = Field("", description="Why it could not be estimated.")
    files: dict[str, JsonValue] | None = None
    memory: dict[str, JsonValue] | None = None
    time: dict[str, JsonValue] | None = None


class PlanView(BaseModel):
    """What a training will do."""

    id: str = Field(description="Of the settings and the pictures together, for `GET /api/plans/{id}/estimate`.")
    pictures: int
    samples_per_epoch: int
    batches_per_epoch: int
    steps_per_epoch: int
    steps: int
    epochs: int
    buckets: list[BucketView]
    findings: list[FindingView] = Field(
        description="What is wrong or odd, the worst first; many of one kind together, with all their subjects."
    )
    missing: list[str] = Field(description="Parts that the base lacks.")
    estimate: EstimateView


@router.post("/plans")
def make_plan(sent: SettingsTree, studio: OpenStudio) -> PlanView:
    """What a training with these settings will be; the estimate begins where it is not known yet."""
    settings = settings_from(sent.settings)
    report = make_report(starting_from(studio.workspace, settings), estimate=False)
    id = studio.estimates.begin(settings, report.training_set)
    plan = report.plan
    return PlanView(
        id=id, pictures=plan.pictures, samples_per_epoch=plan.samples_per_epoch, batches_per_epoch=plan.batches_per_epoch,
        steps_per_epoch=plan.steps_per_epoch, steps=plan.steps, epochs=plan.epochs, buckets=[BucketView(**vars(row)) for row in report.buckets],
        findings=views(alike_together(report.findings)), missing=list(report.missing), estimate=_estimate(studio, id),
    )  # fmt: skip


@router.get("/plans/{id}/estimate")
def get_estimate(id: Annotated[str, InPath(pattern="^[0-9a-f]{24}$")], studio: OpenStudio) -> EstimateView:
    """What a planned training will write, need and take, as far as that is known."""
    return _estimate(studio, id)


def _estimate(studio: OpenStudio, id: str) -> EstimateView:
    found = studio.estimates.look(id)
    return EstimateView(
        state=found.state, problem=found.problem, files=found.report.get("files"), memory=found.report.get("memory"), time=found.report.get("time")
    )  # fmt: skip
