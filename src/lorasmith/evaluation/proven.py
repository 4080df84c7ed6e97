"""A run's proof as it is kept in its folder, with the verdict on it: the one source of what a report, a list and a page say.

    proven = proven_in("runs/zorvex")
    proven.verdict.sentences

The verdict is worked out again from the numbers each time (about a millisecond), so that all say the same, by the rules of this version.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lorasmith.evaluation.measures.measured import CheckpointMeasures
from lorasmith.evaluation.proof.record import PROOF, WEIGHTS_PROOF, ProofRecord, read_record
from lorasmith.evaluation.verdict.verdict import Verdict, verdict_on
from lorasmith.sentences import Sentence
from lorasmith.training.settings.tree import Settings


@dataclass(frozen=True)
class Proven:
    """A proof and its verdict."""

    folder: Path
    record: ProofRecord
    verdict: Verdict


def proven_in(run: str | Path, settings: Settings | None = None) -> Proven | None:
    """The proof in a run's folder; None where there is none. With the run's `settings` its advice names changes of them."""
    folder = Path(run) / PROOF
    record = read_record(folder)
    if record is None or not record.measured:
        return None
    captioned = record.prompts.captioned
    verdict = verdict_on(record.measured, (), settings, captioned)
    if weights := _weights_of(verdict, read_record(folder, WEIGHTS_PROOF)):
        verdict = verdict_on(record.measured, weights, settings, captioned)
    return Proven(folder, record, verdict)


def verdict_sentence(run: str | Path) -> Sentence | None:
    """The verdict on a run in its first sentence; None where it is not proven."""
    proven = proven_in(run)
    return None if proven is None else proven.verdict.said[0]


def _weights_of(verdict: Verdict, record: ProofRecord | None) -> Sequence[CheckpointMeasures]:
    """The weights of the recommended checkpoint; none where those in the folder are of another one, from an earlier proof."""
    if record is None or verdict.recommended is None:
        return ()
    chosen = verdict.checkpoints[verdict.recommended].measured
    return record.measured if all(one.file == chosen.file for one in record.measured) else ()
