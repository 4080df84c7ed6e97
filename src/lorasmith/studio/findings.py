"""Findings as the API shows them."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, Field, JsonValue

from lorasmith.findings import About, Finding, Severity


class EvidenceView(BaseModel):
    """What was measured."""

    number: float
    unit: str
    text: str


class FixView(BaseModel):
    """What to do, in words and as changes that a page can offer as a button."""

    words: str
    changes: list[dict[str, JsonValue]]


class FindingView(BaseModel):
    """Something that is wrong or odd."""

    code: str = Field(description="`room.rule`; the same in all versions.")
    severity: Severity
    message: str
    about: About
    subjects: list[str]
    evidence: EvidenceView | None
    why: str
    fix: FixView | None
    source: str
    confidence: float
    details: list[str]


def views(findings: Iterable[Finding]) -> list[FindingView]:
    """All of them, in their order."""
    return [FindingView.model_validate(finding.as_data) for finding in findings]
