"""Samplers: how noise becomes an image, step by step.

Each is a pure function of one signature, in the manner of k-diffusion:

    sampler(model, x, sigmas, noise) -> x

`model(x, sigma)` gives the clean latents that the base sees in latents x + sigma n of normal noise n; `sigmas` fall from the start to the
end, usually 0; `noise(step, part)` gives new normal noise, and only samplers that add noise ask for it. Latents here are not scaled down
as noise is added (signal 1, sigma is noise over signal), which is right for every base: those of DDPM and of flow matching differ only in
how they scale what the model is given (`models.sampling`), and a step is the same for both.

A new sampler is a function and a line in `SAMPLERS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator

from lorasmith.errors import SettingsError
from lorasmith.models import sigmas as schedules
from lorasmith.registry import KeyOf, nearest

if TYPE_CHECKING:
    import torch

    from lorasmith.models.diffusion import Diffusion

    Model = Callable[[torch.Tensor, float], torch.Tensor]
    Noise = Callable[[int, int], torch.Tensor]
    Solver = Callable[[Model, torch.Tensor, Sequence[float], Noise], torch.Tensor]

Schedule = Callable[["Diffusion", int, int], list[float]]
"""(diffusion, steps, tokens of the image) to the sigmas of a sampler, with the one that it ends at."""


# -- samplers that add no noise -----------------------------------------------------------------------------------------------


def euler(model: Model, x: torch.Tensor, sigmas: Sequence[float], noise: Noise) -> torch.Tensor:
    """Euler's method (Karras et al. 2022, https://arxiv.org/abs/2206.00364, algorithm 1 without its second half).

    It is DDIM with eta = 0 as well (Song et al. 2020, https://arxiv.org/abs/2010.02502, section 4.3), and Euler's method for flow models.
    """
    for sigma, after in pairwise(sigmas):
        clean = model(x, sigma)
        x = clean + after * (x - clean) / sigma
    return x


def dpmpp_2m(model: Model, x: torch.Tensor, sigmas: Sequence[float], noise: Noise) -> torch.Tensor:
    """DPM-Solver++(2M): second order from the step before (Lu et al. 2022, https://arxiv.org/abs/2211.01095, algorithm 2)."""
    before: torch.Tensor | None = None
    for k, (sigma, after) in enumerate(pairwise(sigmas)):
        clean = model(x, sigma)
        ahead = clean if before is None else _half_a_step_ahead(clean, before, sigmas[k - 1 : k + 2])
        x, before = _towards(x, ahead, sigma, after), clean
    return x


def unipc(model: Model, x: torch.Tensor, sigmas: Sequence[float], noise: Noise) -> torch.Tensor:
    """UniPC of order 2 with B2(h) = e^h - 1 (Zhao et al. 2023, https://arxiv.org/abs/2302.04867, sections 3.1 and 3.2).

    Its predictor, UniP, is `dpmpp_2m`; its corrector, UniC, repeats each step with what the model has seen at the step's end.
    """
    start = x  # of the last step
    seen: list[torch.Tensor] = []  # the clean latents of the last two steps
    for k, (sigma, after) in enumerate(pairwise(sigmas)):
        clean = model(x, sigma)
        if k > 0:
            x = _towards(start, _corrected(seen, clean, sigmas[: k + 1]), sigmas[k - 1], sigma)
        ahead = clean if k == 0 else _half_a_step_ahead(clean, seen[-1], sigmas[k - 1 : k + 2])
        start, seen = x, [*seen[-1:], clean]
        x = _towards(x, ahead, sigma, after)
    return x


def _corrected(seen: Sequence[torch.Tensor], clean: torch.Tensor, sigmas: Sequence[float]) -> torch.Tensor:
    """The clean latents that UniC steps towards, from `sigmas[-2]` to `sigmas[-1]`, where the model now sees `clean`."""
    last = seen[-1]
    if len(seen) == 1:
        return last + (clean - last) / 2
    h = _log_ratio(sigmas[-2], sigmas[-1])
    back = -_log_ratio(sigmas[-3], sigmas[-2]) / h
    # The conditions of theorem 3.1: rho_old + rho_new = first, and back rho_old + rho_new = second.
    phi = math.expm1(-h) / -h - 1
    first, second = phi / math.expm1(-h), 2 * (phi / -h - 0.5) / math.expm1(-h)
    rho_old = (first - second) / (1 - back)
    return last + rho_old * (seen[-2] - last) / back + (first - rho_old) * (clean - last)


# -- samplers that add noise --------------------------------------------------------------------------------------------------


def euler_a(model: Model, x: torch.Tensor, sigmas: Sequence[float], noise: Noise) -> torch.Tensor:
    """Euler ancestral: each step goes further down than asked, and noise brings it back (k-diffusion's `sample_euler_ancestral`).

    It is DDPM's own sampler with larger steps (Ho et al. 2020, https://arxiv.org/abs/2006.11239, algorithm 2).
    """
    for k, (sigma, after) in enumerate(pairwise(sigmas)):
        clean = model(x, sigma)
        down, up = _ancestral(sigma, after)
        x = clean + down * (x - clean) / sigma
        if after > 0:
            x = x + up * noise(k, 0)
    return x


def dpmpp_sde(model: Model, x: torch.Tensor, sigmas: Sequence[float], noise: Noise) -> torch.Tensor:
    """DPM-Solver++ for the SDE, with the model asked again half way (Lu et al. 2022, algorithm 1, as k-diffusion's `sample_dpmpp_sde`).

    Both halves of a step follow one path of a Brownian motion in sigma: the noise of the whole step is made of that of its halves.
    """
    for k, (sigma, after) in enumerate(pairwise(sigmas)):
        clean = model(x, sigma)
        if after == 0:
            x = clean
            continue
        middle = math.sqrt(sigma * after)
        first, second = noise(k, 0), noise(k, 1)
        whole = (math.sqrt(sigma - middle) * first + math.sqrt(middle - after) * second) / math.sqrt(sigma - after)
        down, up = _ancestral(sigma, middle)
        halfway = _towards(x, clean, sigma, down) + up * first
        down, up = _ancestral(sigma, after)
        x = _towards(x, model(halfway, middle), sigma, down) + up * whole
    return x


def lcm(model: Model, x: torch.Tensor, sigmas: Sequence[float], noise: Noise) -> torch.Tensor:
    """Latent consistency models: a clean image at once, noised again for the next (Luo et al. 2023, https://arxiv.org/abs/2310.04378,
    algorithm 3).
    """
    for k, (sigma, after) in enumerate(pairwise(sigmas)):
        x = model(x, sigma)
        if after > 0:
            x = x + after * noise(k, 0)
    return x


# -- steps --------------------------------------------------------------------------------------------------------------------


def _log_ratio(sigma: float, after: float) -> float:
    """h, the length of a step: how much half of the logarithm of the signal-to-noise ratio grows."""
    return math.log(sigma / after)


def _half_a_step_ahead(clean: torch.Tensor, before: torch.Tensor, sigmas: Sequence[float]) -> torch.Tensor:
    """The clean latents in the middle of the step from `sigmas[1]` to `sigmas[2]`, on the line through those at `sigmas[0]` and `sigmas[1]`."""
    earlier, sigma, after = sigmas
    if after == 0:
        return clean  # the last step is infinitely long
    return clean + _log_ratio(sigma, after) / _log_ratio(earlier, sigma) / 2 * (clean - before)


def _towards(x: torch.Tensor, clean: torch.Tensor, sigma: float, after: float) -> torch.Tensor:
    """The exact step from `sigma` to `after` where the clean latents are the same all along it."""
    return after / sigma * x + (1 - after / sigma) * clean


def _ancestral(sigma: float, after: float) -> tuple[float, float]:
    """The sigma to step down to, and how much noise is then added to get from `sigma` to `after`."""
    up = min(after, after * math.sqrt(max(1 - (after / sigma) ** 2, 0.0)))
    return math.sqrt(after**2 - up**2), up


# -- schedules ----------------------------------------------------------------------------------------------------------------


def as_trained(diffusion: Diffusion, steps: int, tokens: int) -> list[float]:
    """As the base was made to be sampled, down to 0.

    Samplers that look back take logarithms of sigmas, so pure noise counts as the highest sigma that has one.
    """
    highest = diffusion.sigma_range[1]
    return [*(min(sigma, highest) for sigma in diffusion.sigmas(steps, tokens)), 0.0]


def in_karras_steps(diffusion: Diffusion, steps: int, tokens: int) -> list[float]:
    """Karras's spacing over all of the base's sigmas, down to 0."""
    return [*schedules.karras(steps, *diffusion.sigma_range), 0.0]


def from_pure_noise(diffusion: Diffusion, steps: int, tokens: int) -> list[float]:
    """As the base was made to be sampled, from pure noise down to the last sigma of its training."""
    return [*diffusion.sigmas(steps, tokens), diffusion.last_sigma]


def of_lcm(diffusion: Diffusion, steps: int, tokens: int) -> list[float]:
    """The timesteps that latent consistency models know, down to 0."""
    if steps > schedules.ORIGINAL_LCM_STEPS:
        raise SettingsError(
            f"LCM takes at most {schedules.ORIGINAL_LCM_STEPS} steps and was given {steps}. 4 to 8 are usual.",
            code="sampler.too_many_steps", steps=steps,
        )  # fmt: skip
    return [*(diffusion.sigma_at(timestep) for timestep in schedules.lcm(steps)), 0.0]


# -- the registry -------------------------------------------------------------------------------------------------------------

DDPM = frozenset({"epsilon", "v_prediction"})
FLOW = frozenset({"flow"})


@dataclass(frozen=True)
class Sampler:
    """A sampler by its name in the field, with its schedule and the predictions that it is for."""

    title: str
    solve: Solver
    schedule: Schedule = as_trained
    predictions: frozenset[str] = DDPM | FLOW
    calls: int = 1
    """How often it asks the model in a step."""
    also_called: tuple[str, ...] = ()
    """In other programs, besides `title`, which is A1111's label; in lower case."""


SAMPLERS: dict[str, Sampler] = {
    "euler": Sampler("Euler", euler, also_called=("k_euler",)),
    "euler_a": Sampler("Euler a", euler_a, also_called=("k_euler_a", "euler_ancestral", "euler ancestral")),
    "dpmpp_2m": Sampler("DPM++ 2M", dpmpp_2m, also_called=("dpmsolver++", "k_dpmpp_2m", "dpm++ 2m sgm uniform", "dpmpp_2m_sgm_uniform")),
    "dpmpp_2m_karras": Sampler("DPM++ 2M Karras", dpmpp_2m, in_karras_steps, DDPM, also_called=("k_dpmpp_2m_ka", "dpmpp_2m karras")),
    "dpmpp_sde_karras": Sampler("DPM++ SDE Karras", dpmpp_sde, in_karras_steps, DDPM, calls=2, also_called=("dpmpp_sde karras",)),
    "ddim": Sampler("DDIM", euler, from_pure_noise, DDPM),
    "lcm": Sampler("LCM", lcm, of_lcm, DDPM),
    "unipc": Sampler("UniPC", unipc, also_called=("uni_pc", "uni_pc_bh2")),
    "flow_euler": Sampler("flow Euler", euler, from_pure_noise, FLOW),
}
"""What users type -> the sampler."""


def sampler_key(name: str) -> str:
    """The key of a sampler that is given by its key, by A1111's label or by another program's name, in any case.

    Raises SettingsError where there is none.
    """
    called = " ".join(name.lower().split())
    for key, sampler in SAMPLERS.items():
        if called in (key, sampler.title.lower(), *sampler.also_called):
            return key
    raise _unknown(name)


def _unknown(name: str) -> SettingsError:
    return SettingsError(f"There is no sampler {name!r}: {nearest(name, SAMPLERS)}", code="sampler.unknown", name=name)


def _key_if_known(name: object) -> object:
    """For settings, whose own check says what is wrong with a name that is not known."""
    try:
        return sampler_key(name) if isinstance(name, str) else name
    except SettingsError:
        return name


SamplerName = Annotated[str, BeforeValidator(_key_if_known), KeyOf(SAMPLERS, "a sampler")]


def sampler_for(name: str, prediction_type: str) -> Sampler:
    """The sampler `name`, for a base with this prediction.

    Raises SettingsError where there is no such sampler, or it does not fit the base.
    """
    if name not in SAMPLERS:
        raise _unknown(name)
    sampler = SAMPLERS[name]
    if prediction_type not in sampler.predictions:
        fitting = ", ".join(key for key, other in SAMPLERS.items() if prediction_type in other.predictions)
        raise SettingsError(
            f"The sampler {sampler.title} does not fit this base, whose prediction is {prediction_type}. Choose one of {fitting}.",
            code="sampler.does_not_fit", name=name, prediction_type=prediction_type,
        )  # fmt: skip
    return sampler


def usual_sampler(prediction_type: str) -> str:
    """The sampler of bases whose family names none."""
    return "flow_euler" if prediction_type in FLOW else "ddim"
