"""The noise that is added to the latents, a function of (seed, step, sample)."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from lorasmith.draws import generator_for


def draw_noise(shape: Sequence[int], seed: int, step: int, first_sample: int) -> torch.Tensor:
    """Normal noise, float32 `shape` (n, channels, h, w); sample k of the batch is number `first_sample` + k of its step."""
    samples = [
        torch.randn(tuple(shape[1:]), generator=generator_for("noise", seed, step, first_sample + k)) for k in range(shape[0])
    ]  # fmt: skip
    return torch.stack(samples)


def perturbed(noise: torch.Tensor, more: torch.Tensor, gamma: float) -> torch.Tensor:
    """Noise for the input alone, while the target keeps the clean one (Ning et al. 2023, input perturbation; ip_noise_gamma)."""
    return noise + gamma * more
