"""The score of a set, 0-100, and where its points went."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from lorasmith.curation.audit.kinds import kind_of
from lorasmith.findings import About, Severity

WEIGHTS = {"error": 1.0, "warning": 0.4, "note": 0.08}
"""Share of a picture's worth that a finding of this severity costs, times its confidence."""

SET_POINTS = {"warning": 10.0, "note": 3.0}
"""Points of 100 that a finding about the set costs, times its confidence."""


class Scored(Protocol):
    """What the score asks of a finding."""

    @property
    def code(self) -> str: ...
    @property
    def severity(self) -> Severity: ...
    @property
    def about(self) -> About: ...
    @property
    def subjects(self) -> tuple[str, ...]: ...
    @property
    def confidence(self) -> float: ...


def score_of(pictures: int, findings: Sequence[Scored]) -> tuple[int, tuple[tuple[str, float], ...]]:
    """The score of this number of pictures with these findings, and (reason, points lost) with the most first.

    A picture is worth 1 and loses a share for each finding, by severity and confidence; the mean worth makes the points. Findings about
    the set then cost points of their own.
    """
    if not pictures:
        return 0, ()
    points = 100 * (pictures - sum(1 - worth for worth in worths(findings).values())) / pictures
    costs: dict[str, float] = {}
    for finding in findings:
        if finding.about != "set":
            title = kind_of(finding.code).title
            costs[title] = costs.get(title, 0.0) + cost(finding) * len(_blamed(finding))
    lost, total = 100 - points, sum(costs.values())
    why = {title: lost * share / total for title, share in costs.items() if total}
    for finding in findings:
        if finding.about == "set":
            set_cost = SET_POINTS[finding.severity] * finding.confidence
            title = kind_of(finding.code).title
            why[title] = why.get(title, 0) + set_cost
            points -= set_cost
    ordered = sorted(why.items(), key=lambda one: -one[1])
    return max(0, round(points)), tuple((reason, round(share, 1)) for reason, share in ordered if share >= 0.05)


def worths(findings: Iterable[Scored]) -> dict[str, float]:
    """Name of each picture that a finding speaks against -> what it is worth, 0-1; the others are worth 1."""
    worth: dict[str, float] = {}
    for finding in findings:
        if finding.about != "set":
            for name in _blamed(finding):
                worth[name] = worth.get(name, 1.0) * (1 - cost(finding))
    return worth


def cost(finding: Scored) -> float:
    """Share of a picture's worth that the finding costs, 0-1."""
    return WEIGHTS[finding.severity] * finding.confidence


def _blamed(finding: Scored) -> tuple[str, ...]:
    """The pictures that a finding speaks against: of copies, all but the one to keep."""
    return finding.subjects[1:] if kind_of(finding.code).of_copies else finding.subjects
