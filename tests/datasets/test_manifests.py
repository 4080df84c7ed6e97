"""A manifest is a dataset: its rows are trained on as a folder's pictures are, and kept on disk rather than in memory."""

import json
import os
from collections import Counter

import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

from lorasmith.datasets import manifests
from lorasmith.datasets.settings import BucketSettings, DatasetSettings
from lorasmith.datasets.training_set import open_training_set
from lorasmith.errors import DatasetError, SettingsError
from lorasmith.images.picture_cache import PICTURES

BUCKETS = BucketSettings(resolution=64, min_bucket_reso=32, max_bucket_reso=192, bucket_reso_steps=32)
ROWS = [
    {"file_name": "a/0.png", "text": "zorvex, red"},
    {"file_name": "a/1.png", "caption": "zorvex, blue", "repeats": 3},
    {"file_name": "a/2.png", "text": "zorvex, wide", "width": 180, "height": 60},
    {"file_name": "a/3.png", "text": "zorvex, aside", "held_out": True},
    {"file_name": "a/4.png", "licence": "CC0"},
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a").mkdir()
    for number in range(5):
        size = (180, 60) if number == 2 else (64, 64)
        Image.new("RGB", size, (number * 40, 9, 200)).save(tmp_path / "a" / f"{number}.png")
    return tmp_path


def manifest_of(folder, rows, name="set.jsonl"):
    path = folder / name
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def opened(path, folder, **settings):
    return open_training_set([DatasetSettings(path=path, **settings)], BUCKETS, cache=folder / "cache" / PICTURES)


def facts(training_set):
    return [
        (item.picture.path.name, item.picture.caption, item.picture.size, item.repeats, item.fit.bucket) for item in training_set.pictures
    ]


EXPECTED = [
    ("0.png", "zorvex, red", (64, 64), 1, (64, 64)), ("1.png", "zorvex, blue", (64, 64), 3, (64, 64)),
    ("2.png", "zorvex, wide", (180, 60), 1, (96, 32)), ("4.png", None, (64, 64), 1, (64, 64)),
]  # fmt: skip


def test_rows_are_pictures_with_captions_repeats_and_buckets(folder):
    found = opened(manifest_of(folder, ROWS), folder)
    assert facts(found) == EXPECTED
    assert found.findings == ()
    assert found.samples_per_epoch == 6
    assert sorted(found.buckets) == [(64, 64), (96, 32)]
    (rows,) = found.rows
    assert [item.picture.caption for item in rows.held_out()] == ["zorvex, aside"]


def test_parquet_gives_the_same_rows(folder):
    columns = dict.fromkeys(key for row in ROWS for key in row)
    table = pyarrow.table({key: [row.get(key) for row in ROWS] for key in columns})
    pyarrow.parquet.write_table(table, folder / "set.parquet")
    assert facts(opened(folder / "set.parquet", folder)) == EXPECTED


def test_a_manifest_and_a_folder_of_the_same_pictures_are_the_same_to_a_run(folder):
    for number, row in enumerate(ROWS):
        (folder / "a" / f"{number}.txt").write_text(row.get("text") or row.get("caption") or "x")
    rows = [{"file_name": f"a/{n}.png", "text": (folder / "a" / f"{n}.txt").read_text()} for n in range(5)]
    by_rows, by_folder = opened(manifest_of(folder, rows), folder), opened(folder / "a", folder)
    assert [item.latent_request for item in by_rows.pictures] == [item.latent_request for item in by_folder.pictures]
    assert facts(by_rows) == facts(by_folder)
    assert list(by_rows.epoch(3, 2, seed=5)) == list(by_folder.epoch(3, 2, seed=5))
    assert by_rows.batch_shapes(2) == by_folder.batch_shapes(2)


def test_folders_and_manifests_train_together(folder):
    datasets = [DatasetSettings(path=manifest_of(folder, ROWS), batch_size=2), DatasetSettings(path=folder / "a", repeats=2)]
    found = open_training_set(datasets, BUCKETS, cache=folder / "cache" / PICTURES)
    assert [item.dataset for item in found.pictures] == [1] * 5 + [0] * 4
    shown = Counter(sample.picture for batch in found.epoch(1, 4, seed=1) for sample in batch.samples)
    assert shown == {index: item.repeats for index, item in enumerate(found.pictures)}


def test_an_index_is_made_once_and_again_where_a_picture_or_the_manifest_has_changed(folder, monkeypatch):
    path = manifest_of(folder, ROWS)
    before = opened(path, folder).rows[0].row_index
    with monkeypatch.context() as patch:
        patch.setattr(manifests, "look_at_all", lambda *args: pytest.fail("a picture was looked at again"))
        assert opened(path, folder).rows[0].row_index.digest == before.digest
    Image.new("RGB", (64, 64), "green").save(folder / "a" / "0.png")
    os.utime(folder / "a" / "0.png", ns=(1, 1))
    after = opened(path, folder)
    assert after.rows[0].row_index.digest != before.digest
    manifest_of(folder, [{**ROWS[0], "text": "else"}, *ROWS[1:]])
    assert opened(path, folder).pictures[0].picture.caption == "else"


def test_pictures_that_cannot_be_used_are_left_out_and_said(folder):
    (folder / "a" / "0.png").write_bytes(b"no picture")
    rows = [*ROWS, {"file_name": "gone.png"}, {"file_name": "a/1.png", "width": 1, "height": 64}]
    found = opened(manifest_of(folder, rows), folder)
    assert [name for name, *_ in facts(found)] == ["1.png", "2.png", "4.png"]
    assert [(finding.code, finding.severity) for finding in found.findings] == [
        ("folder.unreadable", "error"),
        ("folder.other_size", "error"),
    ]
    assert "2 pictures of" in found.findings[0].message
    assert "0.png" in found.findings[0].message


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "Line 2 of .* is not JSON"),
        ("[1]", "row 2: a row is an object"),
        ('{"text": "a"}', "row 2: file_name must name a picture"),
        ('{"file_name": "a/1.png", "text": 3}', "row 2: the caption must be text"),
        ('{"file_name": "a/1.png", "repeats": 0}', "row 2: repeats is 0"),
        ('{"file_name": "a/1.png", "held_out": "no"}', "row 2: held_out is 'no'"),
        ('{"file_name": "a/1.png", "width": "wide"}', "row 2: width and height"),
    ],
)
def test_a_row_that_is_none_is_named(folder, line, words):
    path = folder / "set.jsonl"
    path.write_text(json.dumps(ROWS[0]) + "\n" + line)
    with pytest.raises(DatasetError, match=words):
        opened(path, folder)


@pytest.mark.parametrize("own", [{"alpha_mask": True}, {"mask_path": "masks"}, {"caption_extension": ".txt"}, {"is_reg": True}])
def test_settings_that_are_for_folders_are_refused(folder, own):
    with pytest.raises(SettingsError, match=r"is for folders|balance_reg"):
        opened(manifest_of(folder, ROWS), folder, **own)


def test_a_million_rows_would_be_arrays(folder):
    """What is kept of each picture is counted: the record is mapped, and columns and order are arrays."""
    found = opened(manifest_of(folder, ROWS), folder)
    (rows,) = found.rows
    columns = rows.columns
    each = sum(getattr(columns, name).itemsize for name in ("kind", "repeats", "is_reg", "lost", "aspect_error"))
    assert each + rows.numbers.itemsize < 64
    assert rows.row_index.table.itemsize == 57
