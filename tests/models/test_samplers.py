"""Samplers agree with diffusers' schedulers, and with the exact solution where there is one."""

from __future__ import annotations

import math
import sys
import types
from itertools import pairwise

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    LCMScheduler,
    UniPCMultistepScheduler,
)  # fmt: skip
from diffusers.schedulers import scheduling_euler_ancestral_discrete, scheduling_lcm

from lorasmith.errors import SettingsError
from lorasmith.models import sigmas as schedules
from lorasmith.models.diffusion import HIGHEST_FLOW, Ddpm, Flow
from lorasmith.models.open import open_base
from lorasmith.models.samplers import SAMPLERS, Sampler, dpmpp_2m, dpmpp_sde, euler, euler_a, lcm, sampler_for, unipc
from lorasmith.models.sampling import initial_latents, noise_of, sample_latents
from lorasmith.models.texts import TextOptions
from tests.models import toys

BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
STEPS = [1, 2, 5, 20, 50]
CENTRE, WIDTH = 0.8, 0.3  # of the data: each number is from one of two normal distributions, at +-CENTRE


def denoised(x, sigma):
    """The mean of the clean data, given data with noise: what a perfect model says."""
    variance = sigma**2 + WIDTH**2
    return (WIDTH**2 * x + sigma**2 * CENTRE * torch.tanh(CENTRE * x / variance)) / variance


def start():
    return torch.randn(2, 4, 4, 4, generator=torch.Generator().manual_seed(7), dtype=torch.float64)


def noise(step, part=0):
    return torch.randn(2, 4, 4, 4, generator=torch.Generator().manual_seed(100 * step + part), dtype=torch.float64)


def prediction(kind, noisy, signal, sigma):
    """What a perfect model predicts for its input `noisy` = signal (x + sigma n)."""
    clean = denoised(noisy / signal, sigma)
    epsilon = (noisy - signal * clean) / (signal * sigma)
    return {"epsilon": epsilon, "v_prediction": signal * epsilon - signal * sigma * clean, "flow_prediction": epsilon - clean}[kind]


def signal_of(kind, sigma):
    return 1 / (1 + sigma) if kind == "flow_prediction" else 1 / math.hypot(1, sigma)


def theirs(scheduler, kind="epsilon", levels=None):
    """diffusers' way down with a perfect model; `levels` are sigmas of its steps, where it keeps none."""
    x = start()
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)  # rounded timesteps may come twice
    if isinstance(scheduler, (EulerDiscreteScheduler, EulerAncestralDiscreteScheduler)):
        x = x * math.hypot(1, float(scheduler.sigmas[0]))
    for k, timestep in enumerate(scheduler.timesteps):
        sigma = float(scheduler.sigmas[k]) if levels is None else levels[k]
        if kind == "flow_prediction":
            sigma = sigma / (1 - sigma)
        noisy = scheduler.scale_model_input(x, timestep).double()
        x = scheduler.step(prediction(kind, noisy, signal_of(kind, sigma), sigma), timestep, x).prev_sample.double()
    return x


def ours(solve, sigmas, kind="epsilon"):
    """Our way down the same sigmas, back in the scale of the model's input."""
    return solve(denoised, start() / signal_of(kind, sigmas[0]), sigmas, noise) * signal_of(kind, sigmas[-1])


def assert_same(ours, theirs, sigma=0.0):
    """To 1e-4 of the latents' scale, and to float32's rounding of noise of `sigma`, where diffusers takes differences of such numbers."""
    assert torch.isfinite(ours).all()
    assert (ours - theirs).abs().max() < 1e-4 * math.hypot(CENTRE, WIDTH) + sigma * torch.finfo(torch.float32).eps


def ddpm(kind="epsilon", **config):
    return {**BETAS, "prediction_type": kind, **config}


KINDS = [("epsilon", False), ("v_prediction", False), ("v_prediction", True)]


@pytest.fixture(params=KINDS, ids=["epsilon", "v", "v, zero terminal SNR"])
def config(request):
    kind, zero_snr = request.param
    return ddpm(
        kind, rescale_betas_zero_snr=zero_snr, timestep_spacing="trailing" if zero_snr else "leading", steps_offset=0 if zero_snr else 1
    )


# -- with diffusers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", STEPS)
def test_euler(config, steps):
    scheduler = EulerDiscreteScheduler(**config)
    scheduler.set_timesteps(steps)
    assert_same(ours(euler, scheduler.sigmas.tolist()), theirs(scheduler, config["prediction_type"]))


@pytest.mark.parametrize("steps", STEPS)
def test_ddim(config, steps):
    scheduler = DDIMScheduler(**config, clip_sample=False, set_alpha_to_one=False)
    scheduler.set_timesteps(steps)
    base = Ddpm.from_config(config)
    sigmas = SAMPLERS["ddim"].schedule(base, steps, 16)
    assert scheduler.timesteps.tolist() == [round(base.timestep(sigma)) for sigma in sigmas[:-1]]
    assert_same(ours(SAMPLERS["ddim"].solve, sigmas), theirs(scheduler, config["prediction_type"], sigmas))


@pytest.mark.parametrize("steps", STEPS)
def test_euler_a_with_the_same_noise(config, steps, monkeypatch):
    given = iter(noise(k) for k in range(steps))
    monkeypatch.setattr(scheduling_euler_ancestral_discrete, "randn_tensor", lambda *args, **kwargs: next(given))
    scheduler = EulerAncestralDiscreteScheduler(**config)
    scheduler.set_timesteps(steps)
    sigmas = scheduler.sigmas.tolist()
    assert_same(ours(euler_a, sigmas), theirs(scheduler, config["prediction_type"]), sigmas[0])


@pytest.mark.parametrize("karras", [False, True])
@pytest.mark.parametrize("steps", STEPS)
def test_dpmpp_2m(config, steps, karras):
    scheduler = DPMSolverMultistepScheduler(**config, use_karras_sigmas=karras)
    scheduler.set_timesteps(steps)
    assert_same(ours(dpmpp_2m, scheduler.sigmas.tolist()), theirs(scheduler, config["prediction_type"]))


@pytest.mark.parametrize("steps", STEPS)
def test_unipc(config, steps):
    scheduler = UniPCMultistepScheduler(**config)
    scheduler.set_timesteps(steps)
    assert_same(ours(unipc, scheduler.sigmas.tolist()), theirs(scheduler, config["prediction_type"]))


@pytest.mark.parametrize("shift", [1.0, 3.0])
@pytest.mark.parametrize("steps", [2, 5, 20])
def test_unipc_on_flow(steps, shift):
    scheduler = UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=shift)
    scheduler.set_timesteps(steps)
    sigmas = [min(schedules.of_fraction(each), HIGHEST_FLOW) for each in scheduler.sigmas.double().tolist()]
    assert_same(ours(unipc, sigmas, "flow_prediction"), theirs(scheduler, "flow_prediction"))


@pytest.mark.parametrize("steps", [1, 4, 28])
@pytest.mark.parametrize(
    "config", [{"shift": 1.0}, {"shift": 3.0}, {"use_dynamic_shifting": True}], ids=["plain", "shift", "dynamic shift"]
)
def test_flow_euler(steps, config):
    scheduler, base = FlowMatchEulerDiscreteScheduler(**config), Flow(config)
    tokens = 1024
    scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / steps, steps), **({"mu": 0.63} if "use_dynamic_shifting" in config else {}))
    sigmas = SAMPLERS["flow_euler"].schedule(base, steps, tokens)
    torch.testing.assert_close(
        torch.tensor([base.timestep(sigma) for sigma in sigmas[:-1]]), scheduler.timesteps.double().to(torch.float32), atol=2e-3, rtol=0
    )
    x = start()
    for k, timestep in enumerate(scheduler.timesteps):
        x = scheduler.step(prediction("flow_prediction", x, base.signal(sigmas[k]), sigmas[k]), timestep, x).prev_sample
    assert_same(ours(SAMPLERS["flow_euler"].solve, sigmas, "flow_prediction"), x)


@pytest.mark.parametrize("steps", [1, 4, 8, 50])
@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_lcm_with_the_same_noise(kind, steps, monkeypatch):
    given = iter(noise(k) for k in range(steps))
    monkeypatch.setattr(scheduling_lcm, "randn_tensor", lambda *args, **kwargs: next(given))
    scheduler, base = LCMScheduler(**ddpm(kind)), Ddpm.from_config(ddpm(kind))
    scheduler.set_timesteps(steps)
    assert scheduler.timesteps.tolist() == schedules.lcm(steps)
    sigmas = SAMPLERS["lcm"].schedule(base, steps, 16)
    assert_same(ours(lcm, sigmas), theirs(scheduler, kind, sigmas))


@pytest.mark.parametrize("steps", [1, 2, 5, 20])
@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_dpmpp_sde_karras_on_the_same_path(kind, steps, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchsde", types.ModuleType("torchsde"))  # only its noise comes from there
    from diffusers.schedulers.scheduling_dpmsolver_sde import DPMSolverSDEScheduler

    scheduler = DPMSolverSDEScheduler(**ddpm(kind), use_karras_sigmas=True)
    scheduler.set_timesteps(steps)
    sigmas = [*scheduler.sigmas[:-1].tolist()[::2], 0.0]

    def path(sigma, after):
        """The same Brownian motion in sigma: its increments over a step and over the first half of it."""
        step = min(range(steps), key=lambda k: abs(sigmas[k] - float(sigma)))
        middle = math.sqrt(sigmas[step] * sigmas[step + 1])
        if abs(float(after) - middle) < 1e-3 * middle:
            return noise(step, 0)
        halves = math.sqrt(sigmas[step] - middle) * noise(step, 0) + math.sqrt(middle - sigmas[step + 1]) * noise(step, 1)
        return halves / math.sqrt(sigmas[step] - sigmas[step + 1])

    scheduler.noise_sampler = path
    x = start() * math.hypot(1, sigmas[0])
    for timestep in scheduler.timesteps:
        at = scheduler.step_index or 0
        sigma = float(scheduler.sigmas[at]) if scheduler.state_in_first_order else float(scheduler.mid_point_sigma)
        noisy = scheduler.scale_model_input(x, timestep)
        x = scheduler.step(prediction(kind, noisy, signal_of(kind, sigma), sigma), timestep, x).prev_sample
    assert_same(ours(dpmpp_sde, sigmas), x)


# -- schedules --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 4, 7, 30, 999])
@pytest.mark.parametrize("spacing", ["leading", "trailing", "linspace"])
def test_timesteps_are_spaced_as_in_diffusers(steps, spacing):
    scheduler = DDIMScheduler(**BETAS, timestep_spacing=spacing, steps_offset=1)
    scheduler.set_timesteps(steps)
    expected = schedules.SPACINGS[spacing](steps) if spacing in schedules.SPACINGS else schedules.leading(steps, 1)
    if spacing != "linspace" or steps > 1:
        assert scheduler.timesteps.tolist() == expected


@pytest.mark.parametrize("steps", [2, 5, 30])
def test_karras_sigmas_are_those_of_diffusers(steps):
    scheduler = DPMSolverMultistepScheduler(**BETAS, use_karras_sigmas=True)
    scheduler.set_timesteps(steps)
    sigmas = SAMPLERS["dpmpp_2m_karras"].schedule(Ddpm.from_config({}), steps, 16)
    torch.testing.assert_close(torch.tensor(sigmas), scheduler.sigmas, rtol=1e-5, atol=0)


def test_a_timestep_and_its_sigma_belong_together():
    for base in (Ddpm.from_config({}), Ddpm.from_config({"rescale_betas_zero_snr": True})):
        for timestep in (0, 1, 500, 998, 999):
            assert base.timestep(base.sigma_at(timestep)) == pytest.approx(timestep, abs=1e-6)
    assert [Flow({}).timestep(Flow({}).sigma_at(t)) for t in (0, 250, 1000)] == pytest.approx([0, 250, 1000], abs=1e-5)


@pytest.mark.parametrize(("base", "timesteps"), [(Ddpm.from_config({}), [1, 500, 999]), (Flow({}), [1, 500, 999])], ids=["DDPM", "flow"])
def test_sigmas_say_the_same_as_levels(base, timesteps):
    signal, sigma = base.levels(torch.tensor(timesteps))
    ratios = [base.sigma_at(timestep) for timestep in timesteps]
    torch.testing.assert_close(torch.tensor([base.signal(ratio) for ratio in ratios]), signal, rtol=1e-4, atol=0)  # 1 - 0.999 in float32
    torch.testing.assert_close(torch.tensor([base.signal(ratio) * ratio for ratio in ratios]), sigma, rtol=1e-5, atol=0)


# -- without diffusers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("solve", "order"), [(euler, 1), (dpmpp_2m, 2), (unipc, 2)])
def test_the_error_falls_with_the_order_of_the_sampler(solve, order):
    """Of data that is one normal distribution the exact way down is known: x keeps its share of the whole deviation."""

    def model(x, sigma):
        return x * WIDTH**2 / (WIDTH**2 + sigma**2)

    def error(steps):
        sigmas = [10 * 0.01 ** (k / steps) for k in range(steps + 1)]
        exact = math.sqrt((WIDTH**2 + sigmas[-1] ** 2) / (WIDTH**2 + sigmas[0] ** 2))
        return abs(float(solve(model, torch.ones((), dtype=torch.float64), sigmas, noise)) - exact)

    assert error(40) / error(80) > 2**order * 0.8


@pytest.mark.parametrize("name", ["euler_a", "dpmpp_sde_karras", "lcm"])
def test_noise_on_the_way_gives_back_the_data(name):
    x = torch.randn(20_000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    base = Ddpm.from_config({})
    sigmas = SAMPLERS[name].schedule(base, 50, 16)
    drawn = torch.Generator().manual_seed(2)
    end = SAMPLERS[name].solve(denoised, x * sigmas[0], sigmas, lambda *_: torch.randn(20_000, generator=drawn, dtype=torch.float64))
    spread = math.hypot(CENTRE, WIDTH)
    assert abs(float(end.mean())) < 0.05
    assert spread * 0.9 < float(end.std()) < spread * 1.1 or name == "lcm"  # LCM's are means: too little spread, from a perfect denoiser


# -- on bases ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("toy", "cfg_scale"), [("sd1", 1.0), ("sd1", 5.0), ("sdxl-v", 5.0), ("flux", 1.0)])
def test_the_usual_sampler_of_a_base_is_that_of_diffusers(toy, cfg_scale):
    base = open_base(toys.toy_folder(toy), torch.float32)
    latents = initial_latents(base, [1, 2], 64, 64)
    steps = 5
    flow = base.diffusion.prediction_type == "flow"
    scheduler = (FlowMatchEulerDiscreteScheduler if flow else DDIMScheduler).from_config(base.diffusion.config)
    if flow:
        mu = {"mu": 0.5 + (16 - 256) * 0.65 / 3840} if scheduler.config.use_dynamic_shifting else {}
        scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / steps, steps), **mu)
    else:
        scheduler.set_timesteps(steps)
    x = latents
    with torch.no_grad():
        away, towards = (base.encode_texts([text] * 2, TextOptions()) for text in ("", "a cat"))
        for timestep in scheduler.timesteps:
            said = base.predict(x, timestep.expand(2), towards)
            if cfg_scale != 1:
                without = base.predict(x, timestep.expand(2), away)
                said = without + cfg_scale * (said - without)
            x = scheduler.step(said, timestep, x).prev_sample
    found = sample_latents(base, ["a cat"] * 2, latents, steps=steps, cfg_scale=cfg_scale)
    assert_same(found, x)


@pytest.mark.parametrize("name", SAMPLERS)
def test_an_image_does_not_depend_on_its_batch(name):
    sampler = SAMPLERS[name]
    base = open_base(toys.toy_folder("sd1" if "epsilon" in sampler.predictions else "flux"), torch.float32)
    common = {"steps": 4, "cfg_scale": 1.0, "sampler": name}
    both = sample_latents(base, ["a cat", "a dog"], initial_latents(base, [3, 4], 64, 64), seeds=[3, 4], **common)
    alone = sample_latents(base, ["a dog"], initial_latents(base, [4], 64, 64), seeds=[4], **common)
    torch.testing.assert_close(both[1:], alone, atol=1e-4 * float(alone.std()), rtol=0)
    assert torch.isfinite(both).all()


def test_noise_of_a_seed_is_the_same_in_any_order_and_differs_from_step_to_step():
    latents = torch.zeros(2, 4, 8, 8)
    forwards, backwards = noise_of([1, 2], latents), noise_of([2, 1], latents)
    assert torch.equal(forwards(3, 0)[0], backwards(3, 0)[1])
    assert not torch.equal(forwards(3, 0), forwards(4, 0))
    assert not torch.equal(forwards(3, 0), forwards(3, 1))


# -- the registry -----------------------------------------------------------------------------------------------------


def test_a_sampler_of_ones_own_is_a_function_and_a_line(monkeypatch):
    def heun(model, x, sigmas, noise):
        for sigma, after in pairwise(sigmas):
            slope = (x - model(x, sigma)) / sigma
            there = x + (after - sigma) * slope
            if after > 0:
                slope = (slope + (there - model(there, after)) / after) / 2
            x = x + (after - sigma) * slope
        return x

    monkeypatch.setitem(SAMPLERS, "heun", Sampler("Heun", heun))
    base = open_base(toys.toy_folder("sd1"), torch.float32)
    noisy = initial_latents(base, [1], 64, 64)
    found = sample_latents(base, ["a cat"], noisy, steps=4, cfg_scale=1.0, sampler="heun")
    assert torch.isfinite(found).all()
    assert not torch.allclose(found, sample_latents(base, ["a cat"], noisy, steps=4, cfg_scale=1.0, sampler="euler"), atol=1e-3)


@pytest.mark.parametrize(
    ("name", "prediction_type", "message"),
    [
        ("ddim", "flow", "The sampler DDIM does not fit this base, whose prediction is flow. Choose one of euler, euler_a, dpmpp_2m, unipc, flow_euler."),
        ("flow_euler", "epsilon", "The sampler flow Euler does not fit this base, whose prediction is epsilon."),
        ("eular", "epsilon", "There is no sampler 'eular': did you mean 'euler'?"),
    ],
)  # fmt: skip
def test_a_sampler_that_does_not_fit_is_refused(name, prediction_type, message):
    with pytest.raises(SettingsError) as refused:
        sampler_for(name, prediction_type)
    assert str(refused.value).startswith(message)


def test_lcm_knows_fifty_steps():
    with pytest.raises(SettingsError, match="at most 50 steps"):
        SAMPLERS["lcm"].schedule(Ddpm.from_config({}), 51, 16)
