"""Losses agree with the peers' numbers, element by element, and so does the whole way from latents to one number."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from lorasmith.errors import SettingsError
from lorasmith.models.diffusion import Ddpm
from lorasmith.models.parts import build
from lorasmith.models.sd1.base import StableDiffusion1
from lorasmith.models.texts import EncodedTexts
from lorasmith.training.objective.batch_loss import PreparedBatch, Question, ask_batch, loss_of, trained_diffusion, weight_of_timesteps
from lorasmith.training.objective.flow_settings import FlowSettings
from lorasmith.training.objective.loss_settings import LossSettings, check_loss_fits
from lorasmith.training.objective.losses import LOSSES, THRESHOLDS, masked, masked_mean, sample_mean
from lorasmith.training.objective.noise import Noise, offset, perturbed
from lorasmith.training.objective.noise_settings import NoiseSettings
from tests.reference import FOLDER, reference_cases, reference_json

CASES = reference_cases("06_losses.json")


def of_kind(kind):
    return [c for c in CASES if not isinstance(c, dict) or c["kind"] == kind]


@pytest.fixture(scope="module")
def tensors():
    from safetensors.torch import load_file

    return load_file(FOLDER / reference_json("06_losses.json")["tensor_file"])


@pytest.fixture(scope="module")
def alphas():
    schedule = reference_json("04_snr.json")["schedule"]
    betas = torch.linspace(schedule["beta_start"] ** 0.5, schedule["beta_end"] ** 0.5, schedule["num_train_timesteps"]) ** 2
    return (1 - betas).cumprod(0)


@pytest.mark.parametrize("case", of_kind("conditional_loss"), ids=lambda case: case.get("id"))
def test_a_loss_agrees_with_the_reference(case, tensors, alphas):
    prediction, target, timesteps = tensors["pred"], tensors["target"], torch.tensor(case["timesteps"])
    c = torch.ones(len(prediction))
    if case["huber_schedule"]:
        c = THRESHOLDS[case["huber_schedule"]](timesteps, alphas[timesteps], case["huber_c"], case["huber_scale"])
        torch.testing.assert_close(c, torch.tensor(case["huber_threshold"]), rtol=2e-5, atol=1e-7)
    loss = LOSSES[case["loss_type"]](prediction, target, c.view(-1, 1, 1, 1))
    torch.testing.assert_close(loss, tensors[case["per_element"]], rtol=2e-5, atol=1e-7)
    torch.testing.assert_close(sample_mean(loss), torch.tensor(case["per_sample_mean"]), rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("case", of_kind("huber_threshold_flow"), ids=lambda case: str(case.get("huber_schedule")))
def test_a_threshold_on_a_flow_model_agrees_with_the_reference(case):
    timesteps = torch.tensor(case["timesteps"])
    if case["error"]:
        with pytest.raises(SettingsError, match="not for flow models"):
            check_loss_fits(LossSettings(loss_type="huber", huber_schedule=case["huber_schedule"]), "flow")
        return
    c = THRESHOLDS[case["huber_schedule"]](timesteps, None, case["huber_c"], case["huber_scale"])
    torch.testing.assert_close(c, torch.tensor(case["huber_threshold"]), rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("case", of_kind("apply_masked_loss"), ids=lambda case: case.get("id"))
def test_a_masked_loss_agrees_with_the_reference(case, tensors):
    name = case["id"]
    mask = tensors.get(f"{name}.alpha_masks")
    if mask is None:
        mask = tensors[f"{name}.conditioning_images_R"] / 2 + 0.5
    loss = LOSSES["l2"](tensors["pred"], tensors["target"], torch.ones(()))
    torch.testing.assert_close(masked(loss, mask[:, None]), tensors[f"{name}.out"], rtol=2e-5, atol=1e-7)
    torch.testing.assert_close(masked_mean(loss, mask[:, None]), torch.tensor(case["per_sample_mean"]), rtol=2e-5, atol=1e-7)


class Recorder(torch.nn.Module):
    """In place of the U-Net: gives a set answer and keeps what it was shown."""

    config = SimpleNamespace(block_out_channels=(4,), sample_size=8)
    device, dtype = torch.device("cpu"), torch.float32

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, noisy, timesteps, states, **more):
        self.shown = noisy
        return SimpleNamespace(sample=self.answer)


def base_with(unet, diffusion):
    vae = build(("AutoencoderKL", {"block_out_channels": (4,), "norm_num_groups": 2}))
    tokenizer = SimpleNamespace(bos_token_id=0, eos_token_id=1, pad_token_id=1)
    return StableDiffusion1({"unet": unet, "text_encoder": None, "vae": vae}, {"tokenizer": tokenizer}, diffusion, {})


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
def test_the_whole_way_from_latents_to_the_loss_is_as_there(case, tensors):
    name, args = case["id"], reference_json("06_losses.json")["args_defaults"] | case["args_changed"]
    named = {name: args[THEIR_NAMES.get(name, name)] for name in LossSettings.model_fields if THEIR_NAMES.get(name, name) in args}
    loss = LossSettings(**{name: OFF.get(name) if value is None else value for name, value in named.items()})
    diffusion = Ddpm.from_config({"prediction_type": "v_prediction" if args["v_parameterization"] else "epsilon"})
    recorder = Recorder(tensors[f"{name}.unet_output"])
    base = base_with(recorder, diffusion)
    question = Question(
        noise_drawn(case["draws"], args, tensors),
        torch.tensor(case["timesteps"]),
        trained_diffusion(base, NoiseSettings(zero_terminal_snr=args["zero_terminal_snr"])),
    )
    batch = PreparedBatch(
        tensors[f"{name}.raw_latents"] * SCALE, ("",) * 3, ("",) * 3, weights=torch.tensor(case["loss_weights"]),
        masks=tensors[f"{name}.alpha_masks"][:, None] if case["masked"] else None,
    )  # fmt: skip
    answer = ask_batch(base, batch, question, EncodedTexts(torch.zeros(3, 77, 4)), FlowSettings())
    torch.testing.assert_close(recorder.shown, tensors[f"{name}.unet_input"], rtol=2e-5, atol=1e-6)
    found = loss_of(answer, question, loss, batch.weights, batch.masks)
    if args["zero_terminal_snr"]:
        # Theirs weighs by the schedule from before it was rescaled; ours by the one that is trained. Nothing else differs.
        of_theirs = weight_of_timesteps(diffusion, question.timesteps, loss)
        of_ours = weight_of_timesteps(question.diffusion, question.timesteps, loss)
        assert not torch.allclose(of_ours, of_theirs, rtol=1e-3)
        assert found.mean.item() != pytest.approx(case["loss"], rel=1e-3)
        found = replace(found, mean=(found.per_sample / of_ours * of_theirs).mean())
    torch.testing.assert_close(found.mean, torch.tensor(case["loss"]), rtol=2e-5, atol=1e-7)
