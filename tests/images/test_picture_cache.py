"""What was learnt of pictures is kept, never trusted where a file changed or the cache is damaged, and never needed."""

import os
import random
import sqlite3
import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import Image

from lorasmith.images import looks, picture_cache
from lorasmith.images.looks import SIZES, look_at_all
from lorasmith.images.picture_cache import PictureCache


def write_picture(path, seed=0, size=(40, 30)):
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(8):
        write_picture(folder / f"{number}.bmp", number, (40 + number, 30))
    return folder


@pytest.fixture
def decoded(monkeypatch):
    """Names of the pictures that are decoded."""
    names = []
    read = looks.read_picture
    monkeypatch.setattr(looks, "read_picture", lambda path: names.append(path.name) or read(path))
    return names


@pytest.fixture
def hashed(monkeypatch):
    """Names of the pictures whose bytes are read for their content."""
    names = []
    read = looks.content_hash
    monkeypatch.setattr(looks, "content_hash", lambda path: names.append(path.name) or read(path))
    return names


def sizes(folder, cache):
    with PictureCache(cache) as known:
        return {seen.path.name: seen.value for seen in look_at_all(sorted(folder.iterdir()), SIZES, known, 2)}


def test_nothing_is_read_again_while_it_stays_as_it_is(pictures, tmp_path, decoded, hashed):
    first = sizes(pictures, tmp_path / "cache")
    assert len(decoded) == len(hashed) == 8
    assert first == {f"{number}.bmp": (40 + number, 30) for number in range(8)} == sizes(pictures, tmp_path / "cache")
    assert len(decoded) == len(hashed) == 8


def test_a_picture_that_moved_or_was_copied_is_known_by_its_content(pictures, tmp_path, decoded, hashed):
    sizes(pictures, tmp_path / "cache")
    (pictures / "3.bmp").rename(pictures / "moved.bmp")
    (pictures / "copy.bmp").write_bytes((pictures / "4.bmp").read_bytes())
    again = sizes(pictures, tmp_path / "cache")
    assert (again["moved.bmp"], again["copy.bmp"]) == ((43, 30), (44, 30))
    assert len(decoded) == 8
    assert set(hashed[8:]) == {"moved.bmp", "copy.bmp"}


def test_a_picture_of_the_same_size_and_time_is_not_taken_for_the_old_one(pictures, tmp_path, decoded):
    """What is as large as before and says that it is as old was still changed: by its number on the disk, or the time of its entry."""
    sizes(pictures, tmp_path / "cache")
    path = pictures / "0.bmp"
    before = path.stat()
    write_picture(path, 99, (20, 60))  # as many bytes
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert sizes(pictures, tmp_path / "cache")["0.bmp"] == (20, 60)
    assert decoded[8:] == ["0.bmp"]


def test_a_picture_that_changes_while_it_is_read_is_not_kept(pictures, tmp_path, monkeypatch):
    read = looks.content_hash

    def overtaken(path):
        content = read(path)
        write_picture(path, 7, (60, 60))  # after its bytes were read, before it is decoded
        return content

    monkeypatch.setattr(looks, "content_hash", overtaken)
    sizes(pictures, tmp_path / "cache")
    monkeypatch.setattr(looks, "content_hash", read)
    assert set(sizes(pictures, tmp_path / "cache").values()) == {(60, 60)}
    with PictureCache(tmp_path / "cache") as known:
        assert known.get(SIZES.kind, read(pictures / "0.bmp")) == b"60 60"


def test_a_file_whose_clock_is_ahead_is_read_each_time(pictures, tmp_path, hashed, monkeypatch):
    monkeypatch.setattr(picture_cache.time, "time_ns", lambda: (pictures / "0.bmp").stat().st_mtime_ns - 10**10)
    sizes(pictures, tmp_path / "cache")
    sizes(pictures, tmp_path / "cache")
    assert len(hashed) == 16


def test_a_damaged_picture_is_looked_at_again(pictures, tmp_path, decoded):
    (pictures / "0.bmp").write_bytes(b"no picture")
    assert sizes(pictures, tmp_path / "cache")["0.bmp"] is None
    assert sizes(pictures, tmp_path / "cache")["0.bmp"] is None
    assert decoded.count("0.bmp") == 2


def cache_file(tmp_path):
    [file] = (tmp_path / "cache").glob("*.sqlite")
    return file


@pytest.mark.parametrize("change", ["value = x'31203120'", "checksum = checksum + 1", "value = '1 1'", "value = NULL", "checksum = 'a'"])
def test_a_row_that_does_not_fit_its_checksum_is_absent(pictures, tmp_path, decoded, change):
    first = sizes(pictures, tmp_path / "cache")
    db = sqlite3.connect(cache_file(tmp_path))
    with db:
        db.execute(f"UPDATE kept SET {change}")
    db.close()
    assert sizes(pictures, tmp_path / "cache") == first
    assert len(decoded) == 16


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_file_costs_time_and_nothing_else(pictures, tmp_path, seed):
    first = sizes(pictures, tmp_path / "cache")
    file, rng = cache_file(tmp_path), random.Random(seed)
    data = bytearray(file.read_bytes())
    if seed % 3 == 0:
        data = data[: rng.randrange(len(data))]
    else:
        for _ in range(2 ** (seed % 3 * 5)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    file.write_bytes(data)
    for _ in range(2):
        assert sizes(pictures, tmp_path / "cache") == first


def test_a_cache_that_cannot_be_written_is_done_without(pictures, tmp_path, decoded, caplog):
    (tmp_path / "cache").write_text("a file")
    assert len(sizes(pictures, tmp_path / "cache")) == 8
    assert "pictures are read again" in caplog.text
    assert len(decoded) == 8


def test_a_cache_that_another_program_has_locked_is_done_without(pictures, tmp_path, monkeypatch):
    first = sizes(pictures, tmp_path / "cache")
    write_picture(pictures / "new.bmp", 50, (50, 50))
    other = sqlite3.connect(cache_file(tmp_path), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr(picture_cache, "PATIENCE", 0.01)
    assert sizes(pictures, tmp_path / "cache") == {**first, "new.bmp": (50, 50)}
    other.close()
    assert sizes(pictures, tmp_path / "cache") == {**first, "new.bmp": (50, 50)}


PROGRAM = """
import sys
from lorasmith.images.picture_cache import PictureCache
with PictureCache(sys.argv[1]) as known:
    for number in range(300):
        known.put([("number 1", f"{sys.argv[2]} {number}", b"%d" % number)])
        known.save()
"""


def test_two_processes_keep_what_both_saw(tmp_path):
    jobs = [subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path / "cache"), name]) for name in "ab"]
    assert [job.wait() for job in jobs] == [0, 0]
    with PictureCache(tmp_path / "cache") as known:
        assert all(known.get("number 1", f"{name} {number}") == b"%d" % number for name in "ab" for number in range(300))


def test_threads_share_a_cache(tmp_path):
    with PictureCache(tmp_path / "cache") as known:

        def keep(name):
            for number in range(100):
                known.put([("number 1", f"{name} {number}", b"%d" % number)])
                known.save()
                assert known.get("number 1", f"{name} {number}") == b"%d" % number

        threads = [threading.Thread(target=keep, args=(name,)) for name in "abc"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(known.get("number 1", f"{name} {number}") == b"%d" % number for name in "abc" for number in range(100))


def test_a_cache_marks_its_folder_for_backups_but_not_a_folder_that_was_there(tmp_path):
    PictureCache(tmp_path / "new").close()
    assert (tmp_path / "new" / "CACHEDIR.TAG").read_bytes().startswith(b"Signature: 8a477f597d28d172789f06886806bc55")
    (tmp_path / "old").mkdir()
    PictureCache(tmp_path / "old").close()
    assert not (tmp_path / "old" / "CACHEDIR.TAG").exists()


def test_many_rows_are_asked_for_at_once_and_a_damaged_one_is_absent(tmp_path, monkeypatch):
    monkeypatch.setattr(picture_cache, "AT_ONCE", 2)
    with PictureCache(tmp_path / "cache") as cache:
        cache.put([("a 1", str(key), bytes([key])) for key in range(5)])
        cache.save()
        cache.put([("a 1", "5", b"new"), ("b 1", "0", b"of another kind")])
        with sqlite3.connect(cache.path) as db:
            db.execute("UPDATE kept SET value = x'ff' WHERE key = '3'")
        assert cache.get_many("a 1", ["0", "2", "3", "5", "9"]) == {"0": b"\0", "2": b"\2", "5": b"new"}
        assert cache.get_many("a 1", []) == {}
    assert PictureCache(None).get_many("a 1", ["0"]) == {}
