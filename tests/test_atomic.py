"""Files that appear whole or not at all, also where several threads write the same one."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from lorasmith.atomic import write_atomically

THREADS, TIMES = 8, 25


def test_threads_that_write_the_same_file_at_once_all_succeed_and_leave_one_of_theirs(tmp_path):
    together = threading.Barrier(THREADS)

    def write(letter: int) -> None:
        together.wait()
        for _ in range(TIMES):
            write_atomically(tmp_path / "mark", bytes([letter]) * 1000)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(write, range(THREADS)))
    assert [file.name for file in tmp_path.iterdir()] == ["mark"]
    assert len(set((tmp_path / "mark").read_bytes())) == 1
