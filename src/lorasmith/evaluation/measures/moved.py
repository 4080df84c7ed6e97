"""moved: how much do pictures of other prompts change?

    moved = mean distance of the LoRA's picture from the base's of the same prompt and seed / mean distance of two pictures of the base

in layout (RGB, 8 x 8). 0: nothing changes; 1: it could as well be another prompt's picture. Above about 0.2 the change is a harm. Its
correlation with how far the pictures are from the true drawings of their prompts was 0.98 in the pilot, but it takes an improvement for
a change, too: it shows what `keeps` decides.

Cost: the pictures of `keeps`. Source: proof pilot.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lorasmith.evaluation.measures.measured import Measure
from lorasmith.evaluation.measures.spaces import Points, between


def moved(names: Sequence[str], points: Points, of_base: Points) -> Measure:
    """From two or more prompts by name, in layout, with the LoRA and without it."""
    usual = max(between(of_base).mean(), np.finfo(float).tiny)
    return Measure.of(dict(zip(names, (np.linalg.norm(points - of_base, axis=1) / usual).tolist(), strict=True)))
