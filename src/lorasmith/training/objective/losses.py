"""How far a prediction is from its target, number by number: l2, l1, and two that forgive outliers.

`huber` and `smooth_l1` (pseudo-Huber, Charbonnier et al. 1997) are square near 0 and straight far from it; where they
turn is the threshold c, which may depend on the timestep:

    exponential   c falls from huber_scale at timestep 0 to huber_scale * huber_c at the last one
    snr           c = (1 - huber_c) / (1 + sigma)^2 + huber_c,   sigma^2 = (1 - a) / a
    constant      c = huber_c * huber_scale
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""(prediction, target, c) to a loss of the same shape; `c` is (n, 1, ...) and unused by l2 and l1."""


def l2(prediction: torch.Tensor, target: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    return (prediction - target).square()


def l1(prediction: torch.Tensor, target: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    return (prediction - target).abs()


def huber(prediction: torch.Tensor, target: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    """2 c (sqrt(d^2 + c^2) - c): d^2 near 0, 2 c |d| far away."""
    return 2 * c * (((prediction - target).square() + c.square()).sqrt() - c)


def smooth_l1(prediction: torch.Tensor, target: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    """2 (sqrt(d^2 + c^2) - c): d^2 / c near 0, 2 |d| far away."""
    return 2 * (((prediction - target).square() + c.square()).sqrt() - c)


LOSSES: dict[str, Loss] = {"l2": l2, "l1": l1, "huber": huber, "smooth_l1": smooth_l1}

Threshold = Callable[[torch.Tensor, "torch.Tensor | None", float, float], torch.Tensor]


def exponential_threshold(timesteps: torch.Tensor, alphas: torch.Tensor | None, huber_c: float, huber_scale: float) -> torch.Tensor:
    return torch.exp(timesteps.float() * (math.log(huber_c) / 1000)) * huber_scale


def constant_threshold(timesteps: torch.Tensor, alphas: torch.Tensor | None, huber_c: float, huber_scale: float) -> torch.Tensor:
    return torch.full(timesteps.shape, huber_c * huber_scale)


def snr_threshold(timesteps: torch.Tensor, alphas: torch.Tensor | None, huber_c: float, huber_scale: float) -> torch.Tensor:
    """Where the noise is strong the threshold is small; `huber_scale` has no part in it. Not for flow models."""
    assert alphas is not None, "the settings refuse the snr schedule on flow models"
    sigma = ((1 - alphas) / alphas).sqrt()
    return (1 - huber_c) / (1 + sigma) ** 2 + huber_c


THRESHOLDS: dict[str, Threshold] = {"exponential": exponential_threshold, "constant": constant_threshold, "snr": snr_threshold}


def masked(loss: torch.Tensor, mask: torch.Tensor, unmasked_weight: float = 0.0) -> torch.Tensor:
    """The loss (n, c, h, w) times a mask (n, 1, H, W) of 0-1, averaged down to the loss's size; 0 counts `unmasked_weight`, 1 counts 1."""
    return loss * _cells(mask, loss, unmasked_weight)


def masked_mean(loss: torch.Tensor, mask: torch.Tensor, unmasked_weight: float = 0.0, normalize_area: bool = False) -> torch.Tensor:
    """(n,): the mean of the masked loss over a sample, or over what counts of it, so that small parts count as much as large ones.

    Where nothing counts it is 0.
    """
    weights = _cells(mask, loss, unmasked_weight)
    area = sample_mean(weights)
    mean = sample_mean(loss * weights)
    return mean / area.where(area > 0, 1.0) if normalize_area else mean


def _cells(mask: torch.Tensor, loss: torch.Tensor, unmasked_weight: float) -> torch.Tensor:
    """How much each place of a loss counts, (n, 1, h, w)."""
    cells = torch.nn.functional.interpolate(mask.to(loss), size=loss.shape[-2:], mode="area")
    return unmasked_weight + (1 - unmasked_weight) * cells


def sample_mean(loss: torch.Tensor) -> torch.Tensor:
    """Mean over everything but the batch: (n,)."""
    return loss.flatten(1).mean(1)
