"""Findings of thousands of pictures, of which one is read now and then: what each is about is at hand, the rest is unpacked when it is asked for.

found = PackedFindings.of(findings)
found.heads[7].code, next(found.unpacked([7])).message
found.without({"audit.dark"})                 # the others, without unpacking any
"""

from __future__ import annotations

import pickle
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lorasmith.curation.mend.safe import safe_changes
from lorasmith.findings import About, Finding, MendChange, Severity

TOGETHER = 100
"""Findings that are packed and unpacked together."""


class Head(NamedTuple):
    """What a finding is about."""

    code: str
    severity: Severity
    about: About
    subjects: tuple[str, ...]
    confidence: float
    """0-1."""
    safe: tuple[MendChange, ...]
    """What can be done about it without looking."""


@dataclass(frozen=True)
class PackedFindings:
    """Findings in their order."""

    heads: tuple[Head, ...]
    blocks: tuple[bytes, ...]
    places: tuple[int, ...]
    """Where each is in the blocks."""

    @classmethod
    def of(cls, findings: Sequence[Finding]) -> PackedFindings:
        """These findings, packed."""
        blocks = (findings[start : start + TOGETHER] for start in range(0, len(findings), TOGETHER))
        heads = (Head(one.code, one.severity, one.about, one.subjects, one.confidence, safe_changes(one)) for one in findings)
        return cls(tuple(heads), tuple(pickle.dumps(tuple(block)) for block in blocks), tuple(range(len(findings))))

    def without(self, codes: Collection[str]) -> PackedFindings:
        """The findings that have none of these codes."""
        left = [number for number, head in enumerate(self.heads) if head.code not in codes]
        return PackedFindings(tuple(self.heads[number] for number in left), self.blocks, tuple(self.places[number] for number in left))

    def __len__(self) -> int:
        return len(self.heads)

    def of_codes(self, *codes: str) -> list[int]:
        """The numbers of the findings that have one of these codes; of all without any."""
        return [number for number, head in enumerate(self.heads) if not codes or head.code in codes]

    def unpacked(self, numbers: Sequence[int]) -> Iterator[Finding]:
        """The findings with these numbers, in the order of these."""
        kept: tuple[int, tuple[Finding, ...]] = (-1, ())
        for place in (self.places[number] for number in numbers):
            if kept[0] != place // TOGETHER:
                kept = place // TOGETHER, pickle.loads(self.blocks[place // TOGETHER])
            yield kept[1][place % TOGETHER]
