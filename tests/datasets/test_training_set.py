"""Folders become pictures in buckets; each folder may have its own resolution and batch size."""

import pytest
from PIL import Image

from lorasmith.datasets.settings import BucketSettings, DatasetSettings
from lorasmith.datasets.training_set import open_training_set
from lorasmith.errors import SettingsError
from lorasmith.training.data import rules_for
from lorasmith.training.settings.tree import settings_from

BUCKETS = BucketSettings(resolution=64, min_bucket_reso=32, max_bucket_reso=192, bucket_reso_steps=32)


@pytest.fixture
def folders(tmp_path):
    for name, count, size in (("a", 5, (64, 64)), ("b", 4, (120, 60))):
        (tmp_path / name).mkdir()
        for i in range(count):
            Image.new("RGB", size, (i * 20, 50, len(name))).save(tmp_path / name / f"{i}.png")
    return tmp_path


def test_a_folder_has_its_own_resolution_and_batch_size(folders):
    datasets = [
        DatasetSettings(path=folders / "a", repeats=2, batch_size=2),
        DatasetSettings(path=folders / "b", resolution=96, batch_size=3),
        DatasetSettings(path=folders / "b", resolution=(128, 64)),
    ]
    found = open_training_set(datasets, BUCKETS, batch_size=4)
    assert {(item.dataset, item.fit.bucket) for item in found.pictures} == {(0, (64, 64)), (1, (128, 64)), (2, (128, 64))}
    assert found.batches_per_epoch(4) == 5 + 2 + 1
    epoch = found.epoch(1, 4, seed=0)
    sizes = sorted((found.pictures[b.samples[0].picture].dataset, len(b.samples)) for b in epoch)
    assert sizes == [(0, 2)] * 5 + [(1, 1), (1, 3), (2, 4)]
    for batch in epoch:
        assert len({found.pictures[s.picture].dataset for s in batch.samples}) == 1


def test_a_folder_has_its_own_caption_files_and_rules(folders):
    for name, text in (("0.txt", "tags"), ("0.caption", "a; b\nA sentence.")):
        (folders / "a" / name).write_text(text)
    own = {"caption_extension": "caption", "caption_separator": ";", "caption_lines": "all", "keep_tokens": 0, "caption_prefix": "anna,"}
    tree = {"base": {"path": "base"}, "captions": {"shuffle_caption": True, "keep_tokens": 2, "trigger": "zkw"}}
    settings = settings_from({**tree, "datasets": [{"path": folders / "a", **own}, {"path": folders / "a"}]})
    pictures = [one for one in open_training_set(settings.datasets, BUCKETS).pictures if one.picture.path.stem == "0"]
    assert [one.picture.caption for one in pictures] == ["a; b\nA sentence.", "tags"]
    ours, usual = (rules_for(one, settings) for one in pictures)
    assert (ours.separator, ours.lines, ours.keep_tokens, ours.prefix, ours.shuffle) == (";", "all", 0, "anna,", True)
    assert usual == settings.captions.rules


def test_folders_of_one_resolution_and_batch_size_share_their_batches(folders):
    apart = [DatasetSettings(path=folders / "a", resolution=64), DatasetSettings(path=folders / "a", batch_size=4)]
    assert open_training_set(apart, BUCKETS).batches_per_epoch(4) == 3  # 10 samples; apart they were 4


def test_pictures_of_two_resolutions_never_share_a_batch(folders):
    datasets = [DatasetSettings(path=folders / "b", resolution=side) for side in (96, (128, 64))]
    found = open_training_set(datasets, BUCKETS)
    assert {item.fit.bucket for item in found.pictures} == {(128, 64)}
    assert found.batches_per_epoch(3) == 4  # mixed they were 3
    assert all(len({found.pictures[s.picture].dataset for s in batch.samples}) == 1 for batch in found.epoch(1, 3, 0))


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        ({"resolution": 4}, "16 to 8192"),
        ({"batch_size": 0}, "greater than or equal to 1"),
        ({"loss_weight": -1}, "greater than or equal to 0"),
        ({"flip": True}, "did you mean 'flip_aug'"),
    ],
)
def test_a_folders_settings_are_checked(dataset, words):
    with pytest.raises(SettingsError, match=words):
        settings_from({"base": {"path": "b"}, "datasets": [{"path": "d", **dataset}]})


def test_a_folder_inside_a_dataset_is_reported_unless_the_run_reads_it_as_a_dataset(tmp_path):
    for place in ("1_mimi/a.png", "regularisation/1_woman/b.png", "regularisation/c.png"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 64), (place[0] == "1" and "red") or "blue").save(tmp_path / place)
        (tmp_path / place).with_suffix(".txt").write_text("a", encoding="utf-8")
    subject, regularisation = DatasetSettings(path=tmp_path / "1_mimi"), DatasetSettings(path=tmp_path / "regularisation", is_reg=True)
    whole = DatasetSettings(path=tmp_path)
    buckets = BucketSettings(resolution=64, min_bucket_reso=64, max_bucket_reso=64)
    alone = open_training_set([whole], buckets, batch_size=1)
    assert [finding.code for finding in alone.findings if "regularisation" in finding.subjects] == ["folder.folder_not_read"]
    together = open_training_set([whole, regularisation], buckets, batch_size=1)
    assert not [finding for finding in together.findings if finding.subjects == ("regularisation",)]
    assert open_training_set([subject], buckets, batch_size=1).findings == ()
