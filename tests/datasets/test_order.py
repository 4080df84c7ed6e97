"""An epoch shows every picture exactly `repeats` times, whatever the batch size."""

import math

from hypothesis import given
from hypothesis import strategies as st

from lorasmith.datasets.order import batches_per_epoch, epoch_batches

BUCKETS = st.dictionaries(
    st.tuples(st.sampled_from([32, 64, 96]), st.sampled_from([32, 64, 96])), st.lists(st.integers(1, 5), min_size=1, max_size=7), max_size=4
)


def _number(buckets):
    """Give the pictures of all buckets running numbers."""
    count = iter(range(10**6))
    return {bucket: [(next(count), repeats) for repeats in members] for bucket, members in buckets.items()}


@given(buckets=BUCKETS, batch_size=st.integers(1, 6), seed=st.integers(0, 99), epoch=st.integers(1, 99))
def test_every_picture_is_shown_exactly_repeats_times(buckets, batch_size, seed, epoch):
    members = _number(buckets)
    batches = epoch_batches(members, batch_size, seed, epoch)
    shown = sorted((s.picture, s.repeat) for b in batches for s in b.showings)
    assert shown == sorted((picture, k) for group in members.values() for picture, repeats in group for k in range(repeats))
    assert len(batches) == batches_per_epoch({b: sum(r for _, r in group) for b, group in members.items()}, batch_size)
    for batch in batches:
        assert 1 <= len(batch.showings) <= batch_size
        assert {s.picture for s in batch.showings} <= {picture for picture, _ in members[batch.bucket]}


def test_epochs_and_seeds_differ_and_repeat_exactly():
    members = {(64, 64): [(i, 2) for i in range(20)]}
    first = epoch_batches(members, 4, seed=1, epoch=1)
    assert first == epoch_batches(members, 4, seed=1, epoch=1)
    assert first != epoch_batches(members, 4, seed=1, epoch=2)
    assert first != epoch_batches(members, 4, seed=2, epoch=1)
    assert len(first) == math.ceil(40 / 4)
