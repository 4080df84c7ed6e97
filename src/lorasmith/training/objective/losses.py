"""How far a prediction is from its target, element by element: l2, l1, and two that forgive outliers.

`huber` and `smooth_l1` (pseudo-Huber, Charbonnier et al. 1997) are square near 0 and straight far from it. They turn at the threshold
c, which may depend on the timestep (`huber_schedule`):

    exponential   c falls from huber_scale at timestep 0 to huber_scale * huber_c at the last one
    snr           c = (1 - huber_c) / (1 + sigma)^2 + huber_c,   sigma^2 = (1 - a) / a
    constant      c = huber_c * huber_scale

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
class Loss:
    """A loss, and what the settings need to know about it."""

    elements: Callable[[Tensor, Tensor, Tensor], Tensor]
    """(prediction, target, c) to a loss of the same shape; `c` is (n, 1, ...) and used by those with a threshold."""
    words: str
    has_threshold: bool = False


LOSSES: dict[str, Loss] = {}
DEFAULT_LOSS = "l2"


def l2(prediction: Tensor, target: Tensor, c: Tensor) -> Tensor:
    return (prediction - target).square()


def l1(prediction: Tensor, target: Tensor, c: Tensor) -> Tensor:
    return (prediction - target).abs()


def huber(prediction: Tensor, target: Tensor, c: Tensor) -> Tensor:
    """2 c (sqrt(d^2 + c^2) - c): d^2 near 0, 2 c |d| far away."""
    return 2 * c * (((prediction - target).square() + c.square()).sqrt() - c)


def smooth_l1(prediction: Tensor, target: Tensor, c: Tensor) -> Tensor:
    """2 (sqrt(d^2 + c^2) - c): d^2 / c near 0, 2 |d| far away."""
    return 2 * (((prediction - target).square() + c.square()).sqrt() - c)


register(LOSSES, DEFAULT_LOSS, Loss(l2, "the squared error, usual"))
register(LOSSES, "l1", Loss(l1, "the absolute error"))
register(LOSSES, "huber", Loss(huber, "square for small errors, straight for large ones, so that outliers count less", has_threshold=True))
register(LOSSES, "smooth_l1", Loss(smooth_l1, "as huber, on the scale of l1", has_threshold=True))


@dataclass(frozen=True)
class Threshold:
    """How the threshold of a loss moves with the timestep."""

    of_samples: Callable[[Tensor, Tensor | None, float, float], Tensor]
    """(timesteps, alphas_cumprod there, huber_c, huber_scale) to c, (n,)."""
    words: str
    takes_scale: bool = True
    for_flow: bool = True


THRESHOLDS: dict[str, Threshold] = {}
DEFAULT_THRESHOLD, DEFAULT_FLOW_THRESHOLD = "snr", "exponential"


def threshold_name(chosen: str | None, flow: bool) -> str:
    """The schedule of the threshold: the chosen one, or what is usual for flow models or the others."""
    return chosen or (DEFAULT_FLOW_THRESHOLD if flow else DEFAULT_THRESHOLD)


def exponential_threshold(timesteps: Tensor, alphas: Tensor | None, huber_c: float, huber_scale: float) -> Tensor:
    return (timesteps.float() * (math.log(huber_c) / 1000)).exp() * huber_scale


def constant_threshold(timesteps: Tensor, alphas: Tensor | None, huber_c: float, huber_scale: float) -> Tensor:
    return 0.0 * timesteps.float() + huber_c * huber_scale


def snr_threshold(timesteps: Tensor, alphas: Tensor | None, huber_c: float, huber_scale: float) -> Tensor:
    """Where the noise is strong the threshold is small; `huber_scale` has no part in it. Not for flow models."""
    assert alphas is not None, "the settings refuse the snr schedule on flow models"
    sigma = ((1 - alphas) / alphas).sqrt()
    return (1 - huber_c) / (1 + sigma) ** 2 + huber_c


register(THRESHOLDS, DEFAULT_FLOW_THRESHOLD, Threshold(exponential_threshold, "falls with the timestep"))
register(THRESHOLDS, "constant", Threshold(constant_threshold, "the same at every timestep"))
register(THRESHOLDS, DEFAULT_THRESHOLD, Threshold(snr_threshold, "small where the noise is strong", takes_scale=False, for_flow=False))
