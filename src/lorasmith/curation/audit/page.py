"""An audit as a page: the score and where it went, the findings, the worst images, and copies beside each other."""

from __future__ import annotations

from lorasmith.curation.audit.audit import Audit
from lorasmith.curation.audit.kinds import kind_of
from lorasmith.curation.audit.set_kinds import COPIES
from lorasmith.curation.measuring import Picture as AuditedPicture
from lorasmith.errors import DatasetError
from lorasmith.findings import Finding
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
    Panel,
    Quiet,
    Score,
    Section,
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
    titles = ", ".join(kind_of(code).title for code in audit.without)
    off = f" {numbers.count(len(audit.without), 'check')} {'is' if len(audit.without) == 1 else 'are'} off: {titles}." if titles else ""
    return (judged + left_out + off + " ", Quiet(f"Points lost: {lost}." if lost else "No points were lost."))


def _overview(audit: Audit) -> tuple[Block, ...]:
    if not audit.counts:
        return (Text("Nothing was found.", quiet=True),)
    most = max(audit.counts.values())
    rows = tuple(
        (
            (Verdict(kind_of(code).severity, "● "), kind_of(code).title),
            Bar(count / most, f"{count:,}"),
            (kind_of(code).why + " ", Quiet(kind_of(code).fix)),
        )
        for code, count in audit.counts.items()
    )
    return (Table("What was found", (Column("Finding"), Column("Count"), Column("What it does, and what to do")), rows),)


def _of_the_set(audit: Audit) -> tuple[Block, ...]:
    found = tuple(finding for finding in audit.findings if finding.about == "set")
    return (Findings(found),) if found else ()


def _worst(audit: Audit, count: int) -> tuple[Block, ...]:
    figures = []
    for picture, worth in audit.worst(count):
        points = tuple(_point(finding) for finding in audit.of(picture.name)[:MOST_POINTS])
        caption = (Strong(picture.name), Quiet(f" worth {worth:.0%}"))
        figures.append(Figure((_thumbnail(picture),), caption, points))
    return (Figures(tuple(figures)),) if figures else ()


def _copies(audit: Audit, count: int) -> tuple[Block, ...]:
    by_name = {picture.name: picture for picture in audit.pictures}
    groups = [finding for finding in audit.findings if finding.code in COPIES][:count]
    figures = []
    for finding in groups:
        keep, *others = finding.subjects[:MOST_COPIES]
        panels = (_thumbnail(by_name[keep], "keep"), *(_thumbnail(by_name[name]) for name in others))
        names = [part for name in (keep, *others) for part in (Code(name), " ")]
        if left_out := len(finding.subjects) - len(panels):
            names.append(f"and {left_out} more")
        figures.append(Figure(panels, tuple(names), (_point(finding),)))
    return (Figures(tuple(figures), "wide"),) if figures else ()


def _point(finding: Finding) -> Words:
    title = kind_of(finding.code).title
    return (Verdict(finding.severity, title), f": {finding.evidence}", Quiet(f" {finding.confidence:.0%} sure"))


def _thumbnail(picture: AuditedPicture, label: str = "") -> Panel:
    try:
        image = read_picture(picture.path)
    except DatasetError:
        return Panel(None, label, "It cannot be read as an image.")
    return Panel(Picture.of(image, picture.name, THUMBNAIL, "jpeg"), label)
