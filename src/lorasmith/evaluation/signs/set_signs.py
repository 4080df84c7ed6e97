"""Pictures of the set that the LoRA never learns, and those that it learns at once.

Each training image's loss at fixed noise, against the base's own, says how much of it was learnt. A picture far from the others of its
set is worth a look: it is damaged, of something else, wrongly captioned - or a copy that trained more often.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean, median

from lorasmith.evaluation.measures.measured import CheckpointMeasures
from lorasmith.findings import Evidence, Finding, Fix

OUTLIER = 4.0
"""Robust standard deviations from the set's median."""
FEWEST = 6
"""Pictures below which none stands out."""


def set_signs(checkpoint: CheckpointMeasures) -> list[Finding]:
    """Outliers among the training images that were measured, at one checkpoint; those with the largest distance first."""
    learnt = _learnt(checkpoint)
    if len(learnt) < FEWEST:
        return []
    middle = median(learnt.values())
    spread = 1.4826 * median(abs(value - middle) for value in learnt.values())
    if not spread:
        return []
    distances = {picture: (value - middle) / spread for picture, value in learnt.items()}
    far = sorted((p for p, z in distances.items() if abs(z) > OUTLIER), key=lambda p: -abs(distances[p]))
    return [_finding(picture, learnt[picture], middle, distances[picture]) for picture in far]


def _learnt(checkpoint: CheckpointMeasures) -> Mapping[str, float]:
    """Picture -> mean over the bands of log(loss / loss of the base): 0 as the base, -0.7 half of it."""
    bands = [measure.items for name, measure in checkpoint.measures.items() if name.startswith("trained_loss_")]
    pictures = set.intersection(*(set(items) for items in bands)) if bands else set()
    return {picture: fmean(items[picture] for items in bands) for picture in sorted(pictures)}


def _finding(picture: str, value: float, middle: float, distance: float) -> Finding:
    never = distance > 0
    text = f"Its loss against the base's is {value:+.2f} nats, that of most pictures {middle:+.2f}."
    return Finding(
        code="signs.never_learnt" if never else "signs.learnt_at_once", severity="warning" if never else "note", about="picture",
        subjects=(picture,),
        message="The LoRA does not learn this picture as it does the others." if never else "The LoRA learns this picture far faster than the others.",
        evidence=Evidence(value, "nats against the base", text),
        why="It shows something else, or its caption does not fit." if never else "It is there several times, or is much simpler than the others.",
        fix=Fix("Look at it and at its caption; remove it where it does not belong." if never else "Look for copies of it, or lower its repeats."),
    )  # fmt: skip
