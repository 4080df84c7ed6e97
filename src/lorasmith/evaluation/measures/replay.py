"""replay: do captions of training pictures bring those very pictures back?

    of a caption = -log(distance of the drawn picture from its own picture / median distance of that picture from all others)
    replay       = mean over training captions - mean over held-out captions, mean of features, latents and encoder

A caption that describes its picture brings a similar one from a good LoRA, too, so captions of held-out pictures are the baseline. 0:
training pictures come back no nearer than unseen ones. Above about 0.3, with a gap above 0.5, the LoRA holds pictures by heart. AUC 0.98
in the pilot for "the very picture comes back". Where all pictures share a place it stays near 0, whatever is held.

Where nothing is held out the baseline is the base: how near its pictures of the same captions are. It knows none of the pictures, and
so leaves in what a good LoRA gains by knowing the subject: such a value reads higher.

Cost: a picture for each caption. Sources: proof pilot; Somepalli et al. 2023 (arXiv 2305.20086), captions are as much to blame as
duplicates.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lorasmith.evaluation.measures.measured import Measure
from lorasmith.evaluation.measures.spaces import ENCODER, FEATURES, LATENTS, Views, distances

SPACES = (FEATURES, LATENTS, ENCODER)
"""Of which those count that pictures are seen in."""
SMALLEST = 1e-6
"""The least distance that counts; the very same picture would be infinitely near."""


def nearness(drawn: Views, own: Views, real: Views) -> np.ndarray:
    """How near each drawn picture is to its own one, in nats, (n,); `own` are among the `real` pictures."""
    by_space = []
    for space in (space for space in SPACES if space in drawn):
        apart = np.maximum(np.linalg.norm(drawn[space] - own[space], axis=1), SMALLEST)
        by_space.append(-np.log(apart / np.maximum(_typical(own[space], real[space]), SMALLEST)))
    return np.mean(by_space, axis=0)


def _typical(own: np.ndarray, real: np.ndarray) -> np.ndarray:
    """The median distance of each picture from all real ones but itself, (n,)."""
    apart = np.sort(distances(own, real), axis=1)[:, 1:]
    return np.median(apart, axis=1)


def replay(trained: dict[str, float], held_out: dict[str, float]) -> Measure:
    """From nearness by caption."""
    return Measure.difference(trained, held_out)


def replay_against_base(names: Sequence[str], trained: np.ndarray, of_base: np.ndarray) -> Measure:
    """From the nearness of pictures of training captions with the LoRA and without it."""
    return Measure.of(dict(zip(names, (trained - of_base).tolist(), strict=True)))
