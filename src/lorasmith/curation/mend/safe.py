"""Mends that lose nothing one would train on: they can be done without looking at each picture first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lorasmith.findings import Finding, MendChange

SAFE = ("flatten", "bars", "convert")
"""Ways to mend."""


@dataclass(frozen=True)
class SafeMend:
    """What can be done to some pictures."""

    pictures: tuple[str, ...]
    changes: tuple[MendChange, ...]


def safe_mends(findings: Iterable[Finding]) -> list[SafeMend]:
    """The pictures whose findings propose safe changes alone, those with the same changes together."""
    return by_changes((finding.subjects, safe_changes(finding)) for finding in findings)


def safe_changes(finding: Finding) -> tuple[MendChange, ...]:
    """What a finding proposes for its pictures, where all of that is safe; else nothing."""
    changes = tuple(change for change in (finding.fix.changes if finding.fix else ()) if isinstance(change, MendChange))
    return () if finding.about == "set" or any(change.way not in SAFE for change in changes) else changes


def by_changes(proposed: Iterable[tuple[Sequence[str], Sequence[MendChange]]]) -> list[SafeMend]:
    """Of pictures and the changes that are proposed for them, the pictures with the same changes together."""
    of_picture: dict[str, dict[str, MendChange]] = {}
    for pictures, changes in proposed:
        for picture in pictures if changes else ():
            of_picture.setdefault(picture, {}).update({change.way: change for change in changes})
    together: dict[str, tuple[list[str], tuple[MendChange, ...]]] = {}
    for picture, own in of_picture.items():
        same = tuple(own.values())
        together.setdefault(repr(same), ([], same))[0].append(picture)
    return [SafeMend(tuple(pictures), changes) for pictures, changes in together.values()]
