"""How much a sample's loss counts, by its timestep."""

from __future__ import annotations

import torch


def signal_to_noise(alphas_cumprod: torch.Tensor) -> torch.Tensor:
    """a / (1 - a) per timestep."""
    return alphas_cumprod / (1 - alphas_cumprod)


def min_snr_weight(timesteps: torch.Tensor, alphas_cumprod: torch.Tensor, gamma: float, prediction_type: str) -> torch.Tensor:
    """min(snr, gamma) / snr for epsilon, / (snr + 1) for v-prediction (Hang et al. 2023, section 3.4). Shape (n,)."""
    snr = signal_to_noise(alphas_cumprod)[timesteps]
    clipped = snr.clamp(max=gamma)
    return clipped / (snr + 1) if prediction_type == "v_prediction" else clipped / snr
