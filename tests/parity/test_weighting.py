"""Weights by timestep agree with the peers' numbers; with zero terminal SNR they are those of the schedule that is used."""

import pytest
import torch

from lorasmith.models.diffusion import Ddpm
from lorasmith.training.objective.weighting import (
    debiased_weight,
    min_snr_weight,
    noise_like_v_weight,
    signal_to_noise,
    timestep_weight,
    v_like_noise_weight,
)
from tests.bounds import FUNCTION, SCHEDULE, assert_within_rounding
from tests.reference import FOLDER, reference_cases, reference_json

CASES = reference_cases("04_snr.json")


@pytest.fixture(scope="module")
def tensors():
    from safetensors.torch import load_file

    return load_file(FOLDER / reference_json("04_snr.json")["tensor_file"])


def _ours(case, snr):
    """The weight that a case speaks of, for all timesteps; None where the case is about something else."""
    name, kind = case["tensor"], "v_prediction" if case.get("v_prediction") else "epsilon"
    if "args" in case:
        args = dict(case["args"])
        kind = "v_prediction" if args.pop("v_parameterization", False) else "epsilon"
        args["debiased_estimation"] = args.pop("debiased_estimation_loss", False)
        return timestep_weight(snr, kind, **args)
    if "gamma" in case:
        return min_snr_weight(snr, case["gamma"], kind)
    if name.startswith("debiased"):
        return debiased_weight(snr, "v_prediction" if name.endswith(".v") else "epsilon")
    if "v_pred_like_loss" in case:
        return noise_like_v_weight(snr, case["v_pred_like_loss"])
    if name == "scale_v_pred_loss_like_noise_pred":
        return v_like_noise_weight(snr)
    if name.endswith(("all_snr", "if_computed_after")):
        return snr
    return None


WEIGHT = 3 * FUNCTION + 12
"""Roundings of a weight: two roots, a few quotients and products; nothing cancels but 1 - alpha, which is exact or nearly 1."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.get("tensor"))
def test_a_weight_agrees_with_the_reference(case, tensors):
    name = case["tensor"]
    rescaled = name.endswith("if_computed_after") or "_zt_after" in name
    snr = signal_to_noise(tensors["zero_terminal_snr.alphas_cumprod" if rescaled else "default.alphas_cumprod"])
    ours, expected = _ours(case, snr), tensors[name]
    if ours is None:
        _compare_schedule(name, expected)
        return
    if case["n_nan"]:  # the peers divide 0 by 0 where there is no signal; the limit is 1
        assert ours[expected.isnan()].tolist() == [1.0] * case["n_nan"]
        ours, expected = ours[~expected.isnan()], expected[~expected.isnan()]
    assert_within_rounding(ours, expected, roundings=WEIGHT)


def _compare_schedule(name, expected):
    """The schedule itself, and the ratio that theirs weighs by where the schedule was rescaled."""
    default = Ddpm.from_config(reference_json("04_snr.json")["schedule"])
    rescaled = default.with_zero_terminal_snr()
    alphas = (rescaled if name.startswith("zero_terminal_snr") else default).alphas_cumprod
    factors = torch.arange(1, len(alphas) + 1)  # of the product up to each timestep
    root = alphas.sqrt()
    lost = root + 0.07 if name.startswith("zero_terminal_snr") else root  # rescaled is sqrt(a) less its last value, 0.07
    if name.endswith("alphas_cumprod"):
        assert_within_rounding(alphas, expected, roundings=SCHEDULE, terms=2 * root * lost)
    elif name.endswith("betas"):
        before = torch.cat([torch.ones(1), alphas[:-1]])
        # 1 less the ratio of neighbours, in which the product's rounding cancels but for the last factors'.
        assert_within_rounding(1 - alphas / before, expected, roundings=8 * FUNCTION, terms=lost / root.where(root > 0, torch.inf) + 1)
    else:  # theirs is of the schedule from before the rescaling, ours of the one that is trained
        assert name == "zero_terminal_snr.all_snr_as_used_by_train_network"
        ours = signal_to_noise(default.alphas_cumprod)
        a = default.alphas_cumprod
        # a / (1 - a): early, 1 - a is small and all of the product's rounding.
        assert_within_rounding(ours, expected, roundings=1, terms=(factors + WEIGHT) * a / (1 - a) ** 2)
        assert signal_to_noise(rescaled.alphas_cumprod)[-1] == 0 < expected[-1]


@pytest.mark.parametrize("case", reference_cases("04_snr.json", "second_opinion"), ids=lambda case: case.get("tensor"))
def test_other_trainers_weigh_as_we_do_or_not_on_purpose(case, tensors):
    name, theirs = case["tensor"], tensors[case["tensor"]]
    snr, kind = signal_to_noise(tensors["default.alphas_cumprod"]), "v_prediction" if case.get("v_prediction") else "epsilon"
    if "gamma" in case:
        ours = min_snr_weight(snr, case["gamma"], kind)
    elif "debiased" in name:  # for v OneTrainer takes the root, too; we do as sd-scripts
        ours = debiased_weight(snr, kind) if kind == "epsilon" else debiased_weight(snr, kind).sqrt()
    else:
        ours = snr
    assert_within_rounding(ours, theirs, roundings=WEIGHT)


def test_no_weight_is_infinite_or_nan_without_any_signal():
    nothing = torch.zeros(1)
    assert min_snr_weight(nothing, 5.0, "epsilon").item() == 1
    assert min_snr_weight(nothing, 5.0, "v_prediction").item() == 0
    assert debiased_weight(nothing, "v_prediction").item() == 1
