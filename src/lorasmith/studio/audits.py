"""`/api/projects/{project}/audit`: what is wrong with the pictures and the set, and which are near duplicates.

The audit itself is short however many pictures there are; its findings come by the page.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from lorasmith.curation.audit.checks import switched_off
from lorasmith.curation.audit.set_kinds import COPIES
from lorasmith.curation.mend.safe import SafeMend
from lorasmith.errors import InputError
from lorasmith.findings import OfOneCode, Severity
from lorasmith.projects.resolution import resolution_of
from lorasmith.studio.findings import FindingView, views
from lorasmith.studio.mends import Way
from lorasmith.studio.pictures import Resolution, audit_of
from lorasmith.studio.studio import OpenStudio

router = APIRouter(tags=["pictures"])

MOST_ON_A_PAGE = 500


class Reason(BaseModel):
    """What points were lost for."""

    reason: str
    points: float


class CodeView(BaseModel):
    """The findings of one code, together."""

    code: str
    severity: Severity
    pictures: int = Field(description="How many have it.")
    of_set: FindingView | None = Field(description="The finding itself, where it is about the set.")


class SafeMendView(BaseModel):
    """What can be done to pictures without losing anything one would train on."""

    pictures: list[str]
    changes: list[Way]


class AuditView(BaseModel):
    """What is wrong with the pictures of a project, as far as they were measured."""

    version: str
    resolution: int = Field(description="The side of the training's square that pictures are judged for, in pixels.")
    pictures: int = Field(description="How many were looked at.")
    not_looked_at: int = Field(description="How many were not; a job of the kind `audit` looks at all.")
    words_unread: int = Field(
        description="Pictures whose words are to be read and are not; a job of the kind `audit` with `words` reads them."
    )
    score: int | None = Field(description="0-100; None where there are no pictures.")
    reasons: list[Reason]
    counts: dict[str, int] = Field(description="Code of a finding -> how many, the gravest first.")
    off: list[str] = Field(description="Codes of findings that are not looked for, as the project's `audit_without` says.")
    codes: list[CodeView] = Field(description="The gravest first. The findings of pictures are at `audit/findings`.")
    need_a_look: int = Field(description="Pictures with an error or a warning.")
    safe_mends: list[SafeMendView] = Field(description="Pictures with the same changes together; `POST .../mends` takes them.")


class FindingPage(BaseModel):
    """A part of the findings that were asked for."""

    version: str
    total: int
    findings: list[FindingView] = Field(description="The gravest first.")


class DuplicateGroup(BaseModel):
    """Pictures that show the same; the one to keep first."""

    pictures: list[str]
    code: str
    message: str


@router.get("/projects/{project}/audit")
def get_audit(project: str, studio: OpenStudio, resolution: Resolution = None) -> AuditView:
    """What is wrong with the pictures. Those that nobody has measured yet are counted and not waited for."""
    folder = studio.projects[project]
    read, dataset = folder.read(), studio.datasets.as_it_is(folder.dataset)
    audit, off = audit_of(studio, read, dataset, resolution, newest=True), sorted(switched_off(read.audit_without))
    if audit is None:
        return AuditView(
            version=dataset.version, resolution=resolution or resolution_of(read), pictures=0, not_looked_at=0, words_unread=0, score=None, reasons=[],
            counts={}, off=off, codes=[], need_a_look=0, safe_mends=[],
        )  # fmt: skip
    return AuditView(
        version=dataset.version, resolution=audit.resolution, pictures=audit.pictures, not_looked_at=audit.left_out, words_unread=0 if "audit.text" in off else audit.unread, score=audit.score,
        reasons=[Reason(reason=reason, points=points) for reason, points in audit.why], counts=dict(audit.counts), off=off,
        codes=[_code(one) for one in audit.codes], need_a_look=audit.need_a_look, safe_mends=[_safe(one) for one in audit.safe],
    )  # fmt: skip


@router.get("/projects/{project}/audit/findings")
def list_audit_findings(
    project: str, studio: OpenStudio, code: Annotated[str, Query(description="Findings of this code alone.")] = "",
    start: Annotated[int, Query(ge=0)] = 0, count: Annotated[int, Query(ge=1, le=MOST_ON_A_PAGE)] = 200, version: str = "",
    resolution: Resolution = None,
) -> FindingPage:  # fmt: skip
    """The findings in full, a page of them. With a `version`, 409 where the folder is of another one."""
    folder = studio.projects[project]
    dataset = studio.datasets.as_it_is(folder.dataset)
    if version and version != dataset.version:
        raise InputError("The pictures have changed. Ask for the audit again.", code="pictures.stale", version=dataset.version)
    audit = audit_of(studio, folder.read(), dataset, resolution)
    if audit is None:
        return FindingPage(version=dataset.version, total=0, findings=[])
    numbers = audit.findings.of_codes(*([code] if code else []))
    return FindingPage(version=dataset.version, total=len(numbers), findings=views(audit.findings.unpacked(numbers[start : start + count])))


@router.get("/projects/{project}/duplicates")
def list_duplicates(project: str, studio: OpenStudio, resolution: Resolution = None) -> list[DuplicateGroup]:
    """Groups of near duplicates among the pictures that were looked at."""
    folder = studio.projects[project]
    audit = audit_of(studio, folder.read(), studio.datasets.as_it_is(folder.dataset), resolution)
    copies = () if audit is None else audit.findings.unpacked(audit.findings.of_codes(*COPIES))
    return [DuplicateGroup(pictures=list(finding.subjects), code=finding.code, message=finding.message) for finding in copies]


def _code(one: OfOneCode) -> CodeView:
    (of_set,) = views([one.of_set]) if one.of_set else (None,)
    return CodeView(code=one.code, severity=one.severity, pictures=one.subjects, of_set=of_set)


def _safe(one: SafeMend) -> SafeMendView:
    changes = [Way(way=change.way, parameters=dict(change.parameters)) for change in one.changes]
    return SafeMendView(pictures=list(one.pictures), changes=changes)
