"""The worker processes of a run that trains in several: how they start, join, and end.

The main process, which the user started, starts the workers as `python -m MODULE RUN_FOLDER DEVICE`. They meet on a free port of this
machine that nothing outside can reach, and accelerate gives each its device: `gloo` carries what they exchange on CPUs, `nccl` the
gradients on GPUs.

No worker outlives the run. Each holds the reading end of a pipe to the main process and ends when that closes, for whatever reason: the
end of the run, an error, or a SIGKILL.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING

from lorasmith.command_line import quoted
from lorasmith.errors import RunError, SettingsError
from lorasmith.models.device import DEVICES
from lorasmith.processes import APART
from lorasmith.training.distributed.lost import LOST

if TYPE_CHECKING:
    from torch.distributed import TCPStore

    from lorasmith.training.distributed.process_group import ProcessGroup

LOOPBACK = "127.0.0.1"
PATIENCE = timedelta(days=1)
"""How long a process waits for the others: the main one may generate samples for hours. One that has ended is noticed at once."""
END_WITHIN = 10.0
"""Seconds in which a process that broke the connection has ended."""


@dataclass(frozen=True)
class Member:
    """Which of `count` processes this one is, which of those on its machine, and through which of its addresses they reach each other."""

    rank: int
    count: int
    local_rank: int
    local_count: int
    host: str
    """The address at which process 0 is found."""
    address: str
    """Of this machine."""

    @classmethod
    def here(cls, rank: int, count: int) -> Member:
        """One of processes that are all on this machine, and that nothing outside can reach."""
        return cls(rank, count, rank, count, LOOPBACK, LOOPBACK)


# -- in the main process ----------------------------------------------------------------------------------------------


@contextmanager
def several_processes(count: int, module: str, folder: Path, device: str) -> Iterator[ProcessGroup]:
    """Within the block this process is the first of `count` that work on the run in `folder`; the others end with the block.

    `module` is what the workers run. Raises SettingsError where this machine cannot, RunError where a worker ends before all have met.
    """
    from lorasmith.training.distributed.process_group import SINGLE_PROCESS

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise SettingsError(
            "Lorasmith starts its worker processes itself, but a launcher has started several of this one. "
            "Start it once, without accelerate launch or torchrun, and set training.num_processes.",
            code="run.launcher",
        )
    if count == 1:
        yield SINGLE_PROCESS
        return
    check_gpus(count, device)
    _check_alone()
    with ExitStack() as stack:
        store = meeting_point(count)
        threads = stack.enter_context(_divided_threads(count))
        workers = Workers(module, folder, count, device)
        stack.callback(workers.end)
        for rank in range(1, count):
            workers.start(rank, _environment(Member.here(rank, count), store.port, threads))
        workers.wait_for_all(store)
        yield stack.enter_context(joined(store, Member.here(0, count), device, threads, workers.why))


class Workers:
    """The workers that were started, and what became of them."""

    def __init__(self, module: str, folder: Path, count: int, device: str):
        self.module, self.folder, self.count, self.device = module, folder, count, device
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self._stderr: dict[int, IO[bytes]] = {}

    def __repr__(self) -> str:
        return f"Workers({len(self.processes)} of {self.folder} on {self.device})"

    def start(self, rank: int, environment: Mapping[str, str]) -> None:
        """Start one; it ignores Ctrl-C, since the main process decides what that means."""
        self._stderr[rank] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `end`
        self.processes[rank] = subprocess.Popen(
            [sys.executable, "-P", "-m", self.module, str(self.folder), self.device],
            env={**os.environ, **environment}, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._stderr[rank],
            **APART,
        )  # fmt: skip

    def wait_for_all(self, store: TCPStore) -> None:
        """Until every process has come to the meeting point; raises RunError where one ends before."""
        while not store.check([_here(rank) for rank in self.processes]):
            if any(process.poll() is not None for process in self.processes.values()):
                raise RunError(self.why(), code=LOST)
            time.sleep(0.02)

    def why(self) -> str:
        """A sentence on why the processes lost each other."""
        advice = f"Fix that and continue with: lorasmith resume {quoted(self.folder)}"
        until = time.monotonic() + END_WITHIN
        while time.monotonic() < until:
            for rank, process in self.processes.items():
                if process.poll() is not None:
                    return f"Process {rank + 1} of {self.count} has ended ({self._last_words(rank, process.returncode)}). {advice}"
            time.sleep(0.02)
        return f"The {self.count} processes of the run lost each other, though all are alive. {advice}"

    def _last_words(self, rank: int, code: int) -> str:
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        self._stderr[rank].seek(0)
        lines = self._stderr[rank].read().decode(errors="replace").strip().splitlines()
        return lines[-1].removesuffix(".") if lines else f"exit code {code}"

    def end(self) -> None:
        """Close the pipes, which ends them, and make sure of it."""
        for process in self.processes.values():
            assert process.stdin is not None
            process.stdin.close()
        for process in self.processes.values():
            try:
                process.wait(END_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for stderr in self._stderr.values():
            stderr.close()


def check_gpus(count: int, device: str) -> None:
    """Raises SettingsError where there is no GPU for each of `count` processes; on a CPU they share it."""
    gpus = DEVICES[device].count()
    if device != "cpu" and gpus < count:
        raise SettingsError(
            f"training.num_processes is {count}, but torch sees {gpus} GPUs, and each process takes one. "
            f"Lower it, or raise training.gradient_accumulation_steps instead.",
            code="run.too_few_gpus", processes=count, gpus=gpus,
        )  # fmt: skip


def _check_alone() -> None:
    """Raises SettingsError where this program trains in several processes already."""
    import torch

    if torch.distributed.is_initialized():
        raise SettingsError(
            "Another training in several processes is under way in this program. Wait until it ends.", code="run.already_distributed"
        )


def meeting_point(count: int, host: str = LOOPBACK) -> TCPStore:
    """Where the processes find each other: a store on a port of `host` that the system chose."""
    from torch.distributed import TCPStore

    listener = socket.create_server((host, 0))
    port = listener.getsockname()[1]
    return TCPStore(host, port, count, is_master=True, timeout=PATIENCE, wait_for_workers=False, master_listen_fd=listener.detach())


@contextmanager
def _divided_threads(count: int) -> Iterator[int]:
    """Threads for each of `count` processes, so that together they have as many as this one; OMP_NUM_THREADS, where it is set, decides."""
    import torch

    before = torch.get_num_threads()
    each = before if "OMP_NUM_THREADS" in os.environ else max(1, before // count)
    torch.set_num_threads(each)
    try:
        yield each
    finally:
        torch.set_num_threads(before)


# -- in every process -------------------------------------------------------------------------------------------------


@contextmanager
def joined(
    store: TCPStore, member: Member, device: str, threads: int, why: Callable[[], str] | None = None, restarts: bool = False
) -> Iterator[ProcessGroup]:
    """Within the block this process can exchange with the others, and its default GPU is its own."""
    import torch
    from accelerate import PartialState

    from lorasmith.training.distributed.process_group import ProcessGroup

    cpu, rank, count = device == "cpu", member.rank, member.count
    with _set_environment(_environment(member, store.port, threads)):
        PartialState._reset_state()
        # gloo beside the GPUs' own: it carries what the CPUs exchange, and a process that has ended breaks it at once
        backend = {} if cpu else {"backend": f"cpu:gloo,{device}:{DEVICES[device].backend}"}
        PartialState(cpu=cpu, store=store, rank=rank, world_size=count, timeout=PATIENCE, **backend)
    torch.set_num_threads(threads)
    try:
        yield ProcessGroup(rank, count, why, restarts) if why else ProcessGroup(rank, count, restarts=restarts)
    finally:
        PartialState().destroy_process_group()
        PartialState._reset_state()


def _environment(member: Member, port: int, threads: int) -> dict[str, str]:
    """The environment in which accelerate and torch find out which process among how many this is."""
    interface = _interface_of(member.address)
    return {
        "RANK": str(member.rank), "LOCAL_RANK": str(member.local_rank), "WORLD_SIZE": str(member.count),
        "LOCAL_WORLD_SIZE": str(member.local_count), "MASTER_ADDR": member.host, "MASTER_PORT": str(port), "OMP_NUM_THREADS": str(threads),
        **({"GLOO_SOCKET_IFNAME": interface} if interface else {}),
    }  # fmt: skip


def _interface_of(address: str) -> str:
    """The name of the network interface with this address, which gloo asks for; else it takes what the machine's name means."""
    import psutil

    if os.name != "posix":
        return ""
    addresses = {one.address: name for name, each in psutil.net_if_addrs().items() for one in each}
    return addresses.get(address, "")


@contextmanager
def _set_environment(values: Mapping[str, str]) -> Iterator[None]:
    """Within the block the environment holds `values`, too."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        for name in values:
            os.environ.pop(name, None)
        os.environ.update({name: value for name, value in before.items() if name in values})


def _here(rank: int) -> str:
    """The key by which a process says that it has come."""
    return f"here/{rank}"


# -- in the workers ---------------------------------------------------------------------------------------------------


@contextmanager
def joined_run(device: str) -> Iterator[ProcessGroup]:
    """Within the block this process is the worker that its environment describes, and can exchange with the others."""
    from torch.distributed import TCPStore

    rank, count, threads = (int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "OMP_NUM_THREADS"))
    store = TCPStore(LOOPBACK, int(os.environ["MASTER_PORT"]), count, is_master=False, timeout=PATIENCE)
    store.set(_here(rank), "")
    with joined(store, Member.here(rank, count), device, threads) as process_group:
        yield process_group


def end_with_the_main_process() -> None:
    """From now on this process ends at once when the pipe that the main process holds is closed."""
    threading.Thread(target=_wait_for_the_end, daemon=True).start()


def _wait_for_the_end() -> None:
    os.read(0, 1)
    os._exit(0)
