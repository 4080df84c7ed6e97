"""The noise that is added to the latents, a function of (seed, step, sample): plain noise, and the kinds of `noise_kinds` over it.

Plain noise is one normal number for each value of the latents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from lorasmith.draws import generator_for
from lorasmith.training.objective.noise_kinds import NOISE_KINDS, SampleKey
from lorasmith.training.objective.noise_settings import NoiseSettings


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
    """The noise of a batch of latents (n, c, h, w), as the settings ask for it."""
    plain = draw_noise(latents.shape, seed, step, first_sample).to(latents.device)
    keys = [(seed, step, first_sample + k) for k in range(len(latents))]
    on = [name for name in NOISE_KINDS if getattr(settings, name)]
    of_both = [name for name in on if not NOISE_KINDS[name].input_alone]
    of_input = [name for name in on if NOISE_KINDS[name].input_alone]
    added = torch.cat([_with(of_both, plain[[k]], latents[[k]], settings, key) for k, key in enumerate(keys)])
    if not of_input:
        return Noise(added, added)
    return Noise(added, torch.cat([_with(of_input, added[[k]], latents[[k]], settings, key) for k, key in enumerate(keys)]))


def _with(kinds: Sequence[str], noise: torch.Tensor, latents: torch.Tensor, settings: NoiseSettings, key: SampleKey) -> torch.Tensor:
    """One sample's noise (1, c, h, w) with these kinds over it."""
    for name in kinds:
        kind = NOISE_KINDS[name]
        noise = kind.apply(noise, latents, {field: getattr(settings, field) for field in (name, *kind.takes)}, key)
    return noise
