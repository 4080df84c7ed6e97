"""Findings of thousands of pictures, of which one is read now and then: what each is about is at hand, the rest is unpacked when it is asked for.

found = PackedFindings.of(findings)
found.heads[7].code, next(found.unpacked([7])).message
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lorasmith.findings import About, Finding, Severity

TOGETHER = 100
"""Findings that are packed and unpacked together."""


class Head(NamedTuple):
    """What a finding is about."""

    code: str
    severity: Severity
    about: About
    subjects: tuple[str, ...]


@dataclass(frozen=True)
class PackedFindings:
    """Findings in their order."""

    heads: tuple[Head, ...]
    blocks: tuple[bytes, ...]

    @classmethod
    def of(cls, findings: Sequence[Finding]) -> PackedFindings:
        """These findings, packed."""
        blocks = (findings[start : start + TOGETHER] for start in range(0, len(findings), TOGETHER))
        heads = (Head(one.code, one.severity, one.about, one.subjects) for one in findings)
        return cls(tuple(heads), tuple(pickle.dumps(tuple(block)) for block in blocks))

    def __len__(self) -> int:
        return len(self.heads)

    def of_codes(self, *codes: str) -> list[int]:
        """The numbers of the findings that have one of these codes; of all without any."""
        return [number for number, head in enumerate(self.heads) if not codes or head.code in codes]

    def unpacked(self, numbers: Sequence[int]) -> Iterator[Finding]:
        """The findings with these numbers, in the order of these."""
        kept: tuple[int, tuple[Finding, ...]] = (-1, ())
        for number in numbers:
            if kept[0] != number // TOGETHER:
                kept = number // TOGETHER, pickle.loads(self.blocks[number // TOGETHER])
            yield kept[1][number % TOGETHER]
