"""Signs in the course of a run, on courses that were made so, and on noise alone."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest

from lorasmith.evaluation.signs.run_signs import RUN_SIGNS, Course, signs_of_course
from lorasmith.findings import Finding

STEPS = 400


def course(seed: int, shape: str = "falling", noise: float = 0.6) -> Course:
    """A loss as runs have it: noise of the timesteps around a curve."""
    rng = random.Random(seed)

    def level(k: int) -> float:
        share = k / STEPS
        return {
            "falling": -0.5 * share,
            "flat": 0.0,
            "to a plateau": -0.8 * min(1.0, 3 * share),
            "rising": -0.8 * min(1.0, 2 * share) + (0.9 if share > 0.8 else 0.0),
            "swinging": 0.8 * math.sin(50 * share),
            "spiked": -0.5 * share + (6.0 if k in (120, 121) else 0.0),
        }[shape]

    return Course(tuple(range(1, STEPS + 1)), tuple(level(k) + rng.gauss(0, noise) for k in range(STEPS)))


def codes(one: Course) -> set[str]:
    return {finding.code for finding in signs_of_course(one)}


@pytest.mark.parametrize(
    ("shape", "code"),
    [
        ("to a plateau", "signs.plateau"),
        ("rising", "signs.rise_at_the_end"),
        ("swinging", "signs.wild_swings"),
        ("spiked", "signs.spike"),
        ("flat", "signs.nothing_learnt"),
    ],
)
def test_each_sign_is_seen_where_it_is(shape: str, code: str) -> None:
    found = [code in codes(course(seed, shape)) for seed in range(20)]

    assert sum(found) >= 15


def test_noise_on_a_falling_loss_is_no_sign() -> None:
    """100 courses with noise of a factor of 1.8 a step; a rule that spoke in more than 3 would be a nuisance."""
    alarms = Counter(code for seed in range(100) for code in codes(course(seed)) if code not in ("signs.plateau", "signs.nothing_learnt"))

    assert not alarms or max(alarms.values()) <= 3


def test_a_spike_says_at_which_step_and_how_far() -> None:
    finding = next(found for found in signs_of_course(course(1, "spiked", noise=0.3)) if found.code == "signs.spike")

    assert "2 steps" in finding.message
    assert finding.evidence is not None
    assert finding.evidence.number > 50


def test_a_sign_of_a_run_is_one_function_and_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def starts_high(one: Course) -> Finding | None:
        if one.logs[0] < 5:
            return None
        return Finding("signs.starts_high", "note", about="run", message="The first loss is very high.")

    monkeypatch.setitem(RUN_SIGNS, "starts_high", starts_high)
    usual = course(1)

    assert "signs.starts_high" not in codes(usual)
    assert "signs.starts_high" in codes(Course(usual.steps, (6.0, *usual.logs[1:])))
