"""Which checkpoint is best, and which are as good.

A checkpoint's score on a prompt is how far its picture has come from the base towards real pictures of the subject, times how well other
prompts are kept: subject_k x keeps. What lies within two standard errors of the best, paired over prompts, is a tie. Of the ties the one
is recommended that has learnt the training images best, by its mean loss on them over all bands of noise, measured on the same noise: that
alone says nothing of harm, which is no question between ties. Measured beside other rules in docs/notebook.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lorasmith.evaluation.measures.measured import CheckpointMeasures
from lorasmith.evaluation.verdict.evidence import TIE, mean_and_error, paired_difference


@dataclass(frozen=True)
class Score:
    """The score of one checkpoint, 0 (as the base) to 1 (as real pictures, nothing lost), with its standard error."""

    value: float
    error: float


@dataclass(frozen=True)
class Pick:
    """The place of the best checkpoint among those given, and of those that are as good; None where nothing was learnt."""

    best: int | None
    equals: tuple[int, ...]
    scores: tuple[Score, ...]


def score(checkpoint: CheckpointMeasures) -> Score:
    """The score of a checkpoint by itself; of one without the two measures it is not a number."""
    subject, keeps = checkpoint.measures.get("subject"), checkpoint.measures.get("keeps")
    if subject is None or keeps is None:
        return Score(math.nan, math.inf)
    _, error = mean_and_error(subject.items.values())
    return Score(subject.value * keeps.value, math.hypot(error * keeps.value, subject.value * (keeps.error or 0.0)))


def shortfall(one: CheckpointMeasures, other: CheckpointMeasures) -> tuple[float, float]:
    """By how much `one` scores above `other` on the same prompts, and the standard error of that."""
    ours, theirs = one.measures, other.measures
    subject = {name: value * ours["keeps"].value for name, value in ours["subject"].items.items()}
    against = {name: value * theirs["keeps"].value for name, value in theirs["subject"].items.items()}
    difference, error = paired_difference(subject, against)
    # The prompts of `keeps` are others, so that what it does not know of its own difference adds to the above.
    _, of_keeps = paired_difference(ours["keeps"].items, theirs["keeps"].items)
    weight = (ours["subject"].value + theirs["subject"].value) / 2
    return difference, math.hypot(error, weight * of_keeps if math.isfinite(of_keeps) else 0.0)


def pick(checkpoints: Sequence[CheckpointMeasures]) -> Pick:
    """The best of some checkpoints of one run, measured on the same prompts with the same seeds."""
    scores = tuple(score(checkpoint) for checkpoint in checkpoints)
    known = [k for k, one in enumerate(scores) if math.isfinite(one.value)]
    if not known:
        return Pick(None, (), scores)
    top = max(known, key=lambda k: scores[k].value)
    if scores[top].value <= TIE * scores[top].error:
        return Pick(None, (), scores)
    ties = [top]
    for k in known:
        if k != top:
            difference, error = shortfall(checkpoints[top], checkpoints[k])
            if difference <= TIE * error:
                ties.append(k)
    best = min(ties, key=lambda k: (_training_loss(checkpoints[k]), -checkpoints[k].step, -scores[k].value))
    return Pick(best, tuple(sorted(set(ties) - {best})), scores)


def _training_loss(checkpoint: CheckpointMeasures) -> float:
    """Of the bands of noise, all at the same weight; the same for all checkpoints where no losses were measured."""
    losses = [measure.value for name, measure in checkpoint.measures.items() if name.startswith("trained_loss_")]
    return math.fsum(losses) / len(losses) if losses else 0.0


def pick_weight(weights: Sequence[CheckpointMeasures]) -> Pick:
    """The best weight of one checkpoint. Among ties the one nearest to 1, as trained: no cheaper rule was better (docs/proof.md)."""
    chosen = pick(weights)
    if chosen.best is None:
        return chosen
    ties = (chosen.best, *chosen.equals)
    best = min(ties, key=lambda k: abs(weights[k].weight - 1))
    return Pick(best, tuple(sorted(set(ties) - {best})), chosen.scores)
