"""How much a sample's loss counts, by its timestep. All weights multiply the sample's mean loss.

They are functions of the signal-to-noise ratio of the schedule that is trained on: with zero terminal SNR the last
timestep has none, and each weight is given its limit there.
"""

from __future__ import annotations

import torch

MOST_SIGNAL = 1000.0
"""Ratio at which the debiased and the scaled v-prediction weights stop growing apart, as in sd-scripts."""


def signal_to_noise(alphas_cumprod: torch.Tensor) -> torch.Tensor:
    """a / (1 - a) per timestep."""
    return alphas_cumprod / (1 - alphas_cumprod)


def min_snr_weight(snr: torch.Tensor, gamma: float, prediction_type: str) -> torch.Tensor:
    """min(snr, gamma) / snr for epsilon, / (snr + 1) for v-prediction (Hang et al. 2023, section 3.4)."""
    clipped = snr.clamp(max=gamma)
    if prediction_type == "v_prediction":
        return clipped / (snr + 1)
    return torch.where(snr > gamma, gamma / snr.clamp(min=gamma), torch.ones_like(snr))


def debiased_weight(snr: torch.Tensor, prediction_type: str) -> torch.Tensor:
    """1 / sqrt(snr) for epsilon (Yu et al. 2023, https://arxiv.org/abs/2310.08442), 1 / (snr + 1) for v-prediction."""
    clipped = snr.clamp(max=MOST_SIGNAL)
    return 1 / (clipped + 1) if prediction_type == "v_prediction" else clipped.rsqrt()


def v_like_noise_weight(snr: torch.Tensor) -> torch.Tensor:
    """snr / (snr + 1): a v-prediction's loss on the scale of a noise prediction's (scale_v_pred_loss_like_noise_pred)."""
    clipped = snr.clamp(max=MOST_SIGNAL)
    return clipped / (clipped + 1)


def noise_like_v_weight(snr: torch.Tensor, strength: float) -> torch.Tensor:
    """1 + strength (snr + 1) / snr: a noise prediction's loss plus so much of a v-prediction's (v_pred_like_loss)."""
    return 1 + strength / v_like_noise_weight(snr)


def timestep_weight(
    snr: torch.Tensor,
    prediction_type: str,
    *,
    min_snr_gamma: float = 0.0,
    scale_v_pred_loss_like_noise_pred: bool = False,
    v_pred_like_loss: float = 0.0,
    debiased_estimation: bool = False,
) -> torch.Tensor:
    """The product of the weights that are switched on, for samples with these signal-to-noise ratios; same shape as `snr`."""
    weight = torch.ones_like(snr)
    if min_snr_gamma:
        weight = weight * min_snr_weight(snr, min_snr_gamma, prediction_type)
    if scale_v_pred_loss_like_noise_pred:
        weight = weight * v_like_noise_weight(snr)
    if v_pred_like_loss:
        weight = weight * noise_like_v_weight(snr, v_pred_like_loss)
    if debiased_estimation:
        weight = weight * debiased_weight(snr, prediction_type)
    return weight
