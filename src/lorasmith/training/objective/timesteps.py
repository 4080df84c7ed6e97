"""At which timesteps a model is trained: how noisy the pictures of a step are.

DDPM models learn every timestep equally often. Flow models learn best in the middle, and large pictures need stronger noise, since
their detail shines through more of it; so one number per sample is drawn, uniform or normal, and bent to a sigma (0 the picture, 1
the noise; timestep = 1000 sigma):

    uniform      u
    sigmoid      sigmoid(scale z)                                 z normal; the middle (Esser et al. 2024, "logit-normal")
    shift        s q / (1 + (s - 1) q), q as in sigmoid           s = discrete_flow_shift: over 1 towards the noise
    flux_shift   the same with s = e^mu, mu by the picture's size: as Flux draws
    sigma        one of the 1000 sigmas that the scheduler shifts by s, picked by `weighting_scheme`: evenly, logit_normal or mode

The maps are pure functions of the drawn numbers and agree with sd-scripts; tests/parity/test_flux.py.

A run can be kept to a range of timesteps (`noise.min_timestep`, `noise.max_timestep`): DDPM models then learn those from the first up to,
not including, the second, equally often; for flow models the whole way is squeezed into the range, sigma' = (min + (max - min) sigma) / 1000,
so that every way of drawing keeps its shape there.
"""

from __future__ import annotations

import math

import torch

from lorasmith.draws import generator_for, rng_for
from lorasmith.models.diffusion import Ddpm, Diffusion, shift_for
from lorasmith.training.objective.flow_settings import FlowSettings


def wants_normal(flow: FlowSettings) -> bool:
    """Whether the number that is drawn for a sample is normal, rather than uniform in [0, 1)."""
    if flow.timestep_sampling == "sigma":
        return flow.weighting_scheme == "logit_normal"
    return flow.timestep_sampling != "uniform"


def shifted(q: torch.Tensor, shift: float) -> torch.Tensor:
    """shift q / (1 + (shift - 1) q): 0 stays 0, 1 stays 1, the rest moves towards 1 for a shift over 1."""
    return q * shift / (1 + (shift - 1) * q)


def flow_sigmas(drawn: torch.Tensor, flow: FlowSettings, tokens: int) -> torch.Tensor:
    """The sigmas of samples, float32 (n,), from their drawn numbers (n,); `tokens` is the picture's latent pixels by fours."""
    match flow.timestep_sampling:
        case "uniform":
            return drawn
        case "sigmoid":
            return torch.sigmoid(flow.sigmoid_scale * drawn)
        case "shift":
            return shifted(torch.sigmoid(flow.sigmoid_scale * drawn), flow.discrete_flow_shift)
        case "flux_shift":
            return shifted(torch.sigmoid(flow.sigmoid_scale * drawn), math.exp(shift_for(tokens)))
        case "sigma":
            ladder = torch.arange(1000, 0, -1, dtype=torch.float32) / 1000
            steps = (density(drawn, flow) * 1000).long().clamp(0, 999)
            return shifted(ladder, flow.discrete_flow_shift)[steps]


def density(drawn: torch.Tensor, flow: FlowSettings) -> torch.Tensor:
    """Where between noise (0) and picture (1) a sample stands, from its drawn number (Esser et al. 2024, section 3.1)."""
    match flow.weighting_scheme:
        case "logit_normal":
            return torch.sigmoid(flow.logit_mean + flow.logit_std * drawn)
        case "mode":
            return 1 - drawn - flow.mode_scale * (torch.cos(math.pi * drawn / 2) ** 2 - 1 + drawn)
        case _:
            return drawn


def flow_weight(sigmas: torch.Tensor, scheme: str) -> torch.Tensor:
    """How much the loss of a sample at sigma counts, (n,), in the schemes that weigh it; 1 in the others."""
    match scheme:
        case "sigma_sqrt":
            return sigmas**-2.0
        case "cosmap":
            return 2 / (math.pi * (1 - 2 * sigmas + 2 * sigmas**2))
        case _:
            return torch.ones_like(sigmas)


WHOLE = (0, 1000)
"""The range of all timesteps: the first, and the one behind the last."""


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
    count: int, flow: FlowSettings, tokens: int, seed: int, step: int, first_sample: int, within: tuple[int, int] = WHOLE
) -> torch.Tensor:
    """Timesteps from 0 to 1000, float32 (count,), for pictures of so many tokens."""
    draw = torch.randn if wants_normal(flow) else torch.rand
    drawn = [draw((), generator=generator_for("timestep", seed, step, first_sample + k)) for k in range(count)]
    sigmas = flow_sigmas(torch.stack(drawn), flow, tokens)
    return 1000 * (sigmas if within == WHOLE else squeezed(sigmas, within))


def timesteps_for(
    diffusion: Diffusion, shape: torch.Size, flow: FlowSettings, seed: int, step: int, first_sample: int, within: tuple[int, int] = WHOLE
) -> torch.Tensor:
    """The timesteps of a batch of latents of `shape` (n, c, h, w), as its family is trained, kept to the range `within`."""
    if isinstance(diffusion, Ddpm):
        return draw_timesteps(shape[0], len(diffusion.alphas_cumprod), seed, step, first_sample, within)
    return draw_flow_timesteps(shape[0], flow, shape[-2] * shape[-1] // 4, seed, step, first_sample, within)
