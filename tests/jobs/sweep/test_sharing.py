"""How many trials share a card, and how many a cluster takes at once."""

from __future__ import annotations

import pytest

from lorasmith.jobs.sweep.sharing import Needs, Node, at_once, memory_of_trial, needs_of_trial, trials_on_a_card

GB = 10**9


@pytest.mark.parametrize(
    ("trial", "card", "fit"),
    [
        (7 * GB, 24 * GB, 2),  # 2 x (1.2 x 7 + 0.6) = 18.1, and three would take 27.1
        (7 * GB, 16 * GB, 1),
        (9 * GB, 8 * GB, 1),  # it may not fit at all: that is said when it is trained
        (1 * GB, 80 * GB, 4),  # never more
        (None, 24 * GB, 1),
        (7 * GB, None, 1),
    ],
)
def test_as_many_trials_share_a_card_as_fit_with_what_the_forecast_does_not_see(trial, card, fit):
    assert trials_on_a_card(trial, card) == fit


def test_a_proof_in_float32_has_weights_of_twice_the_size():
    assert memory_of_trial(7 * GB, in_float32=False) == 14 * GB
    assert memory_of_trial(7 * GB, in_float32=True) == 7 * GB


def node(cpus, gpus=0.0, card=None):
    return Node("a", "10.0.0.1", cpus, gpus, card)


@pytest.mark.parametrize(
    ("nodes", "needs", "together", "words"),
    [
        ([node(4), node(2)], Needs(1, 0), 6, "a CPU each"),
        ([node(8, 2, 24 * GB), node(8, 1, 48 * GB)], Needs(1, 1 / 2), 6, "2 on a card"),  # the smallest card is the measure
        ([node(8, 2, 24 * GB), node(8, 1, 8 * GB)], Needs(1, 1), 3, "a card each"),
        ([node(8, 2, 24 * GB), node(8, 1)], Needs(1, 1), 3, "a card each"),  # how large one is, is not known
        ([node(1, 2, 24 * GB), node(16)], Needs(1, 1 / 2), 1, "2 on a card"),  # one CPU, and a node without a card takes none
    ],
)
def test_trials_are_given_a_part_of_a_card_where_every_card_takes_several(nodes, needs, together, words):
    assert needs_of_trial(nodes, 7 * GB) == needs
    assert at_once(nodes, needs) == together
    assert str(needs) == words
