"""A full disk, a workspace that cannot be written to: a sentence, and nothing is lost."""

import os
import resource
import signal
import subprocess
import sys
import time

import pytest

from lorasmith.errors import InputError
from lorasmith.jobs.queue import Queue
from lorasmith.jobs.supervisor import supervise
from tests.jobs import made_up
from tests.jobs.made_up import KINDS, WORKER, counted

ROOM = 80_000
"""Bytes that a file may have on a disk that is nearly full."""


def add(queue, jobs):
    for number in range(jobs):
        queue.add("count", {"file": f"{number}.txt", "to": 20}, KINDS["count"].needs)


def test_on_a_full_disk_jobs_wait_and_go_on_when_there_is_room(tmp_path):
    with Queue(tmp_path) as queue:
        add(queue, 4)

        def nearly_full():
            resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, ROOM))

        supervisor = subprocess.Popen(
            [sys.executable, made_up.__file__, "supervise", str(tmp_path)],
            stderr=subprocess.PIPE, text=True, preexec_fn=nearly_full,
        )  # fmt: skip
        said = next(line for line in supervisor.stderr if "make room on the disk" in line)
        assert str(queue.workspace.database) in said
        assert "Nothing is lost." in said
        assert supervisor.poll() is None
        os.kill(supervisor.pid, signal.SIGKILL)
        supervisor.wait()
        supervisor.stderr.close()
        for job in queue.jobs(["running"]):  # they too cannot write how they ended
            while job.worker and os.path.exists(f"/proc/{job.worker}"):
                time.sleep(0.05)
        supervise(tmp_path, WORKER, idle=0.5)
        assert {(job.state, job.sentence) for job in queue.jobs()} == {("done", "")}
    assert [(tmp_path / f"{number}.txt").read_bytes() for number in range(4)] == [counted(20)] * 4


@pytest.mark.skipif(not os.path.isdir("/sys/kernel"), reason="no folder here that even the administrator cannot write to")
def test_a_read_only_workspace_gets_a_sentence():
    with pytest.raises(InputError, match=r"^The queue /sys/kernel/\.lorasmith/jobs\.db cannot be made .* --workspace\.$"):
        Queue("/sys/kernel")
