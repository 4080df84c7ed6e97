"""An epoch shows every picture exactly as often as it should be, whatever the batch size."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.datasets.order import Group, Members, Order

BUCKETS = st.dictionaries(
    st.tuples(st.sampled_from([32, 64, 96]), st.sampled_from([32, 64, 96])), st.lists(st.integers(1, 5), min_size=1, max_size=7), max_size=4
)
GROUPS = st.lists(st.tuples(BUCKETS, st.integers(1, 6)), max_size=3)


def _number(groups):
    """Groups of buckets with repeats become groups of pictures with running numbers."""
    count = iter(range(10**6))
    return [
        Group({bucket: Members.of((next(count), n) for n in members) for bucket, members in buckets.items()}, size)
        for buckets, size in groups
    ]


@given(drawn=GROUPS, seed=st.integers(0, 99), epoch=st.integers(1, 99))
def test_every_picture_is_shown_exactly_as_often_as_it_should_be(drawn, seed, epoch):
    groups = _number(drawn)
    batches = Order(groups, seed).epoch(epoch)
    shown = sorted((s.picture, s.repeat) for b in batches for s in b.samples)
    repeats = {members: np.diff(members.ends, prepend=0).tolist() for group in groups for members in group.buckets.values()}
    every = [
        (bucket, picture, times, group)
        for group in groups
        for bucket, members in group.buckets.items()
        for picture, times in zip(members.pictures.tolist(), repeats[members], strict=True)
    ]
    assert shown == sorted((picture, k) for _, picture, times, _ in every for k in range(times))
    shapes = sum((group.shapes for group in groups), Counter())
    assert shapes == Counter((batch.bucket, len(batch.samples)) for batch in batches)
    home = {picture: (id(group), bucket) for bucket, picture, _, group in every}
    size = {id(group): group.batch_size for group in groups}
    for batch in batches:
        homes = {home[s.picture] for s in batch.samples}
        assert len(homes) == 1, "pictures of two groups or two buckets in one batch"
        group, bucket = homes.pop()
        assert bucket == batch.bucket
        assert 1 <= len(batch.samples) <= size[group]


def test_epochs_and_seeds_differ_and_repeat_exactly():
    groups = [Group({(64, 64): Members.of((i, 2) for i in range(20))}, 4)]
    first = list(Order(groups, 1).epoch(1))
    assert first == list(Order(groups, 1).epoch(1))
    assert first != list(Order(groups, 1).epoch(2))
    assert first != list(Order(groups, 2).epoch(1))
    assert len(first) == math.ceil(40 / 4)
    together = [{frozenset(b.samples) for b in Order(groups, 1).epoch(epoch)} for epoch in (1, 2)]
    assert together[0] != together[1], "other pictures come together in the next epoch"


def test_batches_of_several_groups_come_among_each_other():
    groups = [Group({(side, side): Members.of((side + i, 1) for i in range(20))}, 1) for side in (64, 96)]
    order = [batch.bucket for batch in list(Order(groups, 1).epoch(1))]
    assert order != sorted(order)


def test_a_batch_is_drawn_by_itself_and_no_other():
    """Of a million pictures with repeats, some batches anywhere in the epoch are those that a walk comes to, and nothing is listed."""
    count, size = 1_000_000, 4
    repeats = np.arange(count) % 3 + 1
    order = Order([Group({(64, 64): Members.from_arrays(np.arange(count), repeats)}, size)], seed=3)
    epoch = order.epoch(2)
    assert len(epoch) == math.ceil(repeats.sum() / size)
    assert epoch[len(epoch) - 2 :] == [epoch[-2], epoch[-1]] == [Order(order_groups(order), 3).epoch(2)[k] for k in (-2, -1)]
    places = range(0, len(epoch), 49_999)
    drawn = [epoch[place] for place in places]
    assert len({sample for batch in drawn for sample in batch.samples}) == sum(epoch.sizes(place, place + 1)[0] for place in places)
    assert all(0 <= s.repeat < repeats[s.picture] for batch in drawn for s in batch.samples)
    with pytest.raises(IndexError):
        epoch[len(epoch)]


def order_groups(order):
    return [Group({bucket: members}, size) for bucket, members, size in order.parts]


def test_the_sizes_of_batches_are_known_without_drawing_them():
    order = Order(_number([({(32, 32): [3, 4], (64, 32): [1, 1, 1]}, 4), ({(32, 32): [5]}, 2)]), 7)
    epoch = order.epoch(1)
    assert epoch.sizes(0, 99) == [len(batch.samples) for batch in epoch]
    assert sorted(epoch.sizes(0, 99)) == [1, 2, 2, 3, 3, 4]
    assert epoch.sizes(2, 4) == epoch.sizes(0, 99)[2:4]


def test_a_set_of_nothing_has_no_batches():
    assert list(Order([], 1).epoch(1)) == []
