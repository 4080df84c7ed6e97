"""`/api/projects/{project}/audit`: what is wrong with the pictures and the set, and which are near duplicates."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from lorasmith.curation.audit.set_kinds import COPIES
from lorasmith.projects.resolution import resolution_of
from lorasmith.studio.findings import FindingView, views
from lorasmith.studio.pictures import Resolution, audit_of
from lorasmith.studio.studio import OpenStudio

router = APIRouter(tags=["pictures"])


class Reason(BaseModel):
    """What points were lost for."""

    reason: str
    points: float


class AuditView(BaseModel):
    """What is wrong with the pictures of a project, as far as they were measured."""

    version: str
    resolution: int = Field(description="The side of the training's square that pictures are judged for, in pixels.")
    pictures: int = Field(description="How many were looked at.")
    not_looked_at: int = Field(description="How many were not; a job of the kind `audit` looks at all.")
    score: int | None = Field(description="0-100; None where there are no pictures.")
    reasons: list[Reason]
    counts: dict[str, int] = Field(description="Code of a finding -> how many, the gravest first.")
    findings: list[FindingView] = Field(description="The gravest first.")


class DuplicateGroup(BaseModel):
    """Pictures that show the same; the one to keep first."""

    pictures: list[str]
    message: str


@router.get("/projects/{project}/audit")
def get_audit(project: str, studio: OpenStudio, resolution: Resolution = None) -> AuditView:
    """What is wrong with the pictures. Those that nobody has measured yet are counted and not waited for."""
    folder = studio.projects[project]
    read, dataset = folder.read(), studio.datasets.as_it_is(folder.dataset)
    audit = audit_of(studio, read, dataset, resolution, newest=True)
    if audit is None:
        return AuditView(
            version=dataset.version, resolution=resolution or resolution_of(read), pictures=0, not_looked_at=0, score=None, reasons=[], counts={}, findings=[]
        )  # fmt: skip
    return AuditView(
        version=dataset.version, resolution=audit.resolution, pictures=audit.pictures, not_looked_at=audit.left_out, score=audit.score,
        reasons=[Reason(reason=reason, points=points) for reason, points in audit.why], counts=audit.counts, findings=views(audit.findings),
    )  # fmt: skip


@router.get("/projects/{project}/duplicates")
def list_duplicates(project: str, studio: OpenStudio, resolution: Resolution = None) -> list[DuplicateGroup]:
    """Groups of near duplicates among the pictures that were looked at."""
    folder = studio.projects[project]
    audit = audit_of(studio, folder.read(), studio.datasets.as_it_is(folder.dataset), resolution)
    copies = [finding for finding in (() if audit is None else audit.findings) if finding.code in COPIES]
    return [DuplicateGroup(pictures=list(finding.subjects), message=finding.message) for finding in copies]
