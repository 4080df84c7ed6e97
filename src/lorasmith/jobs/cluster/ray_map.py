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
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from lorasmith.cluster import imported, joined
from lorasmith.errors import LorasmithError, RunError

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


def map_on_ray(
    make: Callable[[], Callable[[Item], Result]], items: Iterable[Item], address: str, *, on_gpu: bool = False
) -> Iterator[Result]:
    """What the function gives for each item, in any order.

    `address` is as `joined` has it. With `on_gpu`, each worker has a GPU for itself where the cluster has some.

    Raises:
        InputError: Ray is not installed, or there is no such cluster. RunError: the function raised an error, with its sentence.
    """
    with joined(address) as ray:
        data = imported("ray.data")
        data.DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.WARNING)
        resources = ray.cluster_resources()
        gpus = int(resources.get("GPU", 0)) if on_gpu else 0
        workers = gpus or max(1, int(resources.get("CPU", 1)))
        remaining = iter(items)
        while window := list(islice(remaining, WINDOW)):
            blocks = min(MOST_BLOCKS, -(-len(window) // AT_ONCE))
            rows = data.from_items([{"item": pickle.dumps(item)} for item in window], override_num_blocks=blocks)
            done = rows.map_batches(
                _Worker, fn_constructor_args=(pickle.dumps(make), os.getcwd()), batch_size=AT_ONCE, batch_format="pyarrow",
                compute=data.ActorPoolStrategy(min_size=1, max_size=workers), num_cpus=1, num_gpus=1 if gpus else 0,
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
