"""At which timesteps a model is trained: how noisy the pictures of a step are.

DDPM models learn every timestep equally often. Flow models learn best in the middle, and large pictures need stronger noise, since
their detail shows through more of it; so one number per sample is drawn, uniform or normal, and mapped to a sigma (0 the picture, 1
the noise; timestep = 1000 sigma) in one of the ways of `timestep_samplings`.

A run can be kept to a range of timesteps (`noise.min_timestep`, `noise.max_timestep`): DDPM models then learn those from the first up to,
not including, the second, equally often; for flow models the whole way is squeezed into the range, sigma' = (min + (max - min) sigma) / 1000,
so that every way of sampling keeps its shape there.
"""

from __future__ import annotations

import math

import torch

from lorasmith.draws import generator_for, rng_for
from lorasmith.models.base import Base
from lorasmith.models.diffusion import Ddpm, Diffusion
from lorasmith.training.objective.flow_settings import FlowSettings
from lorasmith.training.objective.timestep_samplings import TIMESTEP_SAMPLINGS, WEIGHTING_SCHEMES, wants_normal


def flow_sigmas(drawn: torch.Tensor, flow: FlowSettings, size_shift: float) -> torch.Tensor:
    """The sigmas of samples, float32 (n,), from their drawn numbers (n,); `size_shift` follows from the picture's size."""
    return TIMESTEP_SAMPLINGS[flow.timestep_sampling].sigmas(drawn, flow.shape(size_shift))


def size_shift_of(base: Base, height: int, width: int) -> float:
    """The family's own shift of sigmas for latents of this size; 1 moves nothing."""
    shift = base.defaults.shift
    return 1.0 if shift is None else math.exp(shift.mu(base.tokens(height, width)))


def flow_weight(sigmas: torch.Tensor, scheme: str) -> torch.Tensor:
    """How much the loss of a sample at sigma counts, (n,), in the weighting scheme."""
    return WEIGHTING_SCHEMES[scheme].weight(sigmas)


WHOLE = (0, 1000)
"""The range of all timesteps: the first, and the one after the last."""


def draw_timesteps(
    count: int, train_timesteps: int, seed: int, step: int, first_sample: int, within: tuple[int, int] = WHOLE
) -> torch.Tensor:
    """Uniform timesteps, int64 (count,), of the `train_timesteps` that a base has, from within[0] to within[1] - 1."""
    least, beyond = within[0], min(within[1], train_timesteps)
    drawn = [rng_for("timestep", seed, step, first_sample + k).randrange(least, beyond) for k in range(count)]
    return torch.tensor(drawn, dtype=torch.int64)


def squeezed(sigmas: torch.Tensor, within: tuple[int, int]) -> torch.Tensor:
    """Sigmas from 0 to 1 moved into a range of timesteps: 0 becomes its least sigma, 1 its greatest."""
    least, most = within[0] / 1000, within[1] / 1000
    return least + (most - least) * sigmas


def draw_flow_timesteps(
    count: int, flow: FlowSettings, size_shift: float, seed: int, step: int, first_sample: int, within: tuple[int, int] = WHOLE
) -> torch.Tensor:
    """Timesteps from 0 to 1000, float32 (count,), for pictures of one size."""
    draw = torch.randn if wants_normal(flow.timestep_sampling, flow.weighting_scheme) else torch.rand
    drawn = [draw((), generator=generator_for("timestep", seed, step, first_sample + k)) for k in range(count)]
    sigmas = flow_sigmas(torch.stack(drawn), flow, size_shift)
    return 1000 * (sigmas if within == WHOLE else squeezed(sigmas, within))


def timesteps_for(
    diffusion: Diffusion, count: int, size_shift: float, flow: FlowSettings, seed: int, step: int, first_sample: int,
    within: tuple[int, int] = WHOLE,
) -> torch.Tensor:  # fmt: skip
    """The timesteps of `count` samples of one size, as their family is trained, kept to the range `within`."""
    if isinstance(diffusion, Ddpm):
        return draw_timesteps(count, len(diffusion.alphas_cumprod), seed, step, first_sample, within)
    return draw_flow_timesteps(count, flow, size_shift, seed, step, first_sample, within)
