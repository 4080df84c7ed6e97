"""How much a sample's loss counts, by its timestep. All weights multiply the sample's mean loss.

They are functions of the signal-to-noise ratio of the schedule that is trained on: with zero terminal SNR the last timestep has none,
and each weight has its limit there. An entry of `WEIGHTINGS` is named after the setting in `loss` that switches it on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lorasmith.registry import register

if TYPE_CHECKING:
    from torch import Tensor

MOST_SIGNAL = 1000.0
"""Ratio above which the debiased and the scaled v-prediction weights stay as they are, as in sd-scripts."""


@dataclass(frozen=True)
class Weighting:
    """A weight by timestep, and which bases it is for."""

    weight: Callable[[Tensor, str, float], Tensor]
    """(snr, prediction type, the setting's value) to weights of the same shape."""
    prediction_types: frozenset[str] = frozenset({"epsilon", "v_prediction"})


WEIGHTINGS: dict[str, Weighting] = {}
"""Setting of `loss` -> its weight. Flow models have none of them: they weight by how timesteps are sampled."""


def signal_to_noise(alphas_cumprod: Tensor) -> Tensor:
    """a / (1 - a) per timestep."""
    return alphas_cumprod / (1 - alphas_cumprod)


def min_snr_weight(snr: Tensor, gamma: float, prediction_type: str) -> Tensor:
    """min(snr, gamma) / snr for epsilon, / (snr + 1) for v-prediction (Hang et al. 2023, section 3.4)."""
    if prediction_type == "v_prediction":
        return snr.clamp(max=gamma) / (snr + 1)
    return (gamma / snr.clamp(min=gamma)).where(snr > gamma, 1.0)


def debiased_weight(snr: Tensor, prediction_type: str) -> Tensor:
    """1 / sqrt(snr) for epsilon (Yu et al. 2023, https://arxiv.org/abs/2310.08442), 1 / (snr + 1) for v-prediction."""
    clipped = snr.clamp(max=MOST_SIGNAL)
    return 1 / (clipped + 1) if prediction_type == "v_prediction" else clipped.rsqrt()


def v_like_noise_weight(snr: Tensor) -> Tensor:
    """snr / (snr + 1): a v-prediction's loss on the scale of a noise prediction's (scale_v_pred_loss_like_noise_pred)."""
    clipped = snr.clamp(max=MOST_SIGNAL)
    return clipped / (clipped + 1)


def noise_like_v_weight(snr: Tensor, strength: float) -> Tensor:
    """1 + strength (snr + 1) / snr: a noise prediction's loss plus so much of a v-prediction's (v_pred_like_loss)."""
    return 1 + strength / v_like_noise_weight(snr)


register(WEIGHTINGS, "min_snr_gamma", Weighting(lambda snr, prediction_type, gamma: min_snr_weight(snr, gamma, prediction_type)))
register(
    WEIGHTINGS, "scale_v_pred_loss_like_noise_pred",
    Weighting(lambda snr, prediction_type, on: v_like_noise_weight(snr), frozenset({"v_prediction"})),
)  # fmt: skip
register(
    WEIGHTINGS, "v_pred_like_loss",
    Weighting(lambda snr, prediction_type, strength: noise_like_v_weight(snr, strength), frozenset({"epsilon"})),
)  # fmt: skip
register(WEIGHTINGS, "debiased_estimation", Weighting(lambda snr, prediction_type, on: debiased_weight(snr, prediction_type)))


def timestep_weight(snr: Tensor, prediction_type: str, **strengths: float) -> Tensor:
    """The product of the weights that are switched on, for samples with these signal-to-noise ratios; same shape as `snr`.

    `strengths` are the settings of `WEIGHTINGS`; 0 and False are off.
    """
    weight = snr.new_ones(snr.shape)
    for name, entry in WEIGHTINGS.items():
        if strength := strengths.get(name, 0):
            weight = weight * entry.weight(snr, prediction_type, strength)
    return weight
