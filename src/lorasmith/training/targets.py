"""What the model is asked to predict."""

from __future__ import annotations

from collections.abc import Callable

import torch

Target = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def epsilon(latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor, alphas_cumprod: torch.Tensor) -> torch.Tensor:
    """The noise itself (Ho et al. 2020)."""
    return noise


def v_prediction(latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor, alphas_cumprod: torch.Tensor) -> torch.Tensor:
    """sqrt(a) noise - sqrt(1 - a) x (Salimans and Ho 2022, appendix D)."""
    a = alphas_cumprod[timesteps].view(-1, *([1] * (latents.ndim - 1)))
    return a.sqrt() * noise - (1 - a).sqrt() * latents


TARGETS: dict[str, Target] = {"epsilon": epsilon, "v_prediction": v_prediction}
