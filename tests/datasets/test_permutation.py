"""A permutation that is never listed is one: every number once, no place better than another, no two keys alike."""

import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from lorasmith.datasets.permutation import Permutation
from lorasmith.draws import seed_of

CHI_SQUARE = 5.0
"""Standard deviations of a chi-square statistic (2 x degrees of freedom, rooted) from its mean that are allowed: chance comes to it once in a
million, and the keys are fixed."""


def drawn(length, *purpose):
    draw = Permutation(length, seed_of(*purpose).to_bytes(8, "little"))
    return [draw(place) for place in range(length)]


def deviation(counts, cells):
    """Of counts from all cells alike, in standard deviations of chi-square with `cells` - 1 degrees of freedom."""
    expected = sum(counts) / cells
    statistic = sum((count - expected) ** 2 for count in counts) / expected + (cells - len(counts)) * expected
    return (statistic - (cells - 1)) / math.sqrt(2 * (cells - 1))


def test_every_number_comes_once_whatever_the_length():
    for length in range(100):
        assert sorted(drawn(length, "all", length)) == list(range(length))
    for length in (256, 257, 399):
        assert sorted(drawn(length, "all", length)) == list(range(length))


@pytest.mark.parametrize("place", [-1, 5])
def test_there_is_no_place_beyond(place):
    with pytest.raises(IndexError):
        Permutation(5, b"key")(place)


def test_the_numbers_are_what_they_were():
    """Runs resume by them: where they must change, `order.ORDER` and the layout of states rise."""
    assert [Permutation(10, b"key")(place) for place in range(10)] == [9, 6, 4, 3, 0, 2, 1, 5, 8, 7]
    assert [Permutation(10**12, b"key")(place) for place in (0, 1, 10**12 - 1)] == [433985784033, 667658485996, 782901592437]


@pytest.mark.parametrize("length", [3, 4])
def test_all_orders_of_a_few_pictures_are_alike(length):
    """Each order of 3 and of 4 things comes as often as any other, over epochs."""
    counts = Counter(tuple(drawn(length, "few", epoch)) for epoch in range(20 * math.factorial(length)))
    assert abs(deviation(counts.values(), math.factorial(length))) < CHI_SQUARE


@pytest.mark.parametrize("length", [7, 20])
def test_a_picture_comes_at_any_place_alike(length):
    """Over epochs, each picture at each place."""
    counts = Counter(pair for epoch in range(300) for pair in enumerate(drawn(length, "places", epoch)))
    # Each row and column of the counts sums up to 300, which leaves (n - 1)^2 degrees of freedom, and spreads n / (n - 1) as widely.
    expected, free = 300 / length, (length - 1) ** 2
    statistic = sum((counts[place, number] - expected) ** 2 for place in range(length) for number in range(length)) / expected
    assert abs(statistic * (length - 1) / length - free) < CHI_SQUARE * math.sqrt(2 * free)


def test_epochs_that_follow_each_other_have_nothing_in_common():
    """The correlation of a picture's places in one epoch and the next, and of neighbours within one, is that of chance: 1 / sqrt(n)."""
    length = 300
    epochs = [drawn(length, "epoch", 5, epoch) for epoch in range(8)]
    for before, after in pairwise(epochs):
        assert abs(correlation(before, after)) < 5 / math.sqrt(length)
    for epoch in epochs:
        assert abs(correlation(epoch[:-1], epoch[1:])) < 5 / math.sqrt(length)
        assert abs(correlation(range(length), epoch)) < 5 / math.sqrt(length)


def correlation(one, other):
    return float(np.corrcoef(one, other)[0, 1])
