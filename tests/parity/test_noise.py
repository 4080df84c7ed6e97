"""Noise agrees with the peers' numbers when it is fed what they drew; where we draw for each sample alone, the difference is told."""

from functools import cache

import pytest
import torch
from safetensors.torch import load_file

from lorasmith.errors import SettingsError
from lorasmith.models.diffusion import Ddpm, add_noise, v_prediction
from lorasmith.training.objective.noise_kinds import adapted_strength, level_sizes, multires, offset, perturbed
from lorasmith.training.objective.noise_settings import NoiseSettings, check_noise
from lorasmith.training.objective.timesteps import draw_timesteps
from tests.bounds import FUNCTION, SCHEDULE, assert_within_rounding
from tests.reference import FOLDER, reference_cases, reference_json

NAME = "05_noise.json"


def cases_of(kind: str) -> list:
    return [case for case in reference_cases(NAME) if not isinstance(case, dict) or case.get("kind", kind) == kind]


@cache
def tensors() -> dict[str, torch.Tensor]:
    return load_file(FOLDER / reference_json(NAME)["tensor_file"])


def assert_like(ours: torch.Tensor, theirs: torch.Tensor, terms: torch.Tensor | None = None) -> None:
    """Sums of a few terms as large as the largest of the results; where these nearly cancel, the terms' rounding is left."""
    largest = torch.maximum(ours.abs().max(), theirs.abs().max()) if terms is None else terms
    assert_within_rounding(ours, theirs, roundings=4 * FUNCTION + 16, terms=largest)


PLAIN = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def schedule(zero_terminal_snr: bool) -> Ddpm:
    """Ours with the reference's alphas, so that the roundings of their long product are the same on both sides."""
    name = "zero_terminal_snr" if zero_terminal_snr else "default"
    alphas = load_file(FOLDER / reference_json("04_snr.json")["tensor_file"])[f"{name}.alphas_cumprod"]
    return Ddpm("epsilon", alphas, PLAIN)


def assert_same_noisy(noisy: torch.Tensor, theirs: torch.Tensor, latents: torch.Tensor, noise: torch.Tensor) -> None:
    """Both hold a share of latents and one of noise, none above 1."""
    assert_like(noisy, theirs, latents.abs() + noise.abs())


def settings(args: dict) -> NoiseSettings:
    """Their arguments are our settings; None is our default."""
    return NoiseSettings(**{name: value for name, value in args.items() if value is not None})


class Draws:
    """A case's draws, in the order in which they were made there."""

    def __init__(self, draws: list):
        self.left = list(draws)

    def take(self, call: str):
        draw = self.left.pop(0)
        assert draw["call"] == call
        return tensors()[draw["tensor"]] if "tensor" in draw else torch.tensor(draw["value"]).reshape(draw.get("shape") or ())

    def __bool__(self) -> bool:
        return bool(self.left)

    def levels(self, iterations: int, height: int, width: int) -> list[torch.Tensor]:
        """The levels of multires noise; there are as many as we would make of the same numbers, and as large."""
        drawn, levels = [], []
        while len(drawn) < iterations and self and self.left[0]["call"] == "random.random":
            drawn.append(self.take("random.random").item())
            levels.append(self.take("torch.randn"))
        more = [0.5] * (iterations - len(drawn))
        assert level_sizes(height, width, [*drawn, *more]) == [tuple(level.shape[2:]) for level in levels]
        return levels


@pytest.mark.parametrize("case", cases_of("get_noise_noisy_latents_and_timesteps"), ids=lambda case: case.get("id"))
def test_noise_and_noisy_latents_are_as_there(case):
    noise_settings, draws, latents = settings(case["args"]), Draws(case["draws"]), tensors()[f"{case['id']}.latents"]
    noise = draws.take("torch.randn_like")
    if noise_settings.noise_offset:
        share = draws.take("torch.rand").item() if noise_settings.noise_offset_random_strength else 1.0
        strength = adapted_strength(noise_settings.noise_offset * share, latents, noise_settings.adaptive_noise_scale)
        noise = offset(noise, draws.take("torch.randn"), strength)
    if noise_settings.multires_noise_iterations:
        levels = draws.levels(noise_settings.multires_noise_iterations, *latents.shape[2:])
        noise = multires(noise, levels, noise_settings.multires_noise_discount)
    assert_like(noise, tensors()[f"{case['id']}.noise"])

    timesteps = torch.tensor(case["timesteps"])
    if draws and draws.left[0]["call"] == "torch.randint":
        assert torch.equal(draws.take("torch.randint"), timesteps)
    seen = noise
    if noise_settings.ip_noise_gamma:
        share = draws.take("torch.rand").item() if noise_settings.ip_noise_gamma_random_strength else 1.0
        seen = perturbed(noise, draws.take("torch.randn_like"), noise_settings.ip_noise_gamma * share)
    assert not draws, "all that was drawn there is used"
    noisy = add_noise(latents, seen, schedule(case["zero_terminal_snr"]).levels(timesteps))
    assert_same_noisy(noisy, tensors()[f"{case['id']}.noisy_latents"], latents, seen)


@pytest.mark.parametrize("case", cases_of("get_noise_noisy_latents_and_timesteps"), ids=lambda case: case.get("id"))
def test_the_range_of_timesteps_is_theirs(case):
    least, beyond = settings(case["args"]).timesteps
    if least >= beyond:  # they train max_timestep alone; ours asks to say that as a range of one
        with pytest.raises(SettingsError, match=f"Make max_timestep {least + 1} or more"):
            check_noise(settings(case["args"]))
        beyond = least + 1
    drawn = torch.cat([draw_timesteps(100, 1000, 1, step, 0, (least, beyond)) for step in range(20)])
    assert all(least <= t < beyond for t in case["timesteps"])
    assert least <= drawn.min()
    assert drawn.max() < beyond
    if beyond - least <= 200:
        assert set(drawn.tolist()) == set(range(least, beyond))


def recorded_levels(case: dict) -> list[torch.Tensor]:
    return [tensors()[level["gauss"]] for level in case["levels"]]


@pytest.mark.parametrize("case", cases_of("pyramid_noise_like"), ids=lambda case: case.get("id"))
def test_multires_noise_is_as_there(case):
    drawn = [(level["r"] - 2) / 2 for level in case["levels"]]
    sizes = level_sizes(*case["shape"][2:], [*drawn, *[0.5] * (case["iterations"] - len(drawn))])
    assert sizes == [tuple(level["shape"][2:]) for level in case["levels"]]
    ours = multires(tensors()[case["input"]], recorded_levels(case), case["discount"])
    assert_like(ours, tensors()[case["output"]])


@pytest.mark.parametrize("case", cases_of("pyramid_noise_like"), ids=lambda case: case.get("id"))
def test_each_sample_of_multires_noise_is_scaled_by_its_own_deviation_and_theirs_by_the_batchs(case):
    noise, levels, theirs = tensors()[case["input"]], recorded_levels(case), tensors()[case["output"]]
    for k in range(len(noise)):
        own = multires(noise[[k]], [level[[k]] for level in levels], case["discount"])
        assert own.std().item() == pytest.approx(1, rel=1e-5)
        assert_like(own, theirs[[k]] / theirs[[k]].std())


@pytest.mark.parametrize("case", cases_of("apply_noise_offset"), ids=lambda case: case.get("id"))
def test_offset_noise_is_as_there(case):
    latents, noise = tensors()[f"{case['id']}.latents"], tensors()[f"{case['id']}.noise_in"]
    theirs = tensors()[f"{case['id']}.noise_out"]
    if not case["noise_offset"]:  # there, the rest is ignored in silence; ours refuses it
        assert torch.equal(noise, theirs)
        with pytest.raises(SettingsError, match=r"adaptive_noise_scale has no effect without noise\.noise_offset"):
            check_noise(NoiseSettings(adaptive_noise_scale=case["adaptive_noise_scale"]))
        return
    strength = adapted_strength(case["noise_offset"], latents, case["adaptive_noise_scale"] or 0.0)
    assert_like(offset(noise, Draws(case["draws"]).take("torch.randn"), strength), theirs)


@pytest.mark.parametrize("case", cases_of("add_noise_and_velocity"), ids=lambda case: case.get("id"))
def test_noisy_latents_and_velocity_are_as_there(case):
    latents, noise = tensors()[f"{case['id']}.latents"], tensors()[f"{case['id']}.noise"]
    levels = schedule(case["zero_terminal_snr"]).levels(torch.tensor(case["timesteps"]))
    assert_same_noisy(add_noise(latents, noise, levels), tensors()[f"{case['id']}.noisy"], latents, noise)
    assert_same_noisy(v_prediction(latents, noise, levels), tensors()[f"{case['id']}.velocity"], latents, noise)


def test_the_schedule_with_zero_terminal_snr_is_that_of_the_reference_and_ends_in_pure_noise():
    theirs = schedule(zero_terminal_snr=True).alphas_cumprod
    ours = Ddpm.from_config(PLAIN).with_zero_terminal_snr()
    # The square of a difference: sqrt(a) less its last value, 0.07.
    root = theirs.sqrt()
    assert_within_rounding(ours.alphas_cumprod, theirs, roundings=SCHEDULE, terms=2 * root * (root + 0.07))
    assert ours.alphas_cumprod[-1] == 0
    again = ours.with_zero_terminal_snr().alphas_cumprod
    assert_within_rounding(again, ours.alphas_cumprod, roundings=2 * FUNCTION + 4)
