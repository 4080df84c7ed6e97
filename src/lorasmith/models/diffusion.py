"""How a picture turns into noise over the timesteps, and what the model is asked to say about it.

Every family mixes the clean latents x with normal noise n,

    noisy = signal x + sigma n

and differs in how much of both there is at a timestep, and in what it predicts:

    DDPM (Ho et al. 2020)         signal = sqrt(a), sigma = sqrt(1 - a), a = alphas_cumprod[t], t = 0 ... 999
        epsilon                   n
        v_prediction              signal n - sigma x        (Salimans and Ho 2022, appendix D)
    flow (Lipman et al. 2023)     signal = 1 - sigma, sigma = t / 1000, t from 0 to 1000, any number
        flow                      n - x

From a perfect prediction the clean latents come back (`clean`). Samplers have one number for both,
noise over signal (`models.sigmas`). With zero terminal SNR (Lin et al. 2024, https://arxiv.org/abs/2305.08891) a is 0 at t = 999: pure
noise, so that a model can make the very dark and the very bright; then nothing of x is in the noise's prediction, and the model has to
predict v.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch

from lorasmith.models.family import PredictionType
from lorasmith.models.shift import Shift, shift_of
from lorasmith.models.sigmas import PURE_NOISE, SPACINGS, leading, of_fraction
from lorasmith.models.sigmas import flow as flow_sigmas

HIGHEST_DDPM = math.sqrt(2**24 - 1)
"""The sigma that pure noise counts as where a sampler takes its logarithm: a = 2^-24, as in diffusers."""
HIGHEST_FLOW = (1 - 1e-6) / 1e-6
"""The same for flow: a fraction of noise of 1 - 10^-6."""

Levels = tuple[torch.Tensor, torch.Tensor]
"""(signal, sigma) of samples, float32 (n,)."""


class Diffusion(Protocol):
    """A family's way of noising, and at which levels of noise an image is sampled.

    Levels of a sampler are sigmas, noise over signal: from `models.sigmas.PURE_NOISE` to 0.
    """

    @property
    def prediction_type(self) -> PredictionType: ...

    def levels(self, timesteps: torch.Tensor) -> Levels:
        """How much picture and how much noise there is at `timesteps` (n,)."""
        ...

    @property
    def sigma_range(self) -> tuple[float, float]:
        """The lowest and the highest sigma that samplers may take logarithms of; the lowest is 0 where there is none."""
        ...

    @property
    def last_sigma(self) -> float:
        """Where DDIM and flow Euler end."""
        ...

    def sigmas(self, steps: int, tokens: int) -> list[float]:
        """The sigmas of `steps` steps for an image of `tokens` tokens, the highest first, as the base was made to be sampled."""
        ...

    def sigma_at(self, timestep: int) -> float:
        """The sigma of a timestep."""
        ...

    def timestep(self, sigma: float) -> float:
        """What the model is given as the timestep at a sigma."""
        ...

    def signal(self, sigma: float) -> float:
        """How much of the clean latents the model's input has at a sigma, 0-1."""
        ...


@dataclass(frozen=True, eq=False)
class Ddpm:
    """Discrete timesteps with a schedule of betas; `config` is the scheduler's as diffusers writes it."""

    prediction_type: PredictionType
    alphas_cumprod: torch.Tensor  # float32 (1000,)
    config: Mapping[str, Any]

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Ddpm:
        """From any scheduler's config of a Stable Diffusion model; what it leaves out is as these models were trained."""
        from diffusers import DDIMScheduler

        zero_snr = bool(config.get("rescale_betas_zero_snr"))
        complete = {
            "num_train_timesteps": config.get("num_train_timesteps", 1000),
            "beta_start": config.get("beta_start", 0.00085),
            "beta_end": config.get("beta_end", 0.012),
            "beta_schedule": config.get("beta_schedule", "scaled_linear"),
            "trained_betas": config.get("trained_betas"),
            "prediction_type": config.get("prediction_type", "epsilon"),
            "rescale_betas_zero_snr": zero_snr,
            # A schedule that ends in pure noise must be entered there: "leading" would begin a step early.
            "timestep_spacing": "trailing" if zero_snr else config.get("timestep_spacing", "leading"),
            "steps_offset": config.get("steps_offset", 1),
            "set_alpha_to_one": config.get("set_alpha_to_one", False),
            "clip_sample": False,  # latents are no pixels: nothing ends at 1
            "thresholding": False,
        }
        return cls(complete["prediction_type"], DDIMScheduler.from_config(complete).alphas_cumprod.float(), complete)

    def levels(self, timesteps: torch.Tensor) -> Levels:
        a = self.alphas_cumprod[timesteps]
        return a.sqrt(), (1 - a).sqrt()

    def with_zero_terminal_snr(self) -> Ddpm:
        """The same schedule, stretched so that it ends in pure noise."""
        config = {**self.config, "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
        return replace(self, alphas_cumprod=zero_terminal_snr(self.alphas_cumprod), config=config)

    @cached_property
    def _sigmas(self) -> np.ndarray:
        """The sigma of each timestep, float64 (1000,)."""
        a = self.alphas_cumprod.double().numpy()
        return np.sqrt((1 - a) / np.maximum(a, PURE_NOISE**-2))

    @property
    def sigma_range(self) -> tuple[float, float]:
        return float(self._sigmas[0]), float(min(self._sigmas[-1], HIGHEST_DDPM))

    @property
    def last_sigma(self) -> float:
        return 0.0 if self.config["set_alpha_to_one"] else float(self._sigmas[0])

    def sigmas(self, steps: int, tokens: int) -> list[float]:
        spacing = self.config["timestep_spacing"]
        timesteps = SPACINGS[spacing](steps) if spacing in SPACINGS else leading(steps, self.config["steps_offset"])
        return [self.sigma_at(timestep) for timestep in timesteps]

    def sigma_at(self, timestep: int) -> float:
        return float(self._sigmas[timestep])

    def timestep(self, sigma: float) -> float:
        """Between two timesteps in proportion to the logarithm of sigma."""
        logarithms = np.log(np.minimum(self._sigmas, HIGHEST_DDPM))
        return float(np.interp(math.log(sigma), logarithms, np.arange(len(logarithms))))

    def signal(self, sigma: float) -> float:
        return 1 / math.hypot(1, sigma)


@dataclass(frozen=True, eq=False)
class Flow:
    """Straight paths from picture to noise; `config` is the scheduler's as diffusers writes it."""

    config: Mapping[str, Any]
    prediction_type: PredictionType = "flow"
    shift: Shift | None = None
    """The family's own, where its pipeline does not take the config's."""
    last: float | None = None
    """The fraction of noise of the last step before the shift; None: that of as many equal steps to the picture."""

    def levels(self, timesteps: torch.Tensor) -> Levels:
        sigma = timesteps / 1000
        return 1 - sigma, sigma

    @property
    def sigma_range(self) -> tuple[float, float]:
        return 0.0, HIGHEST_FLOW

    @property
    def last_sigma(self) -> float:
        return 0.0

    def sigmas(self, steps: int, tokens: int) -> list[float]:
        """Shifted as the scheduler's config says: by a fixed factor, or further for larger images; stretched to end at its last fraction."""
        shift = self.shift or shift_of(self.config)
        return flow_sigmas(steps, shift.mu(tokens, steps), self.config.get("shift_terminal"), self.last)

    def sigma_at(self, timestep: int) -> float:
        return of_fraction(timestep / 1000)

    def timestep(self, sigma: float) -> float:
        return 1000 * sigma / (1 + sigma)

    def signal(self, sigma: float) -> float:
        return 1 / (1 + sigma)


# -- pure functions of the levels -----------------------------------------------------------------------------------------


def _over(level: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
    """(n,) as (n, 1, 1, 1) where the latents are."""
    return level.view(-1, *([1] * (latents.ndim - 1))).to(latents.device)


def zero_terminal_snr(alphas_cumprod: torch.Tensor) -> torch.Tensor:
    """sqrt(a) moved and stretched so that its last value is 0 and its first stays (Lin et al. 2024, algorithm 1)."""
    signal = alphas_cumprod.sqrt()
    return ((signal - signal[-1]) * (signal[0] / (signal[0] - signal[-1]))).square()


def add_noise(latents: torch.Tensor, noise: torch.Tensor, levels: Levels) -> torch.Tensor:
    """signal x + sigma n."""
    signal, sigma = levels
    return _over(signal, latents) * latents + _over(sigma, latents) * noise


Target = Callable[[torch.Tensor, torch.Tensor, Levels], torch.Tensor]
"""(latents, noise, levels) to what a perfect model says."""


def epsilon(latents: torch.Tensor, noise: torch.Tensor, levels: Levels) -> torch.Tensor:
    return noise


def v_prediction(latents: torch.Tensor, noise: torch.Tensor, levels: Levels) -> torch.Tensor:
    signal, sigma = levels
    return _over(signal, latents) * noise - _over(sigma, latents) * latents


def flow(latents: torch.Tensor, noise: torch.Tensor, levels: Levels) -> torch.Tensor:
    return noise - latents


TARGETS: dict[str, Target] = {"epsilon": epsilon, "v_prediction": v_prediction, "flow": flow}


def clean(prediction_type: PredictionType, noisy: torch.Tensor, prediction: torch.Tensor, levels: Levels) -> torch.Tensor:
    """The clean latents that a prediction speaks of; for epsilon there must be some signal."""
    signal, sigma = _over(levels[0], noisy), _over(levels[1], noisy)
    match prediction_type:
        case "epsilon":
            return (noisy - sigma * prediction) / signal
        case "v_prediction":
            return signal * noisy - sigma * prediction
        case "flow":
            return noisy - sigma * prediction
