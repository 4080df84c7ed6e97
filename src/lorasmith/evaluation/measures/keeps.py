"""keeps: can the base still read the LoRA's pictures of other prompts?

The base is asked which words a picture was made from: how well it denoises the picture with its own prompt, and with three others.

    margin of a picture = mean over t of (error with other prompts - error with its own) / error with other prompts
    keeps               = mean margin of the LoRA's pictures / mean margin of the base's, same prompts and seeds, at most 1

t are 600, 750 and 850 of 1000, or the same sigmas; the noise is that of the prompt, the same for all words. 1: as readable as the base's
own. Below about 0.85 people see the harm; near 0 nothing is left of the prompts. Rank correlation with how far pictures are from the
true drawings of their prompts -0.97 in the pilot, with 12 prompts as with 20.

Cost: 12 predictions a prompt, beside its picture. Sources: proof pilot; Li et al. 2023 (arXiv 2303.16203) and Clark and Jaini 2023,
diffusion models as classifiers without training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lorasmith.evaluation.measures.measured import Measure

SIGMAS = (2.2846, 4.0992, 6.4746)
"""Of the timesteps 600, 750 and 850."""
OTHERS = 3
"""Prompts that a picture's own is compared with."""


def other_prompts(index: int, count: int) -> list[int]:
    """Which prompts of `count` (2 or more) the one at `index` is compared with: spread evenly over the list, never itself."""
    several = min(OTHERS, count - 1)
    return [(index + (k + 1) * count // (several + 1)) % count for k in range(several)]


def margin(own: np.ndarray, others: np.ndarray) -> float:
    """From the base's errors with a picture's own prompt (timesteps,) and with other prompts (others, timesteps)."""
    other = others.mean(0)
    return float(((other - own) / other).mean())


def keeps(names: Sequence[str], margins: Mapping[str, float], of_base: Mapping[str, float]) -> Measure | None:
    """From margins by prompt, of pictures with the LoRA and without it; None where the base reads none of its own pictures."""
    if sum(of_base[name] for name in names) <= 0:
        return None
    return Measure.ratio({name: margins[name] for name in names}, {name: of_base[name] for name in names}).at_most(1.0)
