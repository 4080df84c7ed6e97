"""Trials are stopped by held-out pictures, and only where both rank and evidence say so."""

from __future__ import annotations

import math

import pytest

from lorasmith.jobs.sweep.asha import Standing, ruled_out, rungs, standing
from lorasmith.training.events import ValidationDone


def trial(number, *changes, composition=None, measured_with="", epoch=1):
    """A trial with the changes of its held-out pictures, in nats."""
    shape = {f"{k}.png": change for k, change in enumerate(changes)}
    other = shape if composition is None else {f"{k}.png": change for k, change in enumerate(composition)}
    return Standing(number, measured_with, epoch, {"shape": shape, "composition": other})


GOOD, BAD = (-0.3, -0.31, -0.29, -0.3), (0.2, 0.22, 0.19, 0.2)


@pytest.mark.parametrize(
    ("own", "others", "beside"),
    [
        (trial(1, *BAD), [], None),  # the first one has nobody beside it
        (trial(2, *BAD), [trial(1, *GOOD)], 1),
        (trial(2, *GOOD), [trial(1, *BAD)], None),
        (trial(3, *BAD), [trial(1, *GOOD), trial(2, *(x - 0.1 for x in GOOD))], 2),  # the best is what it is compared with
        (trial(2, -0.28, -0.33, -0.27, -0.3), [trial(1, *GOOD)], None),  # worse, and within the margin
        (trial(2, *BAD, composition=GOOD), [trial(1, *GOOD)], None),  # every band has to say so
        (trial(2, 0.2), [trial(1, -0.3)], None),  # one picture has no margin
        (trial(2, *BAD), [trial(1, *GOOD, measured_with="other base")], None),
        (trial(2, *BAD), [trial(1, *GOOD, -0.3)], None),  # other pictures were held out
        (trial(2, *BAD, epoch=2), [trial(1, *GOOD, epoch=1)], None),
        (trial(2, *BAD[:3], math.nan), [trial(1, *GOOD)], None),
        (
            trial(6, *BAD),
            [trial(1, *GOOD), *(trial(k, *(x + k for x in BAD)) for k in range(2, 6))],
            None,
        ),  # second of six is in the best third
        (trial(6, *BAD), [trial(1, *GOOD), trial(2, *GOOD), *(trial(k, *(x + k for x in BAD)) for k in range(3, 6))], 1),
    ],
)
def test_a_trial_is_ruled_out_where_rank_and_evidence_say_so(own, others, beside):
    ruling = ruled_out(own, others, 3)
    assert (ruling and ruling.beside) == beside


def test_a_ruling_says_beside_which_trial_and_by_how_much():
    assert str(ruled_out(trial(2, *BAD), [trial(1, *GOOD)], 3)) == (
        "Ruled out after epoch 1: held-out pictures are worse than in trial 1, by 0.50 ± 0.03 nats in the noise that decides shapes and "
        "0.50 ± 0.03 nats in the noise that decides composition."
    )


@pytest.mark.parametrize(
    ("first", "factor", "epochs", "found"),
    [(1, 3, 10, [1, 3, 9]), (1, 3, 9, [1, 3]), (2, 2, 10, [2, 4, 8]), (1, 3, 1, []), (5, 3, 4, [])],
)
def test_rungs_rise_by_the_factor_and_end_before_the_last_epoch(first, factor, epochs, found):
    assert rungs(first, factor, epochs) == found


def validation(epoch, loss):
    bands = {name: {"val_losses": {"a.png": loss, "b.png": loss * 2}} for name in ("texture", "shape", "composition")}
    return ValidationDone(epoch, epoch * 10, loss, 1.0, 0.0, None, 0.0, None, 0.0, None, {}, {}, bands=bands)


def test_how_a_trial_stands_is_the_change_against_the_base_at_its_first_validation_from_the_rung_on():
    validations = [validation(0, 1.0), validation(2, 0.5), validation(4, 0.25)]
    change = {"a.png": math.log(0.25), "b.png": math.log(0.25)}
    assert standing(3, "", validations, 3) == Standing(3, "", 4, {"shape": change, "composition": change})
    assert standing(3, "", validations, 2).change == pytest.approx(math.log(0.5))
    assert standing(3, "", validations, 5) is None
    assert standing(3, "", validations[1:], 1) is None, "the base was never validated"


def test_a_trial_whose_held_out_pictures_were_changed_meanwhile_is_not_compared():
    now = validation(2, 0.5)
    for band in now.bands.values():
        band["val_losses"]["c.png"] = 0.5
    assert standing(3, "", [validation(0, 1.0), now], 2) is None
