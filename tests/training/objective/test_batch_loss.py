"""The loss of a batch: independent of batching, with masks and weights, by the noise schedule that is used."""

from dataclasses import replace

import pytest
import torch

from lorasmith.errors import SettingsError
from lorasmith.models.diffusion import Ddpm, Flow
from lorasmith.models.open import open_base
from lorasmith.training.learner.learner import objective_of
from lorasmith.training.objective.batch_loss import (
    Noising,
    Predicted,
    PreparedBatch,
    batch_loss,
    huber_threshold,
    loss_of,
    noising_for,
    trained_diffusion,
    weight_of_timesteps,
)
from lorasmith.training.objective.loss_settings import LossSettings, check_loss_of_masks
from lorasmith.training.objective.losses import LOSSES, THRESHOLDS
from lorasmith.training.objective.masked import masked_mean
from lorasmith.training.objective.noise import Noise
from lorasmith.training.settings.checks import check_together
from lorasmith.training.settings.tree import settings_from

LEAST = {"base": {"path": "b"}, "datasets": [{"path": "d"}], "training": {"epochs": 1}}
NOISE = {"noise_offset": 0.1, "noise_offset_random_strength": True, "multires_noise_iterations": 6, "ip_noise_gamma": 0.1}


def settings(**sections):
    return settings_from({**LEAST, **sections})


@pytest.fixture(scope="module")
def base(toy_base):
    return open_base(toy_base, torch.float32)


@pytest.fixture(scope="module")
def batch():
    latents = torch.randn(4, 4, 8, 12, generator=torch.Generator().manual_seed(0))
    captions = ("zorvex, red", "zorvex", "happy", "")
    masks = torch.rand(4, 1, 8, 12, generator=torch.Generator().manual_seed(1))
    return PreparedBatch(latents, captions, captions, weights=torch.tensor([1.0, 0.5, 2.0, 1.0]), masks=masks)


def part_of(batch, k):
    return PreparedBatch(batch.latents[[k]], batch.captions[k : k + 1], batch.names[k : k + 1], None, batch.weights[[k]], batch.masks[[k]])


def loss_and_gradient(base, batch, of, step, first_sample):
    """The loss of a batch, and its gradient on one of the base's weights, which stands for those of a LoRA."""
    weight = base.unet.conv_out.weight.requires_grad_()
    texts = base.encode_texts(batch.captions, of.base.text_options)
    try:
        objective = objective_of(of)
        loss = batch_loss(base, batch, texts, noising_for(base, batch.latents, objective, step, first_sample), objective)
        (gradient,) = torch.autograd.grad(loss.mean, weight)
    finally:
        weight.requires_grad_(False)
    return loss, gradient


@pytest.mark.parametrize("noise", [{}, NOISE], ids=["plain noise", "offset, multires and perturbed noise"])
def test_four_samples_at_once_give_the_loss_and_gradient_of_four_that_are_accumulated(base, batch, noise):
    of = settings(noise=noise)
    together, gradient = loss_and_gradient(base, batch, of, 3, 0)
    apart, gradients = zip(*(loss_and_gradient(base, part_of(batch, k), of, 3, k) for k in range(4)), strict=True)
    torch.testing.assert_close(together.per_sample, torch.cat([one.per_sample for one in apart]), rtol=1e-5, atol=1e-6)
    assert together.timesteps.tolist() == [one.timesteps.item() for one in apart]
    torch.testing.assert_close(gradient, torch.stack(gradients).mean(0), rtol=1e-4, atol=1e-6)
    for k in range(4):
        whole, alone = (noising_for(base, batch.latents[part], objective_of(of), 3, first) for part, first in ((slice(None), 0), ([k], k)))
        assert torch.equal(whole.noise.added[[k]], alone.noise.added)
        assert torch.equal(whole.noise.seen[[k]], alone.noise.seen)


def test_the_record_of_the_samples_adds_up_to_the_loss_that_trains(base, batch):
    loss, _ = loss_and_gradient(base, batch, settings(), 3, 0)
    assert loss.per_sample.mean().item() == pytest.approx(loss.mean.item(), rel=1e-6)
    plain, _ = loss_and_gradient(base, replace(batch, weights=None), settings(), 3, 0)
    torch.testing.assert_close(loss.per_sample, plain.per_sample * batch.weights)


def test_a_sample_that_counts_nothing_teaches_nothing(base, batch):
    first = replace(part_of(batch, 0), weights=None)
    muted = replace(batch, weights=torch.tensor([1.0, 0.0, 0.0, 0.0]))
    _, gradient = loss_and_gradient(base, muted, settings(), 3, 0)
    _, alone = loss_and_gradient(base, first, settings(), 3, 0)
    torch.testing.assert_close(gradient, alone / 4, rtol=1e-4, atol=1e-6)


def test_a_loss_that_is_no_number_is_given_back_for_the_guard(base, batch):
    non_finite = batch.latents.clone()
    non_finite[2, 0, 0, 0] = float("nan")
    loss, _ = loss_and_gradient(base, replace(batch, latents=non_finite, weights=torch.tensor([1.0, 1.0, 0.0, 1.0])), settings(), 3, 0)
    assert loss.per_sample.isfinite().tolist() == [True, True, False, True]
    assert not loss.mean.isfinite()


# -- masks ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def noising():
    noise = torch.zeros(2, 4, 8, 8)
    return Noising(Noise(noise, noise), torch.tensor([10, 900]), Ddpm.from_config({}))


@pytest.fixture
def halves():
    """A mask that lets the left half count, and one that lets a single cell."""
    masks = torch.zeros(2, 1, 8, 8)
    masks[0, :, :, :4] = 1
    masks[1, :, 0, 0] = 1
    return masks


def predicted(prediction):
    return Predicted(prediction, torch.zeros(prediction.shape), torch.ones(len(prediction)))


def test_what_a_mask_leaves_out_has_no_part_in_loss_and_gradient(noising, halves):
    prediction = torch.randn(2, 4, 8, 8, requires_grad=True)
    loss = loss_of(predicted(prediction), noising, LossSettings(min_snr_gamma=0), masks=halves)
    (gradient,) = torch.autograd.grad(loss.mean, prediction)
    assert torch.equal(gradient != 0, (halves > 0).expand(gradient.shape))
    assert loss.per_sample[0].item() == pytest.approx(prediction[0, :, :, :4].square().mean().item() / 2, rel=1e-5)


def test_normalized_a_small_subject_counts_as_much_as_a_large_one(noising, halves):
    off_by_two = torch.full((2, 4, 8, 8), 2.0)
    plain = loss_of(predicted(off_by_two), noising, LossSettings(min_snr_gamma=0), masks=halves)
    normalized = loss_of(predicted(off_by_two), noising, LossSettings(min_snr_gamma=0, normalize_masked_area=True), masks=halves)
    assert plain.per_sample.tolist() == pytest.approx([4 / 2, 4 / 64])
    assert normalized.per_sample.tolist() == pytest.approx([4, 4])
    nothing = loss_of(predicted(off_by_two), noising, LossSettings(normalize_masked_area=True), masks=torch.zeros(2, 1, 8, 8))
    assert nothing.per_sample.tolist() == [0, 0]


def test_black_counts_as_much_as_it_is_told_and_grey_in_between():
    grey = torch.tensor([0.0, 0.5, 1.0]).view(3, 1, 1, 1).expand(3, 1, 4, 4)
    ones = torch.ones(3, 4, 4, 4)
    assert masked_mean(ones, grey, 0.2).tolist() == pytest.approx([0.2, 0.6, 1.0])
    assert masked_mean(ones, grey, 0.2, normalize_area=True).tolist() == pytest.approx([1, 1, 1])


def test_a_mask_all_white_changes_nothing(noising):
    prediction = torch.randn(2, 4, 8, 8)
    for loss in (LossSettings(), LossSettings(normalize_masked_area=True), LossSettings(unmasked_weight=0.3)):
        with_mask = loss_of(predicted(prediction), noising, loss, masks=torch.ones(2, 1, 8, 8))
        torch.testing.assert_close(with_mask.per_sample, loss_of(predicted(prediction), noising, loss).per_sample)


# -- the schedule that is used --------------------------------------------------------------------------------------------


def test_zero_terminal_snr_is_in_noise_and_weights_alike(base, batch):
    v = Ddpm.from_config({"prediction_type": "v_prediction"})
    rescaled = v.with_zero_terminal_snr()
    assert rescaled.levels(torch.tensor([999]))[0].item() == 0
    assert v.levels(torch.tensor([999]))[0].item() > 0.05
    weights = [weight_of_timesteps(one, torch.arange(1000), LossSettings(min_snr_gamma=5.0)) for one in (v, rescaled)]
    snr = rescaled.alphas_cumprod / (1 - rescaled.alphas_cumprod)
    torch.testing.assert_close(weights[1], snr.clamp(max=5) / (snr + 1))
    assert weights[1][999] == 0 < weights[0][999]
    of = settings(noise={"zero_terminal_snr": True})
    asked = noising_for(base, batch.latents, objective_of(of), 0, 0).diffusion
    assert asked.alphas_cumprod[-1] == 0
    assert base.diffusion.alphas_cumprod[-1] > 0, "the base itself is left as it is"
    assert trained_diffusion(base, settings().noise) is base.diffusion
    assert asked.config["rescale_betas_zero_snr"]


def test_the_last_timestep_with_zero_terminal_snr_shows_pure_noise_and_asks_for_the_picture(base, batch, monkeypatch):
    shown = []
    predict = base.predict
    monkeypatch.setattr(base, "predict", lambda noisy, *more: shown.append(noisy) or predict(noisy, *more))
    of = settings(noise={"zero_terminal_snr": True, "min_timestep": 999, "max_timestep": 1000})
    noising = noising_for(base, batch.latents, objective_of(of), 0, 0)
    batch_loss(base, batch, base.encode_texts(batch.captions, of.base.text_options), noising, objective_of(of))
    assert torch.equal(shown[0], noising.noise.added)


# -- the choices ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss_type", LOSSES)
@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction", "flow"])
@pytest.mark.parametrize(
    "weighting", [{}, {"debiased_estimation": True}, {"scale_v_pred_loss_like_noise_pred": True}, {"v_pred_like_loss": 0.5}]
)
def test_every_choice_gives_a_finite_loss_that_falls_with_the_error(loss_type, prediction_type, weighting):
    diffusion = Flow({}) if prediction_type == "flow" else Ddpm.from_config({"prediction_type": prediction_type})
    timesteps = torch.tensor([0, 500, 999])
    if prediction_type == "flow":
        timesteps = timesteps.float()
    for schedule in (None, "exponential", "constant"):
        loss = LossSettings(loss_type=loss_type, huber_schedule=schedule, min_snr_gamma=0, **weighting)
        asked = Noising(Noise(torch.zeros(3, 4, 8, 8), torch.zeros(3, 4, 8, 8)), timesteps, diffusion)
        small, large = (loss_of(predicted(torch.full((3, 4, 8, 8), error)), asked, loss).per_sample for error in (0.1, 0.2))
        assert large.isfinite().all()
        assert (small > 0).all()
        assert (large > small).all()


def test_huber_turns_by_snr_where_there_is_one_and_exponentially_on_flow_models():
    huber = LossSettings(loss_type="huber")
    ddpm, steps = Ddpm.from_config({}), torch.tensor([0, 500, 999])
    assert torch.equal(huber_threshold(ddpm, steps, huber), THRESHOLDS["snr"].of_samples(steps, ddpm.alphas_cumprod[steps], 0.1, 1.0))
    assert torch.equal(huber_threshold(Flow({}), steps.float(), huber), THRESHOLDS["exponential"].of_samples(steps, None, 0.1, 1.0))


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"loss": {"prior_loss_weight": 0.5}}, r"no effect without regularisation pictures. Set is_reg .* or use loss\.prior_preservation"),
        ({"loss": {"prior_preservation": 1.0}}, r"prior_preservation needs captions\.trigger"),
        ({"loss": {"prior_preservation_class": "cat"}}, r"no effect without loss\.prior_preservation. Set that"),
        (
            {"loss": {"prior_preservation": 1.0, "prior_preservation_class": "Zorvex"}, "captions": {"trigger": "zorvex"}},
            r"is the trigger 'zorvex' itself",
        ),
    ],
)
def test_loss_settings_without_effect_are_refused_with_a_way_out(sections, words):
    with pytest.raises(SettingsError, match=words):
        check_together(settings(**sections))


@pytest.mark.parametrize(
    "sections",
    [
        {"loss": {"prior_loss_weight": 0.5}, "datasets": [{"path": "d"}, {"path": "r", "is_reg": True}]},
        {"loss": {"prior_preservation": 1.0, "prior_preservation_class": "cat"}, "captions": {"trigger": "zorvex"}},
    ],
)
def test_loss_settings_with_effect_pass(sections):
    assert check_together(settings(**sections)) == []


@pytest.mark.parametrize("field", ["normalize_masked_area", "unmasked_weight"])
def test_settings_for_masks_need_a_picture_that_has_one(field):
    loss = LossSettings(**{field: 0.5 if field == "unmasked_weight" else True})
    with pytest.raises(SettingsError, match=f"{field} has no effect without masks. Put them beside the pictures"):
        check_loss_of_masks(loss, masked_pictures=0)
    check_loss_of_masks(loss, masked_pictures=1)
