"""Hashes are right, and are made once for a file that stays as it is."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from lorasmith.models.files import hashes
from lorasmith.models.open import describe
from tests.models.toys import toy_folder


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LORASMITH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(bytes(range(256)) * 8192)
    return path


class Counting:
    """Reads as the real one does, and counts how often."""

    def __init__(self):
        self.times = 0

    def __call__(self, path):
        self.times += 1
        return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_hashes_are_those_of_the_bytes(file):
    data = file.read_bytes()
    assert hashes.sha256(file) == hashlib.sha256(data).hexdigest()
    assert hashes.auto_v1(file) == hashlib.sha256(data[0x100000:0x110000]).hexdigest()[:8]


def test_a_file_is_read_once_until_it_changes(file, tmp_path):
    read = Counting()
    first = hashes.sha256(file, read)
    assert (hashes.sha256(file, read), read.times) == (first, 1)
    changed = bytearray(file.read_bytes())
    changed[7] ^= 1
    before = file.stat()
    file.write_bytes(changed)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert hashes.sha256(file, read) == hashlib.sha256(changed).hexdigest()
    assert read.times == 2
    other = shutil.copy2(file, tmp_path / "other")
    os.replace(other, file)  # same path, size and time, another inode
    hashes.sha256(file, read)
    assert read.times == 3


def test_the_store_is_read_again_only_when_somebody_wrote_it(file, cache, monkeypatch):
    first = hashes.sha256(file)
    assert hashes.sha256(file) == first
    with monkeypatch.context() as nothing_is_read:
        nothing_is_read.delattr(Path, "read_text")
        assert [hashes.sha256(file) for _ in range(3)] == [first] * 3
    store = cache / "hashes.json"
    store.write_text(store.read_text(encoding="utf-8").replace(first, "0" * 64), encoding="utf-8")  # as another process would
    assert hashes.sha256(file) == "0" * 64


def test_a_damaged_store_is_made_again(file, cache):
    first = hashes.sha256(file)
    (cache / "hashes.json").write_text("{ no", encoding="utf-8")
    assert hashes.sha256(file) == first
    assert first in (cache / "hashes.json").read_text(encoding="utf-8")


def test_fingerprints_follow_the_bytes_and_not_the_place(tmp_path):
    folder = toy_folder("sd1")
    shutil.copytree(folder, tmp_path / "copy")
    first, copied = hashes.fingerprints(describe(folder)), hashes.fingerprints(describe(tmp_path / "copy"))
    assert first == copied
    assert len(set(first.values())) == len(first) == 3
    weights = tmp_path / "copy" / "vae" / "diffusion_pytorch_model.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(raw)
    other = hashes.fingerprints(describe(tmp_path / "copy"))
    assert {name for name in first if first[name] != other[name]} == {"vae"}
