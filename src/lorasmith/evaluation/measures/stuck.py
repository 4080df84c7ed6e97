"""stuck: does the bare trigger draw the same picture over and over?

    stuck = log(mean distance between two pictures of the bare trigger, over seeds / the same of the base's pictures), mean of the spaces

Far below 0 (about -0.8) one pose or place comes back whatever the seed: what all training pictures share and no caption says. A set whose
held-out pictures share that too cannot show it anywhere else. AUC 0.94 in the pilot, on 9 such checkpoints only.

A picture's item is the value plus what leaving it out would take from it (the influence of a mean over pairs).

Cost: one picture a seed. Sources: proof pilot; mean pairwise distance as in Vendi's score without its eigenvalues (arXiv 2210.02410).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lorasmith.evaluation.measures.measured import Measure
from lorasmith.evaluation.measures.spaces import Views, between

SMALLEST = 1e-6


def stuck(names: Sequence[str], views: Views, of_base: Views) -> Measure:
    """From two or more seeds by name, with the LoRA and without it."""
    items = np.mean([_log_spread(views[space]) - _log_spread(of_base[space]) for space in views], axis=0)
    return Measure.of(dict(zip(names, items.tolist(), strict=True)))


def _log_spread(points: np.ndarray) -> np.ndarray:
    """The log of the mean distance between two points, as items (n,) whose mean it is."""
    own = np.maximum(between(points), SMALLEST)
    return np.log(own.mean()) + 2 * (own / own.mean() - 1)
