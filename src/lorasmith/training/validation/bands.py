"""The bands of noise in which a loss is told apart.

What a LoRA learns shows at different noise: texture where there is little, composition where a picture is nearly drowned. A mean over
all of them is ruled by the lowest band, which rises as soon as details are memorised, long before the subject has come.

A band is given by two timesteps of 1000 of Stable Diffusion's schedule, by which the field knows them. Other schedules are met at the
same sigma, noise over signal, so that flow models and bases with zero terminal SNR are measured at the same noise:

    timestep      50    150    300    450    600    750    850     950
    sigma       0.23   0.46   0.83   1.37   2.28   4.10   6.47   10.97
    flow         184    313    454    578    696    804    866     916
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Band:
    """A part of the way from picture to noise: two timesteps of Stable Diffusion, and their sigmas."""

    title: str
    timesteps: tuple[int, int]
    sigmas: tuple[float, float]


BANDS: dict[str, Band] = {
    "texture": Band("texture", (50, 150), (0.2256, 0.4561)),
    "detail": Band("details", (300, 450), (0.8328, 1.3717)),
    "shape": Band("shapes", (600, 750), (2.2846, 4.0992)),
    "composition": Band("composition", (850, 950), (6.4746, 10.9661)),
}
"""From little noise to much."""


def band_at(sigma: float) -> str:
    """The band that noise over signal belongs to; between two bands it goes to the nearer one, in the logarithm."""
    for (name, band), (_, above) in pairwise(BANDS.items()):
        if sigma < math.sqrt(band.sigmas[1] * above.sigmas[0]):
            return name
    return list(BANDS)[-1]
