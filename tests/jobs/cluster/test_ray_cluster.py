"""The cluster that other tests stand on: work goes on where a node dies, and nothing is left when it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from tests.ray_cluster import ray_cluster, works

PATIENCE = 120
"""Seconds."""


@pytest.mark.slow
def test_work_goes_on_where_a_node_dies_and_nothing_is_left_at_the_end(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    with ray_cluster(nodes=2) as cluster:
        on_sigterm = signal.getsignal(signal.SIGTERM)
        with cluster.connected():
            import ray

            assert signal.getsignal(signal.SIGTERM) == on_sigterm

            @ray.remote(num_cpus=1, max_retries=3)
            def work():
                with (tmp_path / "begun").open("a") as file:
                    file.write(f"{os.getpid()} {ray.get_runtime_context().get_node_id()}\n")
                until = time.monotonic() + PATIENCE
                while not (tmp_path / "end").exists() and time.monotonic() < until:
                    time.sleep(0.05)
                return os.getpid()

            result = work.remote()
            (first, node) = begun(tmp_path, 1)[0]
            cluster.kill(next(worker for worker in cluster.workers if worker.node_id == node))
            assert not (psutil.pid_exists(int(first)) and works(psutil.Process(int(first))))
            (second, other) = begun(tmp_path, 2)[1]
            assert other != node
            (tmp_path / "end").touch()
            assert ray.get(result, timeout=PATIENCE) == int(second)
            nodes = [psutil.Process(int(second)), *psutil.Process().children(recursive=True)]
    assert signal.getsignal(signal.SIGTERM) == before
    assert [process for process in nodes if works(process)] == []


def begun(folder, count):
    """The processes that have begun, and their nodes, once there are so many."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        lines = (folder / "begun").read_text().splitlines() if (folder / "begun").exists() else []
        if len(lines) >= count:
            return [line.split() for line in lines]
        time.sleep(0.05)
    raise AssertionError(f"{lines} are not {count}")


TERMINATED = """
import os, signal, sys, time
from lorasmith.cluster import joined
said = []
signal.signal(signal.SIGTERM, lambda number, frame: said.append(number))
with joined(sys.argv[1]):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(4)
sys.exit(0 if said else "not told")
"""
"""Saves for longer than the three seconds after which Ray's own handler ends a program."""


@pytest.mark.slow
def test_a_program_that_belongs_to_a_cluster_has_the_time_it_needs_after_sigterm():
    with ray_cluster(nodes=1) as cluster:
        ended = subprocess.run([sys.executable, "-c", TERMINATED, cluster.address], capture_output=True, text=True, timeout=PATIENCE)
    assert (ended.returncode, ended.stderr) == (0, "")
