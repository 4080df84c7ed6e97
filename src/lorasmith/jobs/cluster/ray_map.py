"""One function over very many items, on the nodes of a Ray cluster: what a command's own loop does on one machine.

    for result in map_on_ray(partial(make_encoder, settings), requests, "auto"): ...

`make` is called once in each worker, where it loads what it needs, and gives the function of one item. Items and results are small (a
path, a row of measures, whether something was written), never pictures: those are read, and latents written, on storage that all nodes
see under the same path. Results come in any order, as they are ready, so that the caller can keep them and is killed without loss.

Ray Data holds a few blocks of items at a time. Where a node dies, its items are given to another one: the function may be called twice
for an item, and writes whole files under names that say what is in them, or nothing.
"""

from __future__ import annotations

import logging
import os
import pickle
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from lorasmith.errors import InputError, LorasmithError, RunError

if TYPE_CHECKING:
    import pyarrow as pa

Item = TypeVar("Item")
Result = TypeVar("Result")

AT_ONCE = 16
"""Items that a worker is given together."""

WINDOW = 1_000_000
"""Items that Ray is given together; workers begin anew with each window."""

MOST_BLOCKS = 10_000
"""Of a window."""

PATIENCE = 10.0
"""Seconds for the head to answer."""


def map_on_ray(
    make: Callable[[], Callable[[Item], Result]], items: Iterable[Item], address: str, *, on_gpu: bool = False
) -> Iterator[Result]:
    """What the function gives for each item, in any order.

    `address` is that of the cluster's head (`host:6379`), or `auto`: the cluster that this machine is a node of. With `on_gpu`, each
    worker has a GPU for itself where the cluster has some.

    Raises:
        InputError: Ray is not installed, or there is no such cluster. RunError: the function raised an error, with its sentence.
    """
    with _connected(address):
        import ray

        resources = ray.cluster_resources()
        gpus = int(resources.get("GPU", 0)) if on_gpu else 0
        workers = gpus or max(1, int(resources.get("CPU", 1)))
        remaining = iter(items)
        while window := list(islice(remaining, WINDOW)):
            blocks = min(MOST_BLOCKS, -(-len(window) // AT_ONCE))
            rows = ray.data.from_items([{"item": pickle.dumps(item)} for item in window], override_num_blocks=blocks)
            done = rows.map_batches(
                _Worker, fn_constructor_args=(pickle.dumps(make), os.getcwd()), batch_size=AT_ONCE, batch_format="pyarrow",
                compute=ray.data.ActorPoolStrategy(min_size=1, max_size=workers), num_cpus=1, num_gpus=1 if gpus else 0,
            )  # fmt: skip
            for row in done.iter_rows():
                result, problem = pickle.loads(row["result"])
                if problem:
                    raise RunError(problem)
                yield result


class _Worker:
    """Lives as long as the work: what `make` loads is loaded once."""

    def __init__(self, make: bytes, folder: str):
        os.chdir(folder)  # relative paths mean what they mean where the command was given
        self._make: Callable[[], Callable[[object], object]] = pickle.loads(make)
        self._work: Callable[[object], object] | None = None

    def __call__(self, batch: pa.Table) -> pa.Table:
        import pyarrow as pa

        results = [pickle.dumps(self._result(item)) for item in batch["item"].to_pylist()]
        return pa.table({"result": pa.array(results, pa.large_binary())})

    def _result(self, item: bytes) -> tuple[object, str]:
        """What the function gives, or a sentence that says why it gives nothing."""
        try:
            if self._work is None:
                self._work = self._make()
            return self._work(pickle.loads(item)), ""
        except LorasmithError as error:
            return None, str(error)


@contextmanager
def _connected(address: str) -> Iterator[None]:
    """Connected to the cluster; a connection that was there is used, and left."""
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise InputError(
            "Working on a cluster needs an extra: pip install lorasmith[scale]", code="extra.missing", extra="scale"
        ) from error
    if ray.is_initialized():
        yield
        return
    try:
        _check_answers(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING)
    except (OSError, ValueError) as error:
        raise InputError(
            f"No Ray cluster answers at {address}: start one with `ray start --head`, or give the address that it printed.",
            code="cluster.no_answer", address=address,
        ) from error  # fmt: skip
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.WARNING)
        yield
    finally:
        ray.shutdown()


def _check_answers(address: str) -> None:
    """Raises OSError or ValueError where nothing listens at the address: Ray itself would wait for minutes."""
    if address != "auto":
        host, port = address.removeprefix("ray://").rsplit(":", 1)
        socket.create_connection((host, int(port)), PATIENCE).close()
