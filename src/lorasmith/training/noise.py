"""What is added to the latents: noise and timesteps, each a function of (seed, step, sample)."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from lorasmith.draws import generator_for, rng_for


def draw_noise(shape: Sequence[int], seed: int, step: int, first_sample: int) -> torch.Tensor:
    """Normal noise, float32 `shape` (n, channels, h, w); sample k of the batch is number `first_sample` + k of its step."""
    samples = [
        torch.randn(tuple(shape[1:]), generator=generator_for("noise", seed, step, first_sample + k)) for k in range(shape[0])
    ]  # fmt: skip
    return torch.stack(samples)


def draw_timesteps(count: int, train_timesteps: int, seed: int, step: int, first_sample: int) -> torch.Tensor:
    """Uniform timesteps, int64 (count,), from 0 to `train_timesteps` - 1."""
    drawn = [rng_for("timestep", seed, step, first_sample + k).randrange(train_timesteps) for k in range(count)]
    return torch.tensor(drawn, dtype=torch.int64)


def add_noise(latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor, alphas_cumprod: torch.Tensor) -> torch.Tensor:
    """sqrt(a) x + sqrt(1 - a) noise (Ho et al. 2020, eq. 4), a = `alphas_cumprod`[t]."""
    a = alphas_cumprod[timesteps].view(-1, *([1] * (latents.ndim - 1)))
    return a.sqrt() * latents + (1 - a).sqrt() * noise
