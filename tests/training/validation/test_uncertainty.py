"""Margins hold what they promise, on numbers whose truth is known."""

import numpy as np
import pytest
from scipy import stats

from lorasmith.training.validation.uncertainty import difference_of_means, mean_with_margin, t_quantile


@pytest.mark.parametrize("freedom", [1, 2, 3.7, 9, 30, 500])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_students_t_is_that_of_the_tables(freedom, confidence):
    assert t_quantile(freedom, confidence) == pytest.approx(stats.t.ppf((1 + confidence) / 2, freedom), rel=1e-4)


def test_a_margin_is_that_of_scipy():
    numbers = [0.3, -0.1, 0.25, 0.4]
    mean, margin = mean_with_margin(numbers)
    low, high = stats.ttest_1samp(numbers, 0).confidence_interval(0.95)
    assert (mean - margin, mean + margin) == pytest.approx((low, high), rel=1e-4)


def test_a_difference_of_means_is_that_of_scipy():
    a, b = [0.3, -0.1, 0.25, 0.4], [0.1, 0.0, 0.5, -2.0, 0.2, 0.3]
    difference, margin = difference_of_means(a, b)
    low, high = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert (difference - margin, difference + margin) == pytest.approx((low, high), rel=1e-4)


@pytest.mark.parametrize("pictures", [3, 12])
def test_the_truth_lies_within_the_margin_95_times_of_100(pictures):
    draws = np.random.default_rng(0).normal(0.02, 0.3, size=(1500, pictures))
    found = [mean_with_margin(row.tolist()) for row in draws]
    assert 0.935 < np.mean([abs(mean - 0.02) < margin for mean, margin in found]) < 0.965


def test_pictures_that_differ_much_cost_nothing_where_each_is_compared_with_itself():
    rng = np.random.default_rng(1)
    hard = rng.normal(1, 0.5, 10)
    change = rng.normal(-0.02, 0.005, 10)
    mean, margin = mean_with_margin(change.tolist())
    assert mean + margin < 0
    unpaired, wide = difference_of_means((hard + change).tolist(), hard.tolist())
    assert unpaired == pytest.approx(mean)
    assert wide > 20 * margin


def test_one_picture_alone_has_no_margin():
    assert mean_with_margin([0.4]) == (0.4, None)
    assert difference_of_means([0.4], [0.1, 0.2])[1] is None
    assert difference_of_means([0.0, 0.0], [0.0, 0.0]) == (0.0, 0.0)
