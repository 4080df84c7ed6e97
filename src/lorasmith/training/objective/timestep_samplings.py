"""How flow models sample the timesteps they are trained at: maps from one drawn number to a sigma (0 the picture, 1 the noise).

Names and meanings are those of sd-scripts:

    uniform      u
    sigmoid      sigmoid(scale z)                                 z normal; the middle (Esser et al. 2024, "logit-normal")
    shift        s q / (1 + (s - 1) q), q as in sigmoid           s = discrete_flow_shift: over 1 towards the noise
    flux_shift   the same with a shift that grows with the picture's size, as Flux samples
    sigma        one of the 1000 sigmas that the scheduler shifts by s, picked by `weighting_scheme`

The functions use methods of their tensors alone, so that the settings can read the names without torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lorasmith.registry import register

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class FlowShape:
    """What a map may ask for, as the settings of `flow` have it."""

    sigmoid_scale: float = 1.0
    shift: float = 3.0
    size_shift: float = 1.0
    """The shift that follows from the picture's size."""
    weighting_scheme: str = "uniform"
    logit_mean: float = 0.0
    logit_std: float = 1.0
    mode_scale: float = 1.29


@dataclass(frozen=True)
class TimestepSampling:
    """A way to sample timesteps."""

    sigmas: Callable[[Tensor, FlowShape], Tensor]
    """(drawn numbers (n,), shape) to sigmas (n,)."""
    words: str
    normal: bool | None = True
    """Whether the drawn number is normal, rather than uniform in [0, 1); None: as the weighting scheme says."""


@dataclass(frozen=True)
class WeightingScheme:
    """How a sigma is picked with the sampling `sigma`, and how much it counts with the prediction `sigma_scaled`."""

    words: str
    density: Callable[[Tensor, FlowShape], Tensor] = lambda drawn, shape: drawn
    """Where a drawn number is on the way from noise (0) to picture (1)."""
    weight: Callable[[Tensor], Tensor] = lambda sigmas: sigmas.new_ones(sigmas.shape)
    normal: bool = False


TIMESTEP_SAMPLINGS: dict[str, TimestepSampling] = {}
WEIGHTING_SCHEMES: dict[str, WeightingScheme] = {}
DEFAULT_SAMPLING, DEFAULT_SCHEME = "flux_shift", "uniform"


def shifted(q: Tensor, shift: float) -> Tensor:
    """shift q / (1 + (shift - 1) q): 0 stays 0, 1 stays 1, the rest moves towards 1 for a shift over 1."""
    return q * shift / (1 + (shift - 1) * q)


def of_the_scheduler(drawn: Tensor, shape: FlowShape) -> Tensor:
    """One of the scheduler's sigmas 1, 0.999 ... 0.001, shifted, by the density of the weighting scheme."""
    density = WEIGHTING_SCHEMES[shape.weighting_scheme].density(drawn, shape)
    steps = (density * 1000).long().clamp(0, 999)
    return shifted((1000 - steps).float() / 1000, shape.shift)


def wants_normal(sampling: str, weighting_scheme: str) -> bool:
    """Whether the number that is drawn for a sample is normal, rather than uniform in [0, 1)."""
    normal = TIMESTEP_SAMPLINGS[sampling].normal
    return WEIGHTING_SCHEMES[weighting_scheme].normal if normal is None else normal


register(TIMESTEP_SAMPLINGS, "uniform", TimestepSampling(lambda u, shape: u, "all alike", normal=False))
register(TIMESTEP_SAMPLINGS, "sigmoid", TimestepSampling(lambda z, shape: (shape.sigmoid_scale * z).sigmoid(), "mostly the middle"))
register(
    TIMESTEP_SAMPLINGS, "shift",
    TimestepSampling(lambda z, shape: shifted((shape.sigmoid_scale * z).sigmoid(), shape.shift), "the middle, moved by discrete_flow_shift"),
)  # fmt: skip
register(
    TIMESTEP_SAMPLINGS, DEFAULT_SAMPLING,
    TimestepSampling(
        lambda z, shape: shifted((shape.sigmoid_scale * z).sigmoid(), shape.size_shift), "the middle, moved further for larger pictures"
    ),
)  # fmt: skip
register(TIMESTEP_SAMPLINGS, "sigma", TimestepSampling(of_the_scheduler, "the scheduler's own, by weighting_scheme", normal=None))

register(WEIGHTING_SCHEMES, DEFAULT_SCHEME, WeightingScheme("all sigmas alike"))
register(WEIGHTING_SCHEMES, "none", WeightingScheme("the same"))
register(WEIGHTING_SCHEMES, "sigma_sqrt", WeightingScheme("counts the picture's end more", weight=lambda sigmas: sigmas**-2.0))
register(
    WEIGHTING_SCHEMES, "logit_normal",
    WeightingScheme("picks the middle", lambda z, shape: (shape.logit_mean + shape.logit_std * z).sigmoid(), normal=True),
)  # fmt: skip
register(
    WEIGHTING_SCHEMES, "mode",
    WeightingScheme(  # Esser et al. 2024, section 3.1
        "picks the middle, flatter", lambda u, shape: 1 - u - shape.mode_scale * ((math.pi * u / 2).cos() ** 2 - 1 + u)
    ),
)  # fmt: skip
register(
    WEIGHTING_SCHEMES, "cosmap",
    WeightingScheme("counts the middle more", weight=lambda sigmas: 2 / (math.pi * (1 - 2 * sigmas + 2 * sigmas**2))),
)  # fmt: skip
