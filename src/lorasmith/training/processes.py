"""Processes that train one LoRA together, such as one on each GPU.

Each process holds the whole model and works on its share of a step's batches; before the optimizer moves, the gradients of all are
summed, so that every process takes the same step and holds the same weights. Which batches, noise and captions a step sees does not
depend on how many processes share it. A LoRA's gradients are small beside the model, so that one sum a step costs little.

Process 0 is the run: it alone writes files, tells events and hears commands. The others work along until it ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

Item = TypeVar("Item")


@dataclass(frozen=True)
class Together:
    """This process among `count`. With one process nothing is exchanged."""

    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process is the run's own."""
        return self.rank == 0

    def share(self, items: Sequence[Item]) -> list[Item]:
        """Every `count`-th of the items, from `rank` on."""
        return list(items[self.rank :: self.count])

    def sum_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Put the sum over the processes into every parameter's gradient; one that a process has no gradient for counts as zero there."""
        if self.count == 1:
            return
        learned = list(parameters)
        flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten().float() for p in learned])
        torch.distributed.all_reduce(flat)
        for parameter, summed in zip(learned, flat.split([p.numel() for p in learned]), strict=True):
            parameter.grad = summed.view_as(parameter).to(parameter.dtype)

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in some process; every process must ask."""
        if self.count == 1:
            return flag
        found = torch.tensor(float(flag))
        torch.distributed.all_reduce(found, op=torch.distributed.ReduceOp.MAX)
        return bool(found)

    def gather(self, mine: Any) -> list[Any]:
        """What every process has to say, in the order of their ranks; small things only."""
        if self.count == 1:
            return [mine]
        found: list[Any] = [None] * self.count
        torch.distributed.all_gather_object(found, mine)
        return found

    def wait(self) -> None:
        """Until every process has come here."""
        if self.count > 1:
            torch.distributed.barrier()


ALONE = Together()
