"""Losses agree with the peers' numbers, element by element, and so does the whole way from latents to one number."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from diffusers.configuration_utils import FrozenDict

from lorasmith.errors import SettingsError
from lorasmith.models.architectures.parts import AUTOENCODER_KL
from lorasmith.models.diffusion import Ddpm
from lorasmith.models.parts import Part, build
from lorasmith.models.sd1.base import StableDiffusion1
from lorasmith.models.texts import EncodedTexts
from lorasmith.training.objective.batch_loss import Noising, PreparedBatch, loss_of, predict_batch, trained_diffusion, weight_of_timesteps
from lorasmith.training.objective.flow_settings import FlowSettings
from lorasmith.training.objective.loss_settings import LossSettings, check_loss_fits
from lorasmith.training.objective.losses import LOSSES, THRESHOLDS
from lorasmith.training.objective.masked import masked, masked_mean, sample_mean
from lorasmith.training.objective.noise import Noise
from lorasmith.training.objective.noise_kinds import offset, perturbed
from lorasmith.training.objective.noise_settings import NoiseSettings
from tests.bounds import FUNCTION, SCHEDULE, assert_within_rounding
from tests.reference import FOLDER, only, reference_cases, reference_json

CASES = reference_cases("06_losses.json")


def of_kind(kind):
    return only(CASES, lambda case: case["kind"] == kind)


@pytest.fixture(scope="module")
def tensors():
    from safetensors.torch import load_file

    return load_file(FOLDER / reference_json("06_losses.json")["tensor_file"])


@pytest.fixture(scope="module")
def alphas():
    """The reference's own, in which the sum of a thousand roundings is the same on both sides."""
    from safetensors.torch import load_file

    return load_file(FOLDER / reference_json("04_snr.json")["tensor_file"])["default.alphas_cumprod"]


THRESHOLD = 3 * FUNCTION + 8
"""Roundings of a threshold: a root or an exponential of a number up to 3, whose error it passes on, and a few products."""

ELEMENT = FUNCTION + 8
"""Roundings of one number of a loss: difference, two squares, sum, root, difference, two products."""


def cancelling(loss_type: str, difference: torch.Tensor, c: torch.Tensor) -> torch.Tensor | None:
    """The size of what huber and smooth_l1 subtract: far from 0 where the loss itself is nearly 0. The other losses cancel nothing."""
    if loss_type not in ("huber", "smooth_l1"):
        return None
    return 2 * ((difference.square() + c.square()).sqrt() + c) * (c if loss_type == "huber" else 1)


@pytest.mark.parametrize("case", of_kind("conditional_loss"), ids=lambda case: case.get("id"))
def test_a_loss_agrees_with_the_reference(case, tensors):
    """Ours in double precision, with the reference's threshold: what is left is the rounding of the reference."""
    prediction, target = tensors["pred"].double(), tensors["target"].double()
    c = torch.tensor(case["huber_threshold"] or [1.0] * len(prediction), dtype=torch.float64).view(-1, 1, 1, 1)
    loss = LOSSES[case["loss_type"]].elements(prediction, target, c)
    terms = cancelling(case["loss_type"], prediction - target, c)
    assert_within_rounding(loss, tensors[case["per_element"]], roundings=ELEMENT, terms=terms)
    assert_within_rounding(
        sample_mean(loss),
        torch.tensor(case["per_sample_mean"]),
        roundings=ELEMENT + loss[0].numel(),
        terms=sample_mean(loss if terms is None else terms),
    )


@pytest.mark.parametrize("case", only(of_kind("conditional_loss"), lambda case: case.get("huber_schedule")), ids=lambda case: case["id"])
def test_a_threshold_agrees_with_the_reference(case, alphas):
    timesteps = torch.tensor(case["timesteps"])
    c = THRESHOLDS[case["huber_schedule"]].of_samples(timesteps, alphas[timesteps], case["huber_c"], case["huber_scale"])
    assert_within_rounding(c, torch.tensor(case["huber_threshold"]), roundings=THRESHOLD)


@pytest.mark.parametrize("case", of_kind("huber_threshold_flow"), ids=lambda case: str(case.get("huber_schedule")))
def test_a_threshold_on_a_flow_model_agrees_with_the_reference(case):
    timesteps = torch.tensor(case["timesteps"])
    if case["error"]:
        with pytest.raises(SettingsError, match="not for flow models"):
            check_loss_fits(LossSettings(loss_type="huber", huber_schedule=case["huber_schedule"]), "flow")
        return
    c = THRESHOLDS[case["huber_schedule"]].of_samples(timesteps, None, case["huber_c"], case["huber_scale"])
    assert_within_rounding(c, torch.tensor(case["huber_threshold"]), roundings=THRESHOLD)


@pytest.mark.parametrize("case", of_kind("apply_masked_loss"), ids=lambda case: case.get("id"))
def test_a_masked_loss_agrees_with_the_reference(case, tensors):
    name = case["id"]
    mask = tensors.get(f"{name}.alpha_masks")
    if mask is None:
        mask = tensors[f"{name}.conditioning_images_R"] / 2 + 0.5
    loss = LOSSES["l2"].elements(tensors["pred"].double(), tensors["target"].double(), torch.ones(()))
    cell = mask[0].numel() // loss[0, 0].numel() + 1  # numbers of the mask in one of the loss
    assert_within_rounding(masked(loss, mask[:, None]), tensors[f"{name}.out"], roundings=ELEMENT + cell)
    mean, expected = masked_mean(loss, mask[:, None]), torch.tensor(case["per_sample_mean"])
    assert_within_rounding(mean, expected, roundings=ELEMENT + cell + loss[0].numel())


class Recorder(torch.nn.Module):
    """In place of the U-Net: gives a set answer and keeps what it was shown."""

    config = FrozenDict({"block_out_channels": (4,), "sample_size": 8})
    device, dtype = torch.device("cpu"), torch.float32

    def __init__(self, answer):
        super().__init__()
        self.answer = answer
        self.somewhere = torch.nn.Parameter(torch.zeros(()))  # a module is where its parameters are

    def forward(self, noisy, timesteps, states, **more):
        self.shown = noisy
        return SimpleNamespace(sample=self.answer)


def base_with(unet, diffusion):
    vae = build(Part(AUTOENCODER_KL, {"block_out_channels": (4,), "norm_num_groups": 2}))
    tokenizer = SimpleNamespace(bos_token_id=0, eos_token_id=1, pad_token_id=1)
    return StableDiffusion1(
        {"unet": unet, "text_encoder": SimpleNamespace(config=None), "vae": vae}, {"tokenizer": tokenizer}, diffusion, {}
    )


def noise_drawn(draws, args, tensors):
    """The noise of a case, of what was drawn there."""
    left = [
        tensors[draw["tensor"]] if "tensor" in draw else torch.tensor(draw["value"]).reshape(draw["shape"])
        for draw in draws
        if draw["call"] in ("torch.randn", "torch.randn_like")
    ]
    added = left.pop(0)
    if args["noise_offset"]:
        added = offset(added, left.pop(0), args["noise_offset"])
    seen = perturbed(added, left.pop(0), args["ip_noise_gamma"]) if args["ip_noise_gamma"] else added
    assert not left, "all that was drawn there is used"
    return Noise(added, seen)


THEIR_NAMES = {"debiased_estimation": "debiased_estimation_loss"}
OFF = {"min_snr_gamma": 0.0, "v_pred_like_loss": 0.0}
SCALE = 0.18215
"""Of Stable Diffusion 1's latents."""


@pytest.mark.parametrize("case", of_kind("process_batch"), ids=lambda case: case.get("id"))
def test_the_whole_way_from_latents_to_the_loss_is_as_there(case, tensors, alphas):
    name, args = case["id"], reference_json("06_losses.json")["args_defaults"] | case["args_changed"]
    named = {name: args[THEIR_NAMES.get(name, name)] for name in LossSettings.model_fields if THEIR_NAMES.get(name, name) in args}
    loss = LossSettings(**{name: OFF.get(name) if value is None else value for name, value in named.items()})
    diffusion = replace(
        Ddpm.from_config({"prediction_type": "v_prediction" if args["v_parameterization"] else "epsilon"}), alphas_cumprod=alphas
    )
    of_schedule = SCHEDULE if args["zero_terminal_snr"] else 0
    recorder = Recorder(tensors[f"{name}.unet_output"])
    base = base_with(recorder, diffusion)
    question = Noising(
        noise_drawn(case["draws"], args, tensors),
        torch.tensor(case["timesteps"]),
        trained_diffusion(base, NoiseSettings(zero_terminal_snr=args["zero_terminal_snr"])),
    )
    batch = PreparedBatch(
        tensors[f"{name}.raw_latents"] * SCALE, ("",) * 3, ("",) * 3, weights=torch.tensor(case["loss_weights"]),
        masks=tensors[f"{name}.alpha_masks"][:, None] if case["masked"] else None,
    )  # fmt: skip
    answer = predict_batch(base, batch, question, EncodedTexts(torch.zeros(3, 77, 4)), FlowSettings())
    clean, added = (level.view(-1, 1, 1, 1) for level in question.diffusion.levels(question.timesteps))
    terms = clean * (SCALE * tensors[f"{name}.raw_latents"]).abs() + added * question.noise.seen.abs()
    assert_within_rounding(recorder.shown, tensors[f"{name}.unet_input"], roundings=2 * FUNCTION + 8 + of_schedule, terms=terms)
    found = loss_of(answer, question, loss, batch.weights, batch.masks)
    if args["zero_terminal_snr"]:
        # Theirs weighs by the schedule from before it was rescaled; ours by the one that is trained. Nothing else differs.
        of_theirs = weight_of_timesteps(diffusion, question.timesteps, loss)
        of_ours = weight_of_timesteps(question.diffusion, question.timesteps, loss)
        assert not torch.allclose(of_ours, of_theirs, rtol=1e-3)
        assert found.mean.item() != pytest.approx(case["loss"], rel=1e-3)
        found = replace(found, mean=(found.per_sample / of_ours * of_theirs).mean())
    # Every term is positive and far from 0: the mean of a batch is a sum of as many numbers.
    assert_within_rounding(found.mean, case["loss"], roundings=ELEMENT + THRESHOLD + answer.prediction.numel() + of_schedule)
