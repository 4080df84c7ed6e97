"""Schedules of a sampler: at which timesteps, or at how much noise, the model is asked.

A sigma is the noise over the signal: latents of level sigma are signal (x + sigma n) with clean latents x and normal noise n. Timesteps
are those of DDPM, 0 to 999; flow models have a fraction of noise from 0 (the image) to 1 (noise).
"""

from __future__ import annotations

import math
from collections.abc import Callable

TIMESTEPS = 1000
PURE_NOISE = 1e9
"""The sigma of noise without any signal: so large that clean latents vanish in the rounding of float32."""

ORIGINAL_LCM_STEPS = 50
"""Steps of the teacher that latent consistency models were distilled from."""


# -- DDPM: timesteps, the noisiest first (Lin et al. 2024, https://arxiv.org/abs/2305.08891, table 2) --------------------------


def leading(steps: int, offset: int = 0) -> list[int]:
    """Evenly spaced from 0 upwards, moved by `offset`: it begins a step below the noisiest timestep."""
    stride = TIMESTEPS // steps
    return [min(k * stride + offset, TIMESTEPS - 1) for k in reversed(range(steps))]


def trailing(steps: int) -> list[int]:
    """Evenly spaced from the noisiest timestep downwards."""
    return [round(TIMESTEPS - k * TIMESTEPS / steps) - 1 for k in range(steps)]


def linspace(steps: int) -> list[int]:
    """Evenly spaced from the noisiest timestep to 0."""
    return [round(k * (TIMESTEPS - 1) / max(steps - 1, 1)) for k in reversed(range(steps))]


def lcm(steps: int) -> list[int]:
    """`steps` (up to 50) of the 50 timesteps that latent consistency models know (Luo et al. 2023, https://arxiv.org/abs/2310.04378)."""
    stride = TIMESTEPS // ORIGINAL_LCM_STEPS
    known = [k * stride - 1 for k in range(ORIGINAL_LCM_STEPS, 0, -1)]
    return [known[k * ORIGINAL_LCM_STEPS // steps] for k in range(steps)]


SPACINGS: dict[str, Callable[[int], list[int]]] = {"trailing": trailing, "linspace": linspace}
"""Spacings of timesteps, by diffusers' name, that take no offset."""


# -- sigmas -------------------------------------------------------------------------------------------------------------------


def karras(steps: int, lowest: float, highest: float, rho: float = 7.0) -> list[float]:
    """From the highest to the lowest sigma, denser towards the image (Karras et al. 2022, https://arxiv.org/abs/2206.00364, equation 5)."""
    low, high = lowest ** (1 / rho), highest ** (1 / rho)
    return [(high + k / max(steps - 1, 1) * (low - high)) ** rho for k in range(steps)]


def flow(steps: int, mu: float = 0.0, terminal: float | None = None, last: float | None = None) -> list[float]:
    """Evenly spaced fractions of noise from 1 to `last` (None: 1 / steps), shifted by e^mu towards the noise, as sigmas.

    With `terminal` they are stretched so that the last fraction is that one.
    """
    even = [(steps - k) / steps if last is None else 1 - k * (1 - last) / max(steps - 1, 1) for k in range(steps)]
    shifted = [shifted_noise(each, mu) for each in even]
    if terminal is not None and shifted[-1] < 1:
        scale = (1 - terminal) / (1 - shifted[-1])
        shifted = [1 - (1 - each) * scale for each in shifted]
    return [of_fraction(each) for each in shifted]


def shifted_noise(noise: float, mu: float) -> float:
    """A fraction of noise, 0-1, shifted by e^mu towards the noise (Esser et al. 2024, section 5.3.2)."""
    shift = math.exp(mu)
    return shift * noise / (1 + (shift - 1) * noise)


def of_fraction(noise: float) -> float:
    """The sigma of a flow model's fraction of noise, 0-1."""
    return noise / (1 - noise) if noise < 1 else PURE_NOISE
