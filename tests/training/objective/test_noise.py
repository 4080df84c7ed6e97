"""The noise of a run: what each setting does to it, that no sample's depends on another's, and what is refused."""

import pytest
import torch

from lorasmith.errors import SettingsError
from lorasmith.models.diffusion import Ddpm, Flow
from lorasmith.training.objective.flow_settings import FlowSettings
from lorasmith.training.objective.noise import draw_noise, noise_for
from lorasmith.training.objective.noise_kinds import adapted_strength, level_sizes, multires
from lorasmith.training.objective.noise_settings import NoiseSettings
from lorasmith.training.objective.timesteps import timesteps_for
from lorasmith.training.settings.checks import check_fits_base, check_together
from lorasmith.training.settings.tree import settings_from

KINDS = {
    "plain": {},
    "offset": {"noise_offset": 0.1},
    "offset of random strength": {"noise_offset": 0.1, "noise_offset_random_strength": True},
    "adaptive offset": {"noise_offset": 0.05, "adaptive_noise_scale": 0.2},
    "multires": {"multires_noise_iterations": 6},
    "input perturbation": {"ip_noise_gamma": 0.1},
    "input perturbation of random strength": {"ip_noise_gamma": 0.1, "ip_noise_gamma_random_strength": True},
    "all at once": {
        "noise_offset": 0.1, "noise_offset_random_strength": True, "adaptive_noise_scale": 0.1, "multires_noise_iterations": 6,
        "multires_noise_discount": 0.8, "ip_noise_gamma": 0.1, "ip_noise_gamma_random_strength": True,
    },
}  # fmt: skip


@pytest.fixture
def latents():
    return torch.randn(4, 4, 12, 20, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", KINDS)
def test_a_samples_noise_does_not_depend_on_the_batch_it_comes_in(kind, latents):
    settings = NoiseSettings(**KINDS[kind])
    process_group = noise_for(latents, settings, seed=1, step=7, first_sample=0)
    apart = [noise_for(latents[[k]], settings, seed=1, step=7, first_sample=k) for k in range(4)]
    assert torch.equal(process_group.added, torch.cat([one.added for one in apart]))
    assert torch.equal(process_group.seen, torch.cat([one.seen for one in apart]))
    for other in ({"seed": 2, "step": 7}, {"seed": 1, "step": 8}):
        assert not torch.equal(noise_for(latents, settings, **other, first_sample=0).added, process_group.added)


def test_without_settings_the_noise_is_plain_and_seen_as_it_is(latents):
    noise = noise_for(latents, NoiseSettings(), 1, 7, 0)
    assert torch.equal(noise.added, draw_noise(latents.shape, 1, 7, 0))
    assert noise.seen is noise.added


def test_an_offset_moves_each_channel_of_a_sample_as_a_whole_by_as_much_as_it_says():
    latents = torch.zeros(400, 4, 4, 4)
    moved = noise_for(latents, NoiseSettings(noise_offset=0.3), 1, 0, 0).added - draw_noise(latents.shape, 1, 0, 0)
    assert moved.std((2, 3)).max() < 1e-6
    assert moved[:, :, 0, 0].std().item() == pytest.approx(0.3, rel=0.06)
    half = noise_for(latents, NoiseSettings(noise_offset=0.3, noise_offset_random_strength=True), 1, 0, 0).added
    shares = (half - draw_noise(latents.shape, 1, 0, 0)).mean((2, 3)) / moved.mean((2, 3))
    assert shares.std(1).max() < 1e-3, "one share for a sample's channels"
    assert 0 <= shares.min() < 0.05
    assert 0.95 < shares.max() <= 1
    assert shares.mean().item() == pytest.approx(0.5, abs=0.06)


def test_an_adaptive_offset_grows_with_a_channels_own_mean_and_is_never_below_0():
    latents = torch.tensor([0.0, 1.0, -2.0]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    assert adapted_strength(0.1, latents, 0.2).flatten().tolist() == pytest.approx([0.1, 0.3, 0.5])
    assert adapted_strength(0.1, latents, -0.2).flatten().tolist() == pytest.approx([0.1, 0.0, 0.0])


def test_multires_noise_has_large_forms_and_a_deviation_of_1_in_each_sample():
    latents = torch.zeros(16, 4, 32, 32)
    kinds = ({}, {"multires_noise_iterations": 6}, {"multires_noise_iterations": 6, "multires_noise_discount": 0.8})
    plain, defaults, strong = (noise_for(latents, NoiseSettings(**kind), 1, 0, 0).added for kind in kinds)
    for sample in (*defaults, *strong):
        assert sample.std().item() == pytest.approx(1, abs=1e-5)
    large = [torch.nn.functional.avg_pool2d(noise, 8).std().item() for noise in (plain, defaults, strong)]
    assert large[1] > 1.1 * large[0]
    assert large[2] > 3 * large[0]


def test_levels_of_multires_noise_end_with_the_first_that_has_a_side_of_1():
    assert level_sizes(16, 16, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]) == [(16, 16), (8, 8), (4, 4), (2, 2), (1, 1)]
    assert level_sizes(16, 64, [0.5, 1.0, 0.0]) == [(16, 64), (4, 16), (4, 16)]
    assert level_sizes(4, 16, [0.0, 1.0, 0.0]) == [(4, 16), (1, 4)]
    assert level_sizes(16, 16, [0.2]) == [(16, 16)]
    noise = torch.randn(1, 4, 8, 8)
    torch.testing.assert_close(multires(noise, [], 0.3), noise / noise.std())


def test_input_perturbation_changes_what_is_seen_and_not_what_is_asked(latents):
    plain, disturbed = (noise_for(latents, settings, 1, 0, 0) for settings in (NoiseSettings(), NoiseSettings(ip_noise_gamma=0.1)))
    assert torch.equal(disturbed.added, plain.added)
    assert (disturbed.seen - disturbed.added).std().item() == pytest.approx(0.1, rel=0.05)


# -- timesteps ------------------------------------------------------------------------------------------------------------


def timesteps_of(diffusion, within, flow=None, steps=40):
    return torch.cat([timesteps_for(diffusion, 50, 1.7, flow or FlowSettings(), 1, step, 0, within) for step in range(steps)])


def test_a_range_of_timesteps_holds_its_least_and_not_its_most():
    found = timesteps_of(Ddpm.from_config({}), (200, 210))
    assert set(found.tolist()) == set(range(200, 210))
    assert timesteps_of(Ddpm.from_config({}), (500, 501), steps=1).tolist() == [500] * 50


@pytest.mark.parametrize("sampling", ["uniform", "sigmoid", "shift", "flux_shift", "sigma"])
def test_a_flow_models_way_of_drawing_is_squeezed_into_the_range(sampling):
    flow = FlowSettings(timestep_sampling=sampling)
    whole, kept = timesteps_of(Flow({}), (0, 1000), flow), timesteps_of(Flow({}), (600, 800), flow)
    torch.testing.assert_close(kept, 600 + 0.2 * whole)
    assert kept.min() >= 600
    assert kept.max() <= 800


# -- what is refused ------------------------------------------------------------------------------------------------------

LEAST = {"base": {"path": "b"}, "datasets": [{"path": "d"}], "training": {"epochs": 1}}


@pytest.mark.parametrize(
    ("noise", "words"),
    [
        (
            {"noise_offset_random_strength": True},
            r"noise_offset_random_strength has no effect without noise\.noise_offset. Set that \(0\.05",
        ),
        ({"adaptive_noise_scale": 0.1}, r"adaptive_noise_scale has no effect without noise\.noise_offset"),
        ({"multires_noise_discount": 0.8}, r"multires_noise_discount has no effect without noise\.multires_noise_iterations"),
        ({"ip_noise_gamma_random_strength": True}, r"has no effect without noise\.ip_noise_gamma"),
        ({"min_timestep": 500, "max_timestep": 500}, r"min_timestep 500 and noise\.max_timestep 500 leave no timestep.* 501 or more"),
        ({"min_timestep": 600, "max_timestep": 500}, r"Make max_timestep 601 or more"),
    ],
)
def test_noise_settings_without_effect_are_refused_with_a_way_out(noise, words):
    with pytest.raises(SettingsError, match=words):
        check_together(settings_from({**LEAST, "noise": noise}))


@pytest.mark.parametrize(
    ("said", "words"), [(True, r"no effect beside base\.zero_terminal_snr"), (False, r"base\.zero_terminal_snr = false contradict")]
)
def test_zero_terminal_snr_is_said_once(said, words):
    settings = settings_from({**LEAST, "base": {"path": "b", "zero_terminal_snr": said}, "noise": {"zero_terminal_snr": True}})
    with pytest.raises(SettingsError, match=words):
        check_together(settings)


@pytest.mark.parametrize(
    ("noise", "word"),
    [
        ({"noise_offset": 0.05, "multires_noise_iterations": 6}, "One is usually enough"),
        ({"noise_offset": 0.05, "zero_terminal_snr": True}, "does little beside noise.zero_terminal_snr"),
        ({"max_timestep": 900, "zero_terminal_snr": True}, "noise.max_timestep 900 leaves that out"),
    ],
)
def test_noise_settings_that_do_little_together_are_warned_about(noise, word):
    assert [warning for warning in check_together(settings_from({**LEAST, "noise": noise})) if word in warning.message]


@pytest.mark.parametrize(
    ("base", "noise", "words"),
    [
        (("flow", False), {"noise_offset": 0.05}, r"noise\.noise_offset is not for flow models"),
        (("flow", False), {"multires_noise_iterations": 6}, r"noise\.multires_noise_iterations is not for flow models"),
        (("flow", False), {"zero_terminal_snr": True}, r"noise\.zero_terminal_snr is not for flow models"),
        (
            ("epsilon", False),
            {"zero_terminal_snr": True},
            r"is not for a base that predicts noise.*Use a v-prediction base, or noise\.noise_offset",
        ),
        (("v_prediction", True), {"zero_terminal_snr": True}, r"has no effect: the base was trained with zero terminal SNR"),
    ],
)
def test_noise_that_is_not_for_the_base_is_refused(base, noise, words):
    settings = settings_from({**LEAST, "noise": noise})
    check_together(settings)
    with pytest.raises(SettingsError, match=words):
        check_fits_base(settings, *base)


@pytest.mark.parametrize(
    ("base", "noise"),
    [
        (("flow", False), {"ip_noise_gamma": 0.1, "min_timestep": 100, "max_timestep": 900}),
        (("v_prediction", False), {"zero_terminal_snr": True}),
        (("epsilon", False), {"noise_offset": 0.05, "adaptive_noise_scale": 0.05}),
    ],
)
def test_noise_that_fits_the_base_passes(base, noise):
    check_fits_base(settings_from({**LEAST, "noise": noise}), *base)
