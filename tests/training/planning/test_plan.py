"""The plan is what a run does: a literal walk through the epochs gives the same numbers, and shows every picture as often as it should."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.datasets.buckets import Fit
from lorasmith.datasets.folders import Picture
from lorasmith.datasets.training_set import TrainingPicture, TrainingSet
from lorasmith.training.planning.plan import make_plan
from lorasmith.training.settings.tree import settings_from

SIDES = st.sampled_from([64, 96, 128])
PICTURE = st.tuples(st.integers(1, 4), SIDES, st.sampled_from([None, 512, 768]), st.sampled_from([None, 1, 2, 5]))
LENGTH = st.one_of(st.tuples(st.just("epochs"), st.integers(1, 4)), st.tuples(st.just("max_train_steps"), st.integers(1, 40)))


def set_of(pictures):
    """A set of (repeats, side of the bucket, resolution, own batch size)."""
    return TrainingSet(
        tuple(
            TrainingPicture(
                Picture(Path(f"{i}.png"), None, (side, side), "f", repeats), Fit((side, side), (side, side), (0, 0)),
                resolution=None if resolution is None else (resolution, resolution), batch_size=batch_size,
            )
            for i, (repeats, side, resolution, batch_size) in enumerate(pictures)
        ),
        (),
    )  # fmt: skip


def settings_of(**training):
    return settings_from({"base": {"path": "base"}, "datasets": [{"path": "pictures"}], "training": training})


@given(
    pictures=st.lists(PICTURE, min_size=1, max_size=12), length=LENGTH, batch_size=st.integers(1, 4), accumulation=st.integers(1, 4),
    processes=st.integers(1, 4), seed=st.integers(0, 9),
)  # fmt: skip
def test_the_plan_is_what_a_literal_walk_does(pictures, length, batch_size, accumulation, processes, seed):
    training_set = set_of(pictures)
    settings = settings_of(
        **dict([length]), batch_size=batch_size, gradient_accumulation_steps=accumulation, num_processes=processes, seed=seed
    )
    plan = make_plan(settings, training_set)

    step, epoch, ended = 0, 0, False
    while not ended:
        epoch += 1
        batches = training_set.epoch(epoch, batch_size, seed)
        left = list(batches)
        assert len(left) == plan.batches_per_epoch
        shown = Counter()
        place = 0
        while left and not ended:
            taken, left = left[: accumulation * processes], left[accumulation * processes :]
            assert plan.epoch_and_step_of(step) == (epoch, place)
            dealt = [plan.batches_of(place, batches, rank, processes) for rank in range(processes)]
            assert sorted(first for one in dealt for first, _ in one) == [sum(len(b.samples) for b in taken[:k]) for k in range(len(taken))]
            in_order = sorted((pair for one in dealt for pair in one), key=lambda pair: pair[0])
            assert [batch for _, batch in in_order] == taken
            assert all(len(one) <= accumulation for one in dealt)
            assert max(map(len, dealt)) - min(map(len, dealt)) <= 1
            shown.update(s.picture for batch in taken for s in batch.samples)
            step, place = step + 1, place + 1
            ended = step == settings.training.max_train_steps
        if not left:
            assert shown == {i: item.repeats for i, item in enumerate(training_set.pictures)}
            assert place == plan.steps_per_epoch
            assert shown.total() == plan.samples_per_epoch
        ended = ended or epoch == settings.training.epochs
    assert (plan.steps, plan.epochs) == (step, epoch)


@pytest.mark.parametrize("processes", [1, 2, 3, 4, 5, 7])
def test_any_number_of_processes_takes_the_batches_of_one_with_accumulation(processes):
    """Also one that the settings did not ask for, because a node has ended: which batches are in a step does not change."""
    training_set = set_of([(3, 64, None, None)] * 5)
    alone = make_plan(settings_of(epochs=2, batch_size=2, gradient_accumulation_steps=6), training_set)
    shared = make_plan(settings_of(epochs=2, batch_size=2, gradient_accumulation_steps=2, num_processes=3), training_set)
    assert (alone.steps, alone.epochs, alone.steps_per_epoch) == (shared.steps, shared.epochs, shared.steps_per_epoch) == (4, 2, 2)
    epoch = training_set.epoch(1, 2, 42)
    for place in range(2):
        process_group = sorted(
            (pair for rank in range(processes) for pair in shared.batches_of(place, epoch, rank, processes)), key=lambda pair: pair[0]
        )
        assert process_group == alone.batches_of(place, epoch)


@pytest.mark.parametrize(("batches", "last"), [(8, [2, 2]), (9, [1, 0]), (11, [2, 1])])
def test_at_an_epochs_end_nothing_is_repeated_to_keep_a_process_busy(batches, last):
    training_set = set_of([(1, 64, None, None)] * batches)
    plan = make_plan(settings_of(epochs=1, gradient_accumulation_steps=2, num_processes=2), training_set)
    epoch = training_set.epoch(1, 1, 42)
    assert [len(plan.batches_of(plan.steps_per_epoch - 1, epoch, rank, 2)) for rank in range(2)] == last
