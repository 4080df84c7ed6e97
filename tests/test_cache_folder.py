"""A cache's folder is made and marked once, however many threads want it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lorasmith import cache_folder


def test_of_several_threads_that_want_a_new_folder_one_marks_it(tmp_path, monkeypatch):
    """They would take each other's half-written mark away."""
    make, together, written = Path.mkdir, threading.Barrier(4, timeout=30), []

    def all_at_once(self, *arguments, **options):
        together.wait()
        make(self, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", all_at_once)
    monkeypatch.setattr(cache_folder, "write_atomically", lambda path, data: written.append(path))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(cache_folder.make_cache_folder, [tmp_path / "cache"] * 4))
    assert written == [tmp_path / "cache" / cache_folder.TAG]


def test_a_folder_that_is_there_is_not_marked_and_a_file_is_refused(tmp_path):
    cache_folder.make_cache_folder(tmp_path)
    assert not (tmp_path / cache_folder.TAG).exists()
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        cache_folder.make_cache_folder(tmp_path / "file")
