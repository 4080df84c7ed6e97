"""Processes that train one LoRA together, such as one on each GPU.

Each process holds the whole model and works on its share of a step's batches; before the optimizer moves, the gradients of all are
summed, so that every process takes the same step and holds the same weights. Which batches, noise and captions a step sees does not
depend on how many processes share it. A LoRA's gradients are small beside the model, so that one sum a step costs little.

Process 0 is the main process: it alone writes files, emits events and takes commands, and it decides when to stop, because the workers hold
nothing that it does not hold. After each step it tells them, so that all end at the same one. `workers` starts them; where it ends in
between, they end with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from lorasmith.errors import RunError
from lorasmith.training.distributed.lost import LOST

Item = TypeVar("Item")


def _unknown() -> str:
    return "Another process of the run has ended."


@dataclass(frozen=True)
class ProcessGroup:
    """This process among `count`. With one process nothing is exchanged.

    Whatever exchanges raises RunError (`run.worker_ended`) where another process has ended; `why` says in a sentence which one.
    """

    rank: int = 0
    count: int = 1
    why: Callable[[], str] = _unknown
    restarts: bool = False
    """Whether the run goes on by itself with other processes where one has ended."""

    @property
    def is_main(self) -> bool:
        """Whether this is the main process."""
        return self.rank == 0

    def shard(self, items: Sequence[Item]) -> list[Item]:
        """Every `count`-th of the items, from `rank` on."""
        return list(items[self.rank :: self.count])

    def sum_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Replace every parameter's gradient by the sum over all processes.

        Where one has none it counts as zero; a parameter that has none in any process stays without, as it would in a single process.
        """
        if self.count == 1:
            return
        trained = list(parameters)
        has = torch.tensor([float(p.grad is not None) for p in trained], device=trained[0].device)
        flat = torch.cat([has, *((torch.zeros_like(p) if p.grad is None else p.grad).flatten().float() for p in trained)])
        with self._exchange():
            torch.distributed.all_reduce(flat)
        found, *sums = flat.split([len(trained), *(p.numel() for p in trained)])
        for parameter, summed, somewhere in zip(trained, sums, found.tolist(), strict=True):
            parameter.grad = summed.view_as(parameter).to(parameter.dtype) if somewhere else None

    def gather(self, mine: Any) -> list[Any]:
        """`mine` of every process, in the order of their ranks; small objects only."""
        if self.count == 1:
            return [mine]
        found: list[Any] = [None] * self.count
        with self._exchange():
            torch.distributed.all_gather_object(found, mine)
        return found

    def from_main(self, flag: bool) -> bool:
        """The flag of the main process, in every process."""
        if self.count == 1:
            return flag
        told = torch.tensor([flag])  # on the CPU, which gloo carries
        with self._exchange():
            torch.distributed.broadcast(told, src=0)
        return bool(told.item())

    def barrier(self) -> None:
        """Wait until every process has come here."""
        self.gather(None)

    @contextmanager
    def _exchange(self) -> Iterator[None]:
        """Within the block a lost connection is a RunError."""
        try:
            yield
        except RuntimeError as error:
            raise RunError(self.why(), code=LOST) from error


SINGLE_PROCESS = ProcessGroup()
