"""Shards are read by index: each picture where it lies in its tar, with the caption beside it, and nothing hostile gets further."""

import io
import json
import os
import tarfile

import pytest
from PIL import Image

from lorasmith.datasets import shards
from lorasmith.datasets.latents import bucket_pixels
from lorasmith.datasets.settings import BucketSettings, DatasetSettings
from lorasmith.datasets.shards import is_shards, shard_files
from lorasmith.datasets.training_set import open_training_set
from lorasmith.errors import DatasetError
from lorasmith.images.picture_cache import PICTURES

BUCKETS = BucketSettings(resolution=64, min_bucket_reso=32, max_bucket_reso=192, bucket_reso_steps=32)


def png(number, size=(64, 64)):
    content = io.BytesIO()
    Image.new("RGB", size, (number * 30, 9, 200)).save(content, "PNG")
    return content.getvalue()


def write_tar(path, members, mode="w"):
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, mode) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture
def folder(tmp_path):
    write_tar(
        tmp_path / "shards" / "000000.tar",
        [
            ("000.png", png(0)), ("000.txt", b"zorvex, red\n"), ("001.png", png(1)),
            ("001.json", json.dumps({"caption": "zorvex, blue", "repeats": 3, "held_out": False}).encode()),
        ],
    )  # fmt: skip
    write_tar(
        tmp_path / "shards" / "000001.tar",
        [("a/002.txt", b"old"), ("a/002.caption", b"new"), ("a/002.png", png(2)), ("a/003.PNG", png(3)), ("a/003.seg.png", png(3))],
    )
    return tmp_path


def opened(path, folder, **settings):
    return open_training_set([DatasetSettings(path=path, **settings)], BUCKETS, cache=folder / "cache" / PICTURES)


def facts(training_set):
    return [(item.picture.path.name, item.picture.caption, item.repeats) for item in training_set.pictures]


EXPECTED = [("000.png", "zorvex, red", 1), ("001.png", "zorvex, blue", 3), ("002.png", "old", 1), ("003.PNG", None, 1)]


@pytest.mark.parametrize("path", ["shards", "shards/{000000..000001}.tar"])
def test_samples_are_pictures_with_the_captions_beside_them(folder, path):
    found = opened(folder / path, folder)
    assert facts(found) == EXPECTED
    assert found.findings == ()
    for number, item in enumerate(found.pictures):
        alone = folder / f"{number}.png"
        alone.write_bytes(png(number))
        (expected,) = opened_alone(alone, folder)
        assert item.latent_request.content == expected.content
        assert (bucket_pixels(item.latent_request) == bucket_pixels(expected)).all()


def opened_alone(file, folder):
    (folder / "alone.jsonl").write_text(json.dumps({"file_name": file.name}))
    return [item.latent_request for item in opened(folder / "alone.jsonl", folder).pictures]


def test_a_tar_is_read_once_and_again_where_it_has_changed(folder, monkeypatch):
    opened(folder / "shards", folder)
    read = []
    members = shards._members
    monkeypatch.setattr(shards, "_members", lambda file: read.append(file.name) or members(file))
    assert facts(opened(folder / "shards", folder)) == EXPECTED
    assert read == []
    write_tar(folder / "shards" / "000001.tar", [("a/004.png", png(4)), ("a/004.txt", b"another")])
    os.utime(folder / "shards" / "000001.tar", ns=(1, 1))
    assert facts(opened(folder / "shards", folder)) == [*EXPECTED[:2], ("004.png", "another", 1)]
    assert read == ["000001.tar"]


def linked(name, to, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info


@pytest.mark.parametrize(
    ("member", "words"),
    [
        (("../../out.png", png(5)), "leads out of the tar"),
        (("/etc/out.png", png(5)), "leads out of the tar"),
        (("c:\\out.png", png(5)), "leads out of the tar"),
        ((linked("out.png", "/etc/passwd"), b""), "links are not followed"),
        ((linked("out.png", "000.png", tarfile.LNKTYPE), b""), "links are not followed"),
        ((linked("out.png", "", tarfile.FIFOTYPE), b""), "not a plain file"),
        (("out.png", b"no picture"), "not a picture"),
        (("out.txt", b"x" * 2_000_000), "1,048,576 are the most"),
        (("out.txt", b"of nothing"), "without a picture"),
    ],
)
def test_a_member_that_cannot_be_used_is_left_out_and_said(folder, member, words):
    path = write_tar(folder / "hostile.tar", [("000.png", png(0)), member, ("001.png", png(1))])
    found = opened(path, folder)
    assert [name for name, *_ in facts(found)] == ["000.png", "001.png"]
    (finding,) = found.findings
    assert words in finding.message


def test_a_header_that_claims_gigabytes_is_refused_before_it_is_read(folder):
    info = tarfile.TarInfo("long")
    info.type, info.size = tarfile.XHDTYPE, 3 << 30
    path = folder / "header.tar"
    path.write_bytes(info.tobuf(tarfile.USTAR_FORMAT) + bytes(2048))
    with pytest.raises(DatasetError, match="a header of too many bytes"):
        opened(path, folder)


def test_a_tar_that_breaks_off_or_is_packed_is_refused(folder):
    whole = (folder / "shards" / "000000.tar").read_bytes()
    (folder / "half.tar").write_bytes(whole[:700])
    with pytest.raises(DatasetError, match="unexpected end of data"):
        opened(folder / "half.tar", folder)
    packed = write_tar(folder / "packed.tar", [("000.png", png(0))], "w:gz")
    with pytest.raises(DatasetError, match="it is compressed"):
        opened(packed, folder)
    with pytest.raises(DatasetError, match=r"000002\.tar does not exist"):
        opened(folder / "shards" / "{000001..000002}.tar", folder)


def test_a_tar_that_is_cut_after_it_was_indexed_says_so(folder):
    found = opened(folder / "shards", folder)
    os.truncate(folder / "shards" / "000001.tar", 600)
    with pytest.raises(DatasetError, match="breaks off"):
        bucket_pixels(found.pictures[3].latent_request)


def test_what_names_shards(folder):
    write_tar(folder / "mixed" / "0.tar", [])
    Image.new("RGB", (8, 8)).save(folder / "mixed" / "0.png")
    assert not is_shards(folder / "mixed")  # a folder of pictures, which says that it does not read the tar
    assert not is_shards(folder / "{0..9}.png")
    (folder / "kohya" / "10_anna").mkdir(parents=True)
    (folder / "kohya" / "backup.tar").touch()
    assert not is_shards(folder / "kohya")  # its pictures are in the folders
    assert [file.name for file in shard_files(folder / "shards" / "{000000..000001}.tar")] == ["000000.tar", "000001.tar"]
