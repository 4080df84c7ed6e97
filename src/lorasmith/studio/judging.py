"""What is wrong with a dataset's pictures, found by a process of its own: the libraries for it and the measures of 10,000 pictures take
200 MB, which the server does without. It ends when nothing was asked of it for a while, and with the server.

    judge = judge_beside()
    judge(Question(folder, "character", 1024, cache, within=0.5)).findings
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lorasmith.curation.audit.set_signs import LoraKind
from lorasmith.curation.mend.safe import SafeMend, safe_mends
from lorasmith.findings import OfOneCode, by_code
from lorasmith.studio.beside import IDLE, Beside, answer_questions
from lorasmith.studio.packed_findings import PackedFindings


@dataclass(frozen=True)
class Question:
    """What is to be judged, and for what."""

    root: Path
    kind: LoraKind | None
    resolution: int
    cache: Path
    within: float
    """Seconds to look at pictures that nobody has measured yet."""


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


def judged(question: Question) -> Judgement:
    """The answer, found in this process. Raises DatasetError where there is no such folder, or no picture in it."""
    from lorasmith.curation.audit.dataset import audit_dataset

    audit = audit_dataset(question.root, kind=question.kind, resolution=question.resolution, cache=question.cache, within=question.within)
    findings = tuple(audit.gravest_first)
    grave = [finding for finding in findings if finding.about != "set" and finding.severity != "note"]
    return Judgement(
        audit.resolution, len(audit.pictures), audit.left_out, audit.score, audit.why, audit.counts, tuple(by_code(findings)),
        len({subject for finding in grave for subject in finding.subjects}), tuple(safe_mends(findings)), PackedFindings.of(findings),
    )  # fmt: skip


def judge_beside(idle: float = IDLE) -> Beside[Question, Judgement]:
    """Answers as `judged` does, in a process of its own."""
    return Beside(__name__, idle)


def main() -> None:
    """Answer in the other process."""
    answer_questions(judged)
