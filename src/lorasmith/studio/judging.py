"""What is wrong with a dataset's pictures, found by a process of its own: the libraries for it and the measures of 10,000 pictures take
200 MB, which the server does without. It ends when nothing was asked of it for a while, and with the server.

    judge = judge_beside()
    found = judge(Question(folder, "character", 1024, cache, within=0.5))
    found.findings
    found.without({"audit.dark"}).score

That process looks for everything. What a person has switched off is left out here, which asks nothing of the pictures again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lorasmith.curation.audit.score import score_of
from lorasmith.curation.audit.set_signs import LoraKind
from lorasmith.curation.mend.safe import SafeMend, by_changes
from lorasmith.findings import OfOneCode, by_code
from lorasmith.studio.beside import IDLE, Beside, answer_questions
from lorasmith.studio.packed_findings import PackedFindings

if TYPE_CHECKING:  # its libraries are for the other process
    from lorasmith.curation.audit.audit import Audit


@dataclass(frozen=True)
class Question:
    """What is to be judged, and for what."""

    root: Path
    kind: LoraKind | None
    resolution: int
    cache: Path
    within: float
    """Seconds to look at pictures that nobody has measured yet."""
    words: bool = False
    """Whether words on the pictures count, as far as they were read."""


@dataclass(frozen=True)
class Judgement:
    """What an audit found, without the measures of the pictures."""

    resolution: int
    pictures: int
    left_out: int
    """Pictures that were not looked at."""
    score: int
    why: tuple[tuple[str, float], ...]
    """Which points of 100 were lost for what, the most first."""
    counts: Mapping[str, int]
    """Code of a finding -> how many, the gravest first."""
    codes: tuple[OfOneCode, ...]
    need_a_look: int
    """Pictures with an error or a warning."""
    safe: tuple[SafeMend, ...]
    findings: PackedFindings
    """The gravest first."""
    unread: int = 0
    """Pictures whose words were to be read and are not."""

    def without(self, off: Collection[str]) -> Judgement:
        """What it is for who does not look for findings of these codes."""
        counts = {code: count for code, count in self.counts.items() if code not in off}
        codes = [row for row in self.codes if row.code not in off]
        return _judgement(self.resolution, self.pictures, self.left_out, counts, codes, self.findings.without(off), self.unread)


def _judgement(
    resolution: int,
    pictures: int,
    left_out: int,
    counts: Mapping[str, int],
    codes: Collection[OfOneCode],
    findings: PackedFindings,
    unread: int,
) -> Judgement:
    """With what follows from the findings."""
    score, why = score_of(pictures, findings.heads)
    grave = [head for head in findings.heads if head.about != "set" and head.severity != "note"]
    return Judgement(
        resolution, pictures, left_out, score, why, counts, tuple(codes), len({subject for head in grave for subject in head.subjects}),
        tuple(by_changes((head.subjects, head.safe) for head in findings.heads)), findings, unread,
    )  # fmt: skip


def judged(question: Question) -> Judgement:
    """The answer, found in this process. Raises DatasetError where there is no such folder, or no picture in it."""
    from lorasmith.curation.audit.dataset import audit_dataset

    return judgement_of(
        audit_dataset(
            question.root,
            kind=question.kind,
            resolution=question.resolution,
            cache=question.cache,
            within=question.within,
            read_words=question.words,
        )
    )


def judgement_of(audit: Audit) -> Judgement:
    """What remains of an audit without the measures of its pictures."""
    findings = audit.gravest_first
    return _judgement(
        audit.resolution, len(audit.pictures), audit.left_out, audit.counts, by_code(findings), PackedFindings.of(findings), audit.unread
    )  # fmt: skip


def judge_beside(idle: float = IDLE) -> Beside[Question, Judgement]:
    """Answers as `judged` does, in a process of its own."""
    return Beside(__name__, idle)


def main() -> None:
    """Answer in the other process."""
    answer_questions(judged)
