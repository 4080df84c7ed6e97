"""The processes of a run on the nodes of a Ray cluster: Ray Train places them, notices where one has ended, and begins anew with those that
are left or have come back.

    with cluster.joined("auto"):
        on_gpus = Cluster.here().check_room("auto")
        mailbox = open_mailbox()
        training = Training(trainer(work, order, on_gpus, count, storage, mailbox))
        training.fit()                                  # `work(order)` runs in every process; in another thread ...
        ray.get(mailbox.take.remote())                  # ... what they have sent
        training.end(30)

What a process sends to the driver, which started it all, goes through a mailbox, an actor beside that. Within `work` the processes
join as those on one machine do (`joined_nodes`): Ray Train's own process group would choose its network interface by the machine's name,
and could not carry what CPUs exchange beside nccl.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import ray.train
from ray.train.backend import Backend
from ray.train.collective import broadcast_from_rank_zero
from ray.train.torch import TorchConfig, TorchTrainer
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from lorasmith.errors import SettingsError
from lorasmith.models.device import DEVICES
from lorasmith.training.distributed.mailbox import Mailbox, why_ended
from lorasmith.training.distributed.process_group import SINGLE_PROCESS, ProcessGroup
from lorasmith.training.distributed.workers import PATIENCE, Member, joined, meeting_point

TRAIN: Any = ray.train
"""Its types are said to be those of its first version."""
ROOM_WITHIN = ("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", "15")
"""Seconds that Ray Train waits for room that it has counted. Right after a node has died it still counts that one, and would wait for 60."""
LOOK_AGAIN = 60.0
"""Seconds after which Ray Train looks whether there is room for more processes."""
INTERRUPT_AGAIN = 30.0
"""Seconds after which Ray Train is interrupted again. The third one ends it in whatever state; until processes are started, it hears none."""


# -- in the driver ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cluster:
    """The Ray cluster that this process belongs to."""

    address: str

    @classmethod
    def here(cls) -> Cluster:
        return cls(ray.get_runtime_context().gcs_address)

    def check_room(self, device: str) -> bool:
        """Whether processes take a GPU each, by the setting `device`; raises SettingsError where no node has what one process needs."""
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        has_gpus = any(node.get("GPU", 0) >= 1 for node in nodes)
        on_gpus = has_gpus if device == "auto" else device != "cpu"
        if not (has_gpus if on_gpus else any(node.get("CPU", 0) >= 1 for node in nodes)):
            needed = "GPU" if on_gpus else "CPU"
            raise SettingsError(
                f"No node of the Ray cluster {self.address} has a {needed}, and each process of the run takes one. Add such a node (ray "
                f"start --address={self.address} --num-{needed.lower()}s=1), or choose another training.device.",
                code="run.too_few_resources", address=self.address, needed=needed,
            )  # fmt: skip
        return on_gpus


def _last_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[-1]


def open_mailbox() -> Any:
    """The handle of a new mailbox on this machine, to be called as `ray.get(mailbox.take.remote())`."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(num_cpus=0)(Mailbox).options(scheduling_strategy=here).remote()


class Failures(ray.train.UserCallback):
    """Tells the mailbox, from Ray Train's controller, that processes have ended, also where they could not say so themselves."""

    def __init__(self, mailbox: Any):
        self._mailbox = mailbox

    def after_exception(self, run_context: Any, worker_exceptions: dict[int, Exception]) -> None:
        """Called by Ray Train with what the processes raised."""
        self._mailbox.failed.remote(why_ended(worker_exceptions))


class _OwnGroup(Backend):
    """Ray Train sets up no process group, since the processes do; each sees all GPUs of its node that the run has."""

    share_cuda_visible_devices = True


class _OwnGroupConfig(TorchConfig):
    @property
    def backend_cls(self) -> type[Backend]:
        return _OwnGroup


class Training:
    """Ray Train at work."""

    def __init__(self, trainer: TorchTrainer):
        self._trainer = trainer
        self._error: BaseException | None = None
        self._over = threading.Event()

    def fit(self) -> None:
        """Let it work until it has ended, for whatever reason. In the main thread, where it can be interrupted."""
        try:
            self._trainer.fit()
        except BaseException as error:  # among them what the interruption of `end` raises
            self._error = error
        while not self._over.is_set():
            with suppress(KeyboardInterrupt, SystemExit):  # of an interruption that came too late
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                self._over.set()

    @property
    def run_id(self) -> str:
        """How Ray Train calls the run."""
        trainer: Any = self._trainer  # whose type is said to be that of its first version
        return str(trainer.train_run_context.run_id)

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._over.is_set()

    def end(self, within: float) -> None:
        """From another thread: wait up to this many seconds for it to end by itself; then make it end the processes, and wait until it has."""
        while not self._over.wait(within):
            signal.raise_signal(signal.SIGINT)  # at which Ray Train ends what it started, and gives its place in the cluster back
            within = INTERRUPT_AGAIN

    def why(self) -> str:
        """In a line, why it gave up."""
        return _last_line(self._error) if self._error is not None else "Ray Train has ended"


def trainer(
    work: Callable[[dict[str, Any]], None], order: dict[str, Any], on_gpus: bool, count: int, storage: Path, mailbox: Any
) -> TorchTrainer:
    """What starts `work(order)` in up to `count` processes, each on a GPU or CPU of its own, and again wherever one of them ends.

    Ray Train keeps a mark of its own in the folder `storage`, which every node sees.
    """
    os.environ.setdefault(*ROOM_WITHIN)
    return TorchTrainer(
        work,
        train_loop_config=order,
        torch_config=_OwnGroupConfig(),
        scaling_config=TRAIN.ScalingConfig(
            num_workers=(1, count), use_gpu=on_gpus, placement_strategy="PACK" if on_gpus else "SPREAD",
            elastic_resize_monitor_interval_s=LOOK_AGAIN,
        ),
        run_config=TRAIN.RunConfig(
            name=storage.name, storage_path=str(storage.parent.absolute()), callbacks=[Failures(mailbox)],
            failure_config=TRAIN.FailureConfig(max_failures=-1),
            worker_runtime_env={} if on_gpus else {"env_vars": {"CUDA_VISIBLE_DEVICES": ""}},
        ),
    )  # fmt: skip


# -- in the processes -------------------------------------------------------------------------------------------------


@contextmanager
def joined_nodes(device: str, threads: int | None) -> Iterator[ProcessGroup]:
    """Within the block this process, which Ray Train started, can exchange with the others.

    It has `threads`, or its share of the node's CPUs.
    """
    import torch

    context = ray.train.get_context()
    rank, count, local_count = context.get_world_rank(), context.get_world_size(), context.get_local_world_size()
    threads = threads or max(1, _cpus() // local_count)
    torch.set_num_threads(threads)
    if count == 1:
        yield SINGLE_PROCESS
        return
    address = ray.util.get_node_ip_address()
    store = meeting_point(count, address) if rank == 0 else None
    host, port = broadcast_from_rank_zero((address, store.port) if store is not None else None)
    if store is None:
        store = torch.distributed.TCPStore(host, port, count, is_master=False, timeout=PATIENCE)
    member = Member(rank, count, context.get_local_rank(), local_count, host, address)
    with joined(store, member, device, threads, restarts=True) as process_group:
        yield process_group


def _cpus() -> int:
    """How many CPUs Ray has on this node."""
    here = ray.get_runtime_context().get_node_id()
    return next(int(node["Resources"].get("CPU", 1)) for node in ray.nodes() if node["NodeID"] == here)


def check_device(device: str, on_gpu: bool) -> None:
    """Raises SettingsError where this process got a GPU, and torch here cannot use it."""
    if on_gpu and not DEVICES[device].backend:
        raise SettingsError(
            f"The node {ray.util.get_node_ip_address()} gave a GPU to a process of the run, but torch there sees none ({device!r} was chosen). "
            "Install torch's build for its GPU there, or set training.device to cpu.",
            code="settings.no_gpu", device=device,
        )  # fmt: skip


def check_shares(mark: Path, folder: Path) -> None:
    """Raises SettingsError where this node does not see the run's folder, in which the program that started it has put `mark`."""
    if not mark.is_dir():
        raise SettingsError(
            f"The node {ray.util.get_node_ip_address()} does not see the run's folder {folder}. Put the run, its pictures, base and cache on "
            "storage that every node has under the same path.",
            code="run.not_shared", path=str(folder),
        )  # fmt: skip
