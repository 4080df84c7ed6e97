"""An epoch shows every picture exactly as often as it should be, whatever the batch size."""

import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from lorasmith.datasets.order import Group, epoch_batches

BUCKETS = st.dictionaries(
    st.tuples(st.sampled_from([32, 64, 96]), st.sampled_from([32, 64, 96])), st.lists(st.integers(1, 5), min_size=1, max_size=7), max_size=4
)
GROUPS = st.lists(st.tuples(BUCKETS, st.integers(1, 6)), max_size=3)


def _number(groups):
    """Groups of buckets with repeats become groups of pictures with running numbers."""
    count = iter(range(10**6))
    return [Group({bucket: [(next(count), n) for n in members] for bucket, members in buckets.items()}, size) for buckets, size in groups]


@given(drawn=GROUPS, seed=st.integers(0, 99), epoch=st.integers(1, 99))
def test_every_picture_is_shown_exactly_as_often_as_it_should_be(drawn, seed, epoch):
    groups = _number(drawn)
    batches = epoch_batches(groups, seed, epoch)
    shown = sorted((s.picture, s.repeat) for b in batches for s in b.samples)
    every = [(bucket, picture, times, group) for group in groups for bucket, members in group.buckets.items() for picture, times in members]
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
    groups = [Group({(64, 64): [(i, 2) for i in range(20)]}, 4)]
    first = epoch_batches(groups, seed=1, epoch=1)
    assert first == epoch_batches(groups, seed=1, epoch=1)
    assert first != epoch_batches(groups, seed=1, epoch=2)
    assert first != epoch_batches(groups, seed=2, epoch=1)
    assert len(first) == math.ceil(40 / 4)
    together = [{frozenset(b.samples) for b in epoch_batches(groups, seed=1, epoch=epoch)} for epoch in (1, 2)]
    assert together[0] != together[1], "other pictures come together in the next epoch"


def test_batches_of_several_groups_come_among_each_other():
    groups = [Group({(64, 64): [(i, 1) for i in range(20)]}, 1), Group({(96, 96): [(20 + i, 1) for i in range(20)]}, 1)]
    order = [batch.bucket for batch in epoch_batches(groups, seed=1, epoch=1)]
    assert order != sorted(order)
