"""Learning-rate schedules agree with the peers' numbers, case by case; where they do not, docs/parity.md says why."""

import pytest

from lorasmith.training.optim.schedules import SCHEDULES, Shape, in_steps
from tests.reference import reference_cases

CASES = reference_cases("08_lr_schedules.json")
POLYNOMIAL_END = 1e-7  # transformers' absolute learning rate at the end of a polynomial; ours is a ratio


def _not_ours(case):
    """Why a case has no counterpart here, or None."""
    args = case["args"]
    name = args.get("lr_scheduler")
    if "second opinion" in case["kind"]:
        return "a second opinion on restarts, which differs from the engine of reference"
    if "musubi" in case["kind"] and args.get("warmup_steps"):
        return "a peer's defect: its warm-up starts at 0.357 of the rate (docs/parity.md)"
    if case["num_processes"] > 1 and args["lr_warmup_steps"] >= 1:
        return "a peer's defect: an absolute warm-up ends N times earlier on N processes (docs/parity.md)"
    if args.get("lr_scheduler_type") or name in ("piecewise_constant", "inverse_sqrt"):
        return "a schedule that is not offered"
    return None


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_schedule_agrees_with_the_reference(case):
    if reason := _not_ours(case):
        pytest.skip(reason)
    args = case["args"]
    name = {"cosine_with_min_lr": "cosine"}.get(args["lr_scheduler"], args["lr_scheduler"])
    if "error" in case:
        if name == "rex":
            pytest.skip("the peer has no REX")
        assert name == "constant", "the settings refuse a warm-up with constant (tests/training/settings/test_tree.py)"
        return
    steps, base = args["max_train_steps"], case["base_lr"]
    floor = args.get("lr_scheduler_min_lr_ratio") or args.get("min_factor") or args.get("min_lr_ratio") or 0.0
    shape = Shape(
        steps,
        in_steps(args.get("lr_warmup_steps") or args.get("warmup_steps") or 0, steps),
        args.get("lr_scheduler_num_cycles", 1),
        args.get("lr_scheduler_power", 1),
        in_steps(args.get("lr_decay_steps") or 0, steps),
        POLYNOMIAL_END / base if name == "polynomial" else floor,
    )
    ours = [SCHEDULES[name].factor(k, shape) * base for k in range(min(steps, len(case["lr"])))]
    assert ours == pytest.approx(case["lr"][:steps], rel=1e-9, abs=1e-15)
