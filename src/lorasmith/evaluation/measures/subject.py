"""subject: how far pictures of new prompts with the trigger have come from the base's pictures of the same prompts to real ones.

    score of a picture = the least over the spaces of its probe's score, cut to 0-1
    subject            = mean over the prompts
    subject_share      = share of the prompts whose picture scores above one half

The least convinced space counts, because a broken LoRA is thrown far along a direction in one space, but hardly in all. In the pilot
its rank correlation with the true recognition rate was 0.83 over 95 checkpoints, and 0.79 inside runs. It is too kind where captions
say nothing but the trigger.

Cost: a picture and the base's features of it for each prompt; the base's pictures once. Sources: proof pilot; ridge regression.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lorasmith.evaluation.measures.measured import Measure
from lorasmith.evaluation.measures.probe import Probe
from lorasmith.evaluation.measures.spaces import Views

HALF_WAY = 0.5


def subject_scores(views: Views, probes: Mapping[str, Probe]) -> np.ndarray:
    """Of each picture, 0-1; (n,)."""
    return np.min([probe.scores(views[space]).clip(0, 1) for space, probe in probes.items()], axis=0)


def subject(names: Sequence[str], scores: np.ndarray) -> Measure:
    """The mean score of new prompts, by their names."""
    return Measure.of(dict(zip(names, scores.tolist(), strict=True)))


def subject_share(names: Sequence[str], scores: np.ndarray) -> Measure:
    """The share of new prompts with the subject, by their names."""
    return Measure.of(dict(zip(names, (scores > HALF_WAY).astype(float).tolist(), strict=True)))
