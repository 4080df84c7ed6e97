"""narrow: does the subject come only in the company of the dataset's own captions?

    narrow = mean subject score with captions of training and held-out pictures - mean subject score with new combinations

Above about 0.3 the LoRA shows its subject beside what was always beside it, and hardly elsewhere. In the pilot it told such LoRAs by
AUC 0.99; on two fresh runs 4 of 8 checkpoints were judged wrongly with 8 + 8 captions, so a verdict should not rest on it alone.

Cost: the pictures of `replay` and `subject`. Source: proof pilot.
"""

from __future__ import annotations

from lorasmith.evaluation.measures.measured import Measure


def narrow(own: dict[str, float], new: dict[str, float]) -> Measure:
    """From subject scores by prompt: of the dataset's own captions, and of new combinations."""
    return Measure.difference(own, new)
