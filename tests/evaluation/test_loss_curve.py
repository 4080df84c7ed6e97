"""The curves of a run: what they show and what is said about them."""

import math

import numpy as np
import pytest

from lorasmith.evaluation.loss_curve import change_curve, learning_rate_curve, loss_curve, smoothed


def test_a_loss_curve_has_a_faint_and_a_strong_line_and_is_described():
    curve = loss_curve([(k, 1 / k) for k in range(1, 31)], [(1, 10), (2, 20), (3, 30)])
    faint, strong = curve.series
    assert (faint.faint, strong.faint) == (True, False)
    assert len(faint.points) == len(strong.points) == 30
    assert strong.name == "mean of 3 steps"
    assert "the mean over the 3 steps around each" in curve.caption
    assert curve.marks[0] == (10, "epoch 1")


def test_few_steps_are_shown_as_they_are():
    assert "One step, with a loss of 0.25." in loss_curve([(1, 0.25)]).caption
    [only] = loss_curve([(1, 0.5), (2, 0.25)]).series
    assert only.points == ((1, 0.5), (2, 0.25))
    assert loss_curve([]).caption == "No step has been trained yet."


@pytest.mark.parametrize("loss", [0.0, 0.5, 1e-12, 1e9])
def test_equal_losses_lie_in_the_middle_of_the_picture(loss):
    low, high = loss_curve([(k, loss) for k in range(1, 50)]).limits
    assert low < high
    assert (low + high) / 2 == pytest.approx(loss, abs=1e-6)


def test_a_wild_step_of_many_falls_outside_the_picture_and_is_counted():
    rng = np.random.default_rng(0)
    losses = [(k, float(v)) for k, v in enumerate(rng.random(2000) * 0.1, 1)]
    losses[1234] = (1235, 9.0)
    curve = loss_curve(losses)
    assert curve.limits[1] < 1
    assert "1 of 2,000 steps is outside the picture" in curve.caption


def test_losses_that_are_not_finite_are_left_out_and_counted():
    curve = loss_curve([(1, 0.5), (2, math.nan), (3, math.inf), (4, 0.25)])
    assert len(curve.series[0].points) == 2
    assert "2 steps have a non-finite loss." in curve.caption
    nothing = loss_curve([(1, math.nan)])
    assert (nothing.series, nothing.caption) == ((), "The loss of every step is non-finite.")


def test_smoothing_is_the_mean_of_the_neighbours():
    values = np.array([0.0, 3.0, 6.0, 0.0, 0.0])
    assert smoothed(values, 3).tolist() == [1.5, 3.0, 3.0, 2.0, 0.0]
    assert smoothed(values, 1).tolist() == values.tolist()


def test_parts_with_the_same_rate_share_a_line():
    same = {"U-Net": [(1, 1e-4), (2, 5e-5)], "text encoder": [(1, 1e-4), (2, 5e-5)]}
    curve = learning_rate_curve(same)
    assert [series.name for series in curve.series] == ["U-Net and text encoder"]
    assert curve.caption == "U-Net and text encoder: 1e-4 at first, 1e-4 at most, 5e-5 at the end."
    assert len(learning_rate_curve({**same, "text encoder": [(1, 5e-5), (2, 0.0)]}).series) == 2
    assert learning_rate_curve({}) is None


def test_changes_are_shown_with_their_margins():
    curve = change_curve([(0, 0.0, None), (10, -0.002, 0.001)], [(0, 0.0, None), (10, -0.012, 0.002)])
    assert [series.margins for series in curve.series] == [(None, 0.001), (None, 0.002)]
    assert "-0.0020 ± 0.0010 on held-out images and -0.0120 ± 0.0020 on trained ones" in curve.caption
