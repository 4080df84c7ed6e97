"""Losses agree with the peers' numbers, element by element, and so does the whole way from latents to one number."""

import pytest
import torch

from lorasmith.training.losses import LOSSES, THRESHOLDS, masked, sample_mean
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
        pytest.skip("refused by the settings: tests/training/test_settings.py")
    c = THRESHOLDS[case["huber_schedule"]](timesteps, None, case["huber_c"], case["huber_scale"])
    torch.testing.assert_close(c, torch.tensor(case["huber_threshold"]), rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("case", of_kind("apply_masked_loss"), ids=lambda case: case.get("id"))
def test_a_masked_loss_agrees_with_the_reference(case, tensors):
    name = case["id"]
    mask = tensors.get(f"{name}.alpha_masks")
    if mask is None:
        mask = tensors[f"{name}.conditioning_images_R"] / 2 + 0.5
    loss = LOSSES["l2"](tensors["pred"], tensors["target"], torch.ones(()))
    torch.testing.assert_close(masked(loss, mask), tensors[f"{name}.out"], rtol=2e-5, atol=1e-7)
    torch.testing.assert_close(sample_mean(masked(loss, mask)), torch.tensor(case["per_sample_mean"]), rtol=2e-5, atol=1e-7)
