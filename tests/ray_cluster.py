"""A cluster of Ray on this machine, for tests: each node has processes of its own, and can be killed as a machine dies.

    @pytest.fixture(scope="module")
    def cluster():
        with ray_cluster(nodes=3) as started:
            yield started

    def test_something(cluster):
        with cluster.connected():       # or give `cluster.address` to what connects by itself
            ...
        cluster.kill(cluster.workers[0])
        cluster.add()

Tests that need one are slow (ten seconds to start) and are in tests/jobs/cluster; `make cluster` runs them. Where Ray is not installed
they are skipped. The nodes are on loopback. Wherever it connects, Ray takes 127.0.0.1 for the machine's address in its network, unless it
is told, by the variable that is made for macOS and Windows, that there is no other than loopback.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from lorasmith.cluster import joined

OBJECT_STORE = 80 * 2**20
"""Bytes of shared memory for each node; Ray refuses less than 75 MB."""
LOOPBACK = "127.0.0.1"
SURROUNDINGS = {
    "RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}  # fmt: skip
"""Nothing is sent anywhere, nothing that a process says is left out, and nodes find each other on loopback."""

PATIENCE = 60
"""Seconds that a process may take to end, on a busy machine."""


class RayCluster:
    """A head, on which nothing runs, and `workers`, which do the work; other programs of the machine do not go before them, as Ray has it."""

    def __init__(self, folder: Path):
        from ray.cluster_utils import Cluster

        self._folder = folder
        self._cluster = Cluster(
            initialize_head=True, shutdown_at_exit=True,
            head_node_args={
                "num_cpus": 0, "object_store_memory": OBJECT_STORE, "include_dashboard": False, "node_ip_address": LOOPBACK,
                "_system_config": {"worker_niceness": 0},
            },
        )  # fmt: skip
        self.workers: list[Any] = []

    @property
    def address(self) -> str:
        """HEAD:PORT."""
        return str(self._cluster.address)

    def add(self, cpus: int = 1, **more: Any) -> Any:
        """Add a node; `more` may say `num_gpus`, which Ray believes, and `resources`."""
        node = self._cluster.add_node(num_cpus=cpus, object_store_memory=OBJECT_STORE, node_ip_address=LOOPBACK, **more)
        self.workers.append(node)
        return node

    def kill(self, node: Any) -> None:
        """End a node at once, with all that runs on it, as a power cut would."""
        processes = [psutil.Process(started.process.pid) for kind in node.all_processes.values() for started in kind]
        everything = [*processes, *(child for process in processes for child in process.children(recursive=True))]
        for process in everything:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        until = time.monotonic() + PATIENCE
        while any(map(works, everything)):
            assert time.monotonic() < until, "a killed process goes on"
            time.sleep(0.05)
        self._cluster.remove_node(node, allow_graceful=False)
        self.workers.remove(node)

    @contextlib.contextmanager
    def connected(self) -> Iterator[None]:
        """Within the block this process belongs to the cluster."""
        with joined(self.address):
            yield

    def end(self) -> None:
        """End every process of the cluster."""
        import ray

        ray.shutdown()
        for node in list(self.workers):
            self.kill(node)
        self._cluster.shutdown()
        for process in psutil.process_iter(["cmdline"]):  # what a killed node left: its processes name the cluster's folder
            if any(str(self._folder) in word for word in process.info["cmdline"] or ()):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()


@contextlib.contextmanager
def ray_cluster(nodes: int, cpus: int = 1, **more: Any) -> Iterator[RayCluster]:
    """A cluster with so many workers, of `cpus` each; it is ended with the block."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'lorasmith[scale]'")
    folder = Path(tempfile.mkdtemp(prefix="ray-"))  # short: the name of a socket has 107 letters
    on_sigterm = signal.getsignal(signal.SIGTERM)  # while there are nodes, Ray's own handler ends them
    with pytest.MonkeyPatch.context() as surroundings:
        for name, value in (SURROUNDINGS | {"RAY_TMPDIR": str(folder), "PYTHONPATH": _python_path()}).items():
            surroundings.setenv(name, value)
        surroundings.setattr("ray._private.ray_constants.ENABLE_RAY_CLUSTER", False)  # here it is imported, and has read its variable
        cluster = RayCluster(folder)
        try:
            for _ in range(nodes):
                cluster.add(cpus, **more)
            yield cluster
        finally:
            cluster.end()
            signal.signal(signal.SIGTERM, on_sigterm)
            shutil.rmtree(folder, ignore_errors=True)


def works(process: psutil.Process) -> bool:
    """Whether a process has not ended; one that ended counts as such before anybody asked how."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _python_path() -> str:
    """What workers import from: the folder of the tests, and where this process looks first."""
    return os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]))
