"""An audit as a page: the score and where it went, the findings, the worst images, and copies beside each other."""

from __future__ import annotations

from pathlib import Path

from lorasmith.curation.audit.audit import OF_THE_SET, Audit
from lorasmith.curation.audit.kinds import KINDS
from lorasmith.curation.audit.kinds import Finding as AuditFinding
from lorasmith.errors import DatasetError
from lorasmith.findings import Evidence, Finding, Fix, MendChange
from lorasmith.images.read import read_picture
from lorasmith.pages import numbers
from lorasmith.pages.content import (
    Bar,
    Block,
    Code,
    Column,
    Figure,
    Figures,
    Findings,
    Page,
    Quiet,
    Score,
    Section,
    Shot,
    Strong,
    Table,
    Text,
    Verdict,
    Words,
)  # fmt: skip
from lorasmith.pages.picture import Picture

THUMBNAIL = 320
"""Longest side in pixels."""
MOST_POINTS = 4
"""Findings under one of the worst images."""
MOST_COPIES = 6
"""Images of a group of copies that are shown."""


def audit_page(audit: Audit, worst: int = 24, copies: int = 8) -> Page:
    """What the page of an audit contains: the `worst` images, and the first `copies` groups of copies."""
    sections = (
        Section("What was found", _overview(audit)),
        Section("The set", _of_the_set(audit)),
        Section("The worst images", _worst(audit, worst)),
        Section("Copies", _copies(audit, copies)),
    )
    return Page(
        title=audit.root.resolve().name,
        kicker="Audit of a dataset, by Lorasmith",
        top=(Score(audit.score, _summary(audit)),),
        sections=tuple(section for section in sections if section.blocks),
    )


def _summary(audit: Audit) -> Words:
    purpose = f", as a {audit.kind}" if audit.kind else ""
    judged = (
        f"{numbers.count(len(audit.pictures), 'image')}, judged for training at {audit.resolution} x {audit.resolution} pixels{purpose}."
    )
    lost = ", ".join(f"{reason} {points:g}" for reason, points in audit.why[:6])
    left_out = f" {numbers.count(audit.left_out, 'image')} not looked at, since the audit was stopped." if audit.left_out else ""
    return (judged + left_out + " ", Quiet(f"Points lost: {lost}." if lost else "No points were lost."))


def _overview(audit: Audit) -> tuple[Block, ...]:
    if not audit.counts:
        return (Text("Nothing was found.", quiet=True),)
    most = max(audit.counts.values())
    rows = tuple(
        (
            (Verdict(KINDS[kind].severity, "● "), KINDS[kind].title),
            Bar(count / most, f"{count:,}"),
            (KINDS[kind].consequence + " ", Quiet(KINDS[kind].remedy)),
        )
        for kind, count in audit.counts.items()
    )
    return (Table("What was found", (Column("Finding"), Column("Count"), Column("What it does, and what to do")), rows),)


def _of_the_set(audit: Audit) -> tuple[Block, ...]:
    found = tuple(_as_finding(audit, each) for each in audit.findings if each.kind in OF_THE_SET)
    return (Findings(found),) if found else ()


def _worst(audit: Audit, count: int) -> tuple[Block, ...]:
    figures = []
    for picture, worth in audit.worst(count):
        points = tuple(_point(finding) for finding in audit.of(picture.path)[:MOST_POINTS])
        caption = (Strong(_name(audit, picture.path)), Quiet(f" worth {worth:.0%}"))
        figures.append(Figure((_thumbnail(audit, picture.path),), caption, points))
    return (Figures(tuple(figures)),) if figures else ()


def _copies(audit: Audit, count: int) -> tuple[Block, ...]:
    groups = [finding for finding in audit.findings if finding.kind in ("exact duplicate", "near duplicate")][:count]
    figures = []
    for finding in groups:
        keep, *others = finding.paths[:MOST_COPIES]
        shots = (_thumbnail(audit, keep, "keep"), *(_thumbnail(audit, path) for path in others))
        names = [part for path in (keep, *others) for part in (Code(_name(audit, path)), " ")]
        if left_out := len(finding.paths) - len(shots):
            names.append(f"and {left_out} more")
        figures.append(Figure(shots, tuple(names), (_point(finding),)))
    return (Figures(tuple(figures), "wide"),) if figures else ()


def _point(finding: AuditFinding) -> Words:
    meaning = finding.meaning
    return (Verdict(meaning.severity, meaning.title), f": {finding.evidence}", Quiet(f" {finding.certainty:.0%} sure"))


def _as_finding(audit: Audit, finding: AuditFinding) -> Finding:
    meaning = finding.meaning
    return Finding(
        code=f"audit.{finding.kind.replace(' ', '_')}",
        severity=meaning.severity,
        message=meaning.title[0].upper() + meaning.title[1:],
        about="set",
        subjects=tuple(_name(audit, path) for path in finding.paths),
        evidence=Evidence(finding.number, finding.unit, finding.evidence),
        why=meaning.consequence,
        fix=Fix(meaning.remedy, (MendChange(meaning.action),) if meaning.action else ()),
        confidence=finding.certainty,
        details=(finding.detail,) if finding.detail else (),
    )


def _name(audit: Audit, path: Path) -> str:
    return path.relative_to(audit.root).as_posix()


def _thumbnail(audit: Audit, path: Path, label: str = "") -> Shot:
    try:
        image = read_picture(path)
    except DatasetError:
        return Shot(None, label, "It cannot be read as an image.")
    return Shot(Picture.of(image, _name(audit, path), THUMBNAIL, "jpeg"), label)
