"""The noise that is added to the latents, a function of (seed, step, sample).

Plain noise n is one normal number for each value of the latents. A base whose schedule ends short of pure noise (DDPM without zero
terminal SNR) always sees a trace of each picture's mean, never learns to make one up, and draws everything of middling brightness.
Two remedies give the noise large forms of its own, and a third is for another ill:

    offset       n + o g                           g normal, one number a channel (Guttenberg 2023, "offset noise"); the strength o may be
                                                   drawn anew up to its value, or grow with the picture's own mean (adaptive)
    multires     (n + sum of d^i up(g_i)) / std    g_i normal at coarser and coarser sizes (Whitaker 2023, "pyramid noise")
    perturbed    the model sees n + gamma g, and is asked for n alone: while drawing it will be fed its own errors
                                                   (Ning et al. 2023, https://arxiv.org/abs/2301.11706)

The mathematics is pure functions that are fed with what was drawn. What is drawn is drawn for one sample alone, sizes and strengths
too, and `multires` is scaled by that sample's own deviation, so that a sample's noise is the same in every batch and on every process.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

from lorasmith.draws import generator_for, rng_for
from lorasmith.training.objective.noise_settings import NoiseSettings

# -- pure functions of what was drawn -------------------------------------------------------------------------------------


def offset(noise: torch.Tensor, gauss: torch.Tensor, strength: float | torch.Tensor) -> torch.Tensor:
    """Noise (n, c, h, w) moved by strength * gauss (n, c, 1, 1)."""
    return noise + strength * gauss


def adapted_strength(strength: float, latents: torch.Tensor, scale: float) -> torch.Tensor:
    """strength + scale * |mean of the picture|, (n, c, 1, 1), never below 0: dark and bright pictures are moved more (less: scale < 0)."""
    return (strength + scale * latents.mean((2, 3), keepdim=True).abs()).clamp(min=0)


def level_sizes(height: int, width: int, drawn: Iterable[float]) -> list[tuple[int, int]]:
    """Sizes of the levels of multires noise, one for each number drawn from 0 to 1: level i is r^i times smaller, r = 2 + 2 drawn.

    Level 0 is as large as the latents. A level with a side of 1 is the last.
    """
    sizes = []
    for level, u in enumerate(drawn):
        smaller = (2 + 2 * u) ** level
        sizes.append((max(1, int(height / smaller)), max(1, int(width / smaller))))
        if 1 in sizes[-1]:
            break
    return sizes


def multires(noise: torch.Tensor, levels: Sequence[torch.Tensor], discount: float) -> torch.Tensor:
    """Noise (n, c, h, w) plus its levels (n, c, smaller h, smaller w), level i times discount^i; scaled to a deviation of 1 over all n."""
    for level, coarse in enumerate(levels):
        noise = noise + discount**level * torch.nn.functional.interpolate(coarse, size=noise.shape[2:], mode="bilinear")
    return noise / noise.std()


def perturbed(noise: torch.Tensor, more: torch.Tensor, gamma: float) -> torch.Tensor:
    """Noise for the input alone, while the target keeps the clean one."""
    return noise + gamma * more


# -- drawn for each sample ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Noise:
    """`added` is what the model should name, `seen` what its input has; (n, c, h, w) float32, one tensor where they are the same."""

    added: torch.Tensor
    seen: torch.Tensor


def draw_noise(shape: Sequence[int], seed: int, step: int, first_sample: int) -> torch.Tensor:
    """Plain noise, float32 `shape` (n, channels, h, w); sample k of the batch is number `first_sample` + k of its step."""
    samples = [
        torch.randn(tuple(shape[1:]), generator=generator_for("noise", seed, step, first_sample + k)) for k in range(shape[0])
    ]  # fmt: skip
    return torch.stack(samples)


def noise_for(latents: torch.Tensor, settings: NoiseSettings, seed: int, step: int, first_sample: int) -> Noise:
    """The noise of a batch of latents (n, c, h, w), as the settings want it."""
    plain = draw_noise(latents.shape, seed, step, first_sample).to(latents.device)
    places = [(seed, step, first_sample + k) for k in range(len(latents))]
    added = torch.cat([_formed(plain[[k]], latents[[k]], settings, place) for k, place in enumerate(places)])
    if not settings.ip_noise_gamma:
        return Noise(added, added)
    return Noise(added, torch.cat([_disturbed(added[[k]], settings, place) for k, place in enumerate(places)]))


Place = tuple[int, int, int]
"""(seed, step, sample): what a sample's draws are for."""


def _formed(noise: torch.Tensor, latents: torch.Tensor, settings: NoiseSettings, place: Place) -> torch.Tensor:
    """One sample's noise (1, c, h, w) with the large forms that the settings ask for."""
    channels, height, width = noise.shape[1:]
    if settings.noise_offset:
        share = rng_for("noise offset strength", *place).random() if settings.noise_offset_random_strength else 1.0
        strength = adapted_strength(settings.noise_offset * share, latents, settings.adaptive_noise_scale)
        gauss = torch.randn((1, channels, 1, 1), generator=generator_for("noise offset", *place)).to(noise.device)
        noise = offset(noise, gauss, strength)
    if settings.multires_noise_iterations:
        sizes, generator = rng_for("multires noise sizes", *place), generator_for("multires noise", *place)
        drawn = (sizes.random() for _ in range(settings.multires_noise_iterations))
        levels = [torch.randn((1, channels, *size), generator=generator).to(noise.device) for size in level_sizes(height, width, drawn)]
        noise = multires(noise, levels, settings.multires_noise_discount)
    return noise


def _disturbed(noise: torch.Tensor, settings: NoiseSettings, place: Place) -> torch.Tensor:
    """One sample's noise (1, c, h, w) as its input has it."""
    share = rng_for("input noise strength", *place).random() if settings.ip_noise_gamma_random_strength else 1.0
    more = torch.randn(noise.shape, generator=generator_for("input noise", *place)).to(noise.device)
    return perturbed(noise, more, settings.ip_noise_gamma * share)
