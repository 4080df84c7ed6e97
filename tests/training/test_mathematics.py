"""Schedules and weights agree with the numbers of the peers; noise does not depend on the batch."""

import math

import pytest
import torch

from lorasmith.training.noise import add_noise, draw_noise, draw_timesteps
from lorasmith.training.schedules import SCHEDULES, warmup_steps
from lorasmith.training.targets import epsilon, v_prediction
from lorasmith.training.weighting import min_snr_weight
from tests.reference import FOLDER, reference_json


def test_schedules_agree_with_the_reference():
    checked = set()
    for case in reference_json("08_lr_schedules.json")["cases"]:
        args = case.get("args", {})
        name = args.get("lr_scheduler")
        if case.get("kind") != "sd-scripts get_scheduler_fix" or name not in SCHEDULES or case["num_processes"] != 1 or "lr" not in case:
            continue
        if args["lr_scheduler_type"] or args["lr_scheduler_args"] or args["lr_scheduler_min_lr_ratio"]:
            continue
        steps = args["max_train_steps"]
        warmup = warmup_steps(args["lr_warmup_steps"], steps)
        cycles = args["lr_scheduler_num_cycles"]
        for k, expected in enumerate(case["lr"]):
            if k < steps:
                assert math.isclose(SCHEDULES[name](k, steps, warmup, cycles) * case["base_lr"], expected, rel_tol=1e-9, abs_tol=1e-15), (
                    args,
                    k,
                )
        checked.add(name)
    assert {"constant_with_warmup", "cosine", "cosine_with_restarts"} <= checked


def test_min_snr_weights_agree_with_the_reference():
    from safetensors.torch import load_file

    cases = [c for c in reference_json("04_snr.json")["cases"] if c["tensor"].startswith("min_snr.")]
    tensors = load_file(FOLDER / "04_snr.safetensors")
    assert len(cases) == 8
    for case in cases:
        kind = "v_prediction" if case["v_prediction"] else "epsilon"
        ours = min_snr_weight(torch.arange(1000), tensors["default.alphas_cumprod"], case["gamma"], kind)
        torch.testing.assert_close(ours, tensors[case["tensor"]], rtol=1e-5, atol=1e-8)


def test_noise_does_not_depend_on_the_batch_it_is_drawn_in():
    together = draw_noise((4, 4, 8, 8), seed=1, step=7, first_sample=0)
    apart = torch.cat([draw_noise((1, 4, 8, 8), seed=1, step=7, first_sample=k) for k in range(4)])
    assert torch.equal(together, apart)
    assert not torch.equal(together, draw_noise((4, 4, 8, 8), seed=1, step=8, first_sample=0))
    assert draw_timesteps(4, 1000, 1, 7, 0).tolist() == [draw_timesteps(1, 1000, 1, 7, k).item() for k in range(4)]


def test_timesteps_cover_the_whole_schedule():
    drawn = torch.cat([draw_timesteps(100, 1000, 3, step, 0) for step in range(40)])
    assert drawn.min() < 10
    assert drawn.max() > 989
    assert abs(drawn.float().mean() - 499.5) < 20


@pytest.mark.parametrize("t", [0, 500, 999])
def test_epsilon_and_v_describe_the_same_picture(t):
    alphas = torch.linspace(0.999, 0.005, 1000)
    x, noise, steps = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8), torch.tensor([t, t])
    noisy = add_noise(x, noise, steps, alphas)
    v = v_prediction(x, noise, steps, alphas)
    a = alphas[t]
    torch.testing.assert_close(a.sqrt() * noisy - (1 - a).sqrt() * v, x, atol=1e-5, rtol=1e-4)
    assert torch.equal(epsilon(x, noise, steps, alphas), noise)
