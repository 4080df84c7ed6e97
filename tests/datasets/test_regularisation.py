"""Regularisation pictures are repeated as often as the training images."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lorasmith.datasets.regularisation import regularisation_repeats
from lorasmith.datasets.settings import BucketSettings, DatasetSettings
from lorasmith.datasets.training_set import open_training_set
from lorasmith.errors import DatasetError

BUCKETS = BucketSettings(resolution=64, min_bucket_reso=32, max_bucket_reso=128, bucket_reso_steps=32)


@pytest.mark.parametrize(
    ("training", "repeats", "shown"),
    [
        (20, [1, 1, 1], [7, 7, 6]),
        (4, [1] * 6, [1, 1, 1, 1, 0, 0]),
        (12, [3] * 5, [3, 3, 3, 3, 0]),
        (10, [3] * 5, [3, 3, 3, 3, 0]),  # the last one overshoots
        (7, [2, 1], [4, 3]),
        (3, [], []),
    ],
)
def test_repeats_come_to_those_of_the_training_pictures(training, repeats, shown):
    assert regularisation_repeats(training, repeats) == shown


@given(training=st.integers(0, 200), repeats=st.lists(st.integers(1, 9), min_size=1, max_size=20))
def test_it_is_what_counting_one_by_one_gives(training, repeats):
    shown, total, rounds = [0] * len(repeats), 0, 0
    while total < training:
        for place, declared in enumerate(repeats):
            if total >= training:
                break
            shown[place] += 1 if rounds else declared
            total += 1 if rounds else declared
        rounds += 1
    assert regularisation_repeats(training, repeats) == shown


def folder_of(path, count, size=(64, 64)):
    path.mkdir(parents=True)
    for i in range(count):
        Image.new("RGB", size, (i * 20 % 256, 50, len(path.name))).save(path / f"{i:02}.png")
    return path


def test_surplus_pictures_are_named_and_not_shown(tmp_path):
    train, reg = folder_of(tmp_path / "train", 3), folder_of(tmp_path / "reg", 5)
    found = open_training_set([DatasetSettings(path=train), DatasetSettings(path=reg, is_reg=True)], BUCKETS)
    assert [(item.picture.is_reg, item.repeats) for item in found.pictures] == [(False, 1)] * 3 + [(True, 1)] * 3
    assert found.declared_regularisation == 5
    assert len(found.not_needed) == 2
    assert ["2 of the 5 regularisation pictures" in finding.message for finding in found.findings].count(True) == 1


def test_without_balance_each_is_shown_as_its_repeats_say(tmp_path):
    train, reg = folder_of(tmp_path / "train", 3), folder_of(tmp_path / "reg", 5)
    datasets = [DatasetSettings(path=train, repeats=4), DatasetSettings(path=reg, is_reg=True)]
    assert [item.repeats for item in open_training_set(datasets, BUCKETS, balance_reg=False).pictures] == [4] * 3 + [1] * 5
    assert [item.repeats for item in open_training_set(datasets, BUCKETS).pictures] == [4] * 3 + [3, 3, 2, 2, 2]


def test_each_resolution_and_batch_size_is_balanced_for_itself(tmp_path):
    folders = {name: folder_of(tmp_path / name, 2) for name in ("a", "b", "reg_a", "reg_b")}
    datasets = [
        DatasetSettings(path=folders["a"], repeats=3), DatasetSettings(path=folders["b"], repeats=5, resolution=96),
        DatasetSettings(path=folders["reg_a"], is_reg=True, batch_size=2), DatasetSettings(path=folders["reg_b"], is_reg=True, resolution=96),
    ]  # fmt: skip
    found = open_training_set(datasets, BUCKETS, batch_size=2)  # the run's 2 and a folder's own 2 are one
    assert [item.repeats for item in found.pictures] == [3, 3, 5, 5, 3, 3, 5, 5]


def test_regularisation_that_nothing_balances_is_refused(tmp_path):
    train, reg = folder_of(tmp_path / "train", 2), folder_of(tmp_path / "reg", 2)
    datasets = [DatasetSettings(path=train), DatasetSettings(path=reg, is_reg=True, resolution=96)]
    with pytest.raises(DatasetError, match="balance_reg"):
        open_training_set(datasets, BUCKETS)
    assert len(open_training_set(datasets, BUCKETS, balance_reg=False).pictures) == 4
