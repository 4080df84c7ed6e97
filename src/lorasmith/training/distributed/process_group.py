"""Processes that train one LoRA together, such as one on each GPU.

Each process holds the whole model and works on its share of a step's batches; before the optimizer moves, the gradients of all are
summed, so that every process takes the same step and holds the same weights. Which batches, noise and captions a step sees does not
depend on how many processes share it. A LoRA's gradients are small beside the model, so that one sum a step costs little.

Process 0 is the run: it alone writes files, tells events and hears commands, and it decides alone when to stop, because the others hold
nothing that it does not hold. They work along until it ends; `workers` starts them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from lorasmith.errors import RunError

Item = TypeVar("Item")


def _unknown() -> str:
    return "another process of the run has ended"


@dataclass(frozen=True)
class ProcessGroup:
    """This process among `count`. With one process nothing is exchanged.

    What exchanges raises RunError where another process has ended; `why` says in words which one.
    """

    rank: int = 0
    count: int = 1
    why: Callable[[], str] = _unknown

    @property
    def is_main(self) -> bool:
        """Whether this process is the run's own."""
        return self.rank == 0

    def shard(self, items: Sequence[Item]) -> list[Item]:
        """Every `count`-th of the items, from `rank` on."""
        return list(items[self.rank :: self.count])

    def sum_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Put the sum over the processes into every parameter's gradient.

        Where one has none it counts as zero; a parameter that has none in any process stays without, as it would in a process alone.
        """
        if self.count == 1:
            return
        learned = list(parameters)
        has = torch.tensor([float(p.grad is not None) for p in learned], device=learned[0].device)
        flat = torch.cat([has, *((torch.zeros_like(p) if p.grad is None else p.grad).flatten().float() for p in learned)])
        with self._exchange():
            torch.distributed.all_reduce(flat)
        found, *sums = flat.split([len(learned), *(p.numel() for p in learned)])
        for parameter, summed, somewhere in zip(learned, sums, found.tolist(), strict=True):
            parameter.grad = summed.view_as(parameter).to(parameter.dtype) if somewhere else None

    def gather(self, mine: Any) -> list[Any]:
        """What every process has to say, in the order of their ranks; small things only."""
        if self.count == 1:
            return [mine]
        found: list[Any] = [None] * self.count
        with self._exchange():
            torch.distributed.all_gather_object(found, mine)
        return found

    def barrier(self) -> None:
        """Until every process has come here."""
        self.gather(None)

    @contextmanager
    def _exchange(self) -> Iterator[None]:
        """What torch says of a lost connection, said in words."""
        try:
            yield
        except RuntimeError as error:
            raise RunError(self.why()) from error


SINGLE_PROCESS = ProcessGroup()
