"""near: are pictures of new prompts as near to the training pictures as new real pictures are?

    near = mean log distance of new prompts' pictures to their nearest training picture - that of held-out pictures, mean of the spaces

0: as near as new real pictures; far below: copies; above: not there yet. It is shown and decides nothing: among checkpoints that `subject`
and `keeps` cannot tell apart the loss on the training images picks better (docs/notebook.md). (The pilot took medians; the mean of logarithms
has an error that can be paired.)

Where nothing is held out, each training picture's distance to the nearest other one stands for the held-out ones.

Cost: that of `subject`. Sources: proof pilot; Meehan et al. 2020 (arXiv 2004.05675), a three-sample test for copying.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lorasmith.evaluation.measures.measured import Measure
from lorasmith.evaluation.measures.spaces import Views, distances

SMALLEST = 1e-6


def log_nearest(views: Views, training: Views, leave_self_out: bool = False) -> np.ndarray:
    """Of each picture, the log distance to its nearest training picture, mean of the spaces, (n,)."""
    by_space = []
    for space, points in views.items():
        apart = np.maximum(distances(points, training[space]), SMALLEST)
        if leave_self_out:
            np.fill_diagonal(apart, np.inf)
        by_space.append(np.log(apart.min(1)))
    return np.mean(by_space, axis=0)


def near(names: Sequence[str], drawn: np.ndarray, real: np.ndarray) -> Measure:
    """From `log_nearest` of new prompts by name, and of real pictures that were not trained on."""
    return Measure.of(dict(zip(names, (drawn - real.mean()).tolist(), strict=True)))
