"""What each setting of a sweep did, from scores that are made up so that it is known."""

from __future__ import annotations

import itertools
import random

import pytest

from lorasmith.jobs.sweep.effects import Scored, effects, level_of
from lorasmith.jobs.sweep.vary import Choices, Distribution

VARY = {"rate": Choices((1e-5, 1e-4, 1e-3)), "rank": Choices((4, 16))}
OF_RATE = {1e-5: 0.2, 1e-4: 0.6, 1e-3: 0.5}


def scored(values, mean, seed=0, spread=0.02):
    rng = random.Random(seed)
    subject = {f"prompt {k}": mean + 0.1 * k + rng.gauss(0, spread) for k in range(-4, 5)}  # prompts are easy or hard for all
    return Scored(values, subject, {f"other {k}": 1.0 for k in range(4)})


def grid(noise=0.0, rank=0.0):
    rng = random.Random(7)
    combinations = itertools.product(VARY["rate"].values, VARY["rank"].values)
    return [
        scored({"rate": rate, "rank": width}, OF_RATE[rate] + rank * (width == 16) + rng.gauss(0, noise), seed)
        for seed, (rate, width) in enumerate(combinations)
    ]


def test_a_setting_that_matters_is_told_and_one_that_does_not_is_not():
    rate, rank = effects(VARY, grid())
    assert (rate.setting, rate.best) == ("rate", "0.0001")
    low, high = rate.others
    assert (low.value, low.differs, high.value, high.differs) == ("1e-05", True, "0.001", True)
    assert low.below == pytest.approx(0.4, abs=3 * low.error)
    assert high.below == pytest.approx(0.1, abs=3 * high.error)
    assert not rank.others[0].differs
    assert rank.sentence.startswith("rank: cannot tell (")
    assert rate.sentence.startswith("rate: 0.0001 is best; 1e-05 scores less by 0.4")
    assert rate.end is None


def test_a_best_value_at_the_end_of_what_was_tried_says_that_it_goes_on_there():
    """Alone, or with others that vary together; words have no end, and what cannot be told says nothing."""
    together = {"rate, factor": Choices(((1e-4, 2), (1e-3, 4)))}
    for rates, values, end in ((VARY, [{"rate": rate} for rate in (1e-4, 1e-5)], "largest"), (together, [{"rate, factor": each} for each in ([1e-4, 2], [1e-3, 4])], "smallest")):  # fmt: skip
        varied = {name: rates[name] for name in values[0]}
        (effect,) = effects(varied, [scored(value, mean, seed) for seed, (value, mean) in enumerate(zip(values, (0.6, 0.2), strict=True))])
        assert effect.end == end
        assert effect.sentence.endswith(f" It is the {end} that was tried: a {end.removesuffix('st')}r one may be better still.")
    kinds = [{"kind": "lora"}, {"kind": "lokr"}]
    (effect,) = effects({"kind": Choices(("lora", "lokr"))}, [scored(kind, mean) for kind, mean in zip(kinds, (0.6, 0.2), strict=True)])
    assert effect.sentence.endswith(".")
    assert "tried" not in effect.sentence


def test_trainings_that_vary_widen_the_error():
    quiet, noisy = effects(VARY, grid())[0].others[0], effects(VARY, grid(noise=0.3))[0].others[0]
    assert noisy.error > 5 * quiet.error
    assert not effects(VARY, grid(noise=0.3))[1].others[0].differs


def test_with_as_many_numbers_as_trials_the_pictures_alone_speak():
    trials = [scored({"rate": rate}, mean, seed) for seed, (rate, mean) in enumerate(OF_RATE.items())]
    (effect,) = effects({"rate": VARY["rate"]}, trials)
    assert not effect.repeated
    assert [other.differs for other in effect.others] == [True, True]


def test_settings_that_change_together_cannot_be_told_apart():
    trials = [scored({"rate": 1e-5, "rank": 4}, 0.2), scored({"rate": 1e-4, "rank": 16}, 0.6)]
    for effect in effects(VARY, trials):
        assert effect.others == ()
        assert effect.sentence == f"{effect.setting}: cannot tell, as too few trials were judged."


def test_what_harms_other_prompts_counts_against_a_value():
    harm = {"a": 0.5, "b": 0.52, "c": 0.48}
    trials = [scored({"rank": 4}, 0.6), Scored({"rank": 16}, scored({}, 0.6).subject, harm)]
    trials[0] = Scored({"rank": 4}, trials[0].subject, dict.fromkeys(harm, 1.0))
    (effect,) = effects({"rank": VARY["rank"]}, trials)
    assert (effect.best, effect.others[0].value) == ("4", "16")
    assert effect.others[0].below == pytest.approx(0.3, abs=0.02)


def test_a_distribution_is_cut_into_thirds_of_its_scale():
    log = Distribution(1e-5, 1e-2, log=True)
    assert [level_of(log, rate) for rate in (1e-5, 5e-5, 1e-3, 1e-2)] == [
        "1e-05 to 0.0001", "1e-05 to 0.0001", "0.001 to 0.01", "0.001 to 0.01"
    ]  # fmt: skip
    assert level_of(Distribution(4, 10, whole=True), 7) == "6 to 8"


def test_nothing_judged_says_nothing():
    assert effects(VARY, []) == []
