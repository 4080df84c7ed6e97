"""All signs of a run or of LoRA files: in the course of the run, in the pictures, in the set."""

from __future__ import annotations

from lorasmith.evaluation.run_record import RunRecord
from lorasmith.evaluation.signs.picture_signs import picture_signs
from lorasmith.evaluation.signs.run_signs import run_signs
from lorasmith.evaluation.signs.set_signs import set_signs
from lorasmith.evaluation.verdict.verdict import Verdict
from lorasmith.findings import Finding


def signs_of(verdict: Verdict, run: RunRecord | None) -> tuple[Finding, ...]:
    """Signs of a run, and of the pictures and losses of its recommended checkpoint; of the last one where there is none."""
    of_run = run_signs(run) if run is not None else ()
    if not verdict.checkpoints:  # it was stopped before one was measured
        return tuple(of_run)
    shown = verdict.checkpoints[-1 if verdict.recommended is None else verdict.recommended].measured
    advised = {"signs.one_pose"} if any(finding.code == "verdict.stuck" for finding in verdict.advice) else set()  # the same, with advice
    of_pictures = [sign for sign in picture_signs(shown) if sign.code not in advised]
    return (*of_run, *of_pictures, *set_signs(shown))
