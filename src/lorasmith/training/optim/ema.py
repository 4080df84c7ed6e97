"""An exponential moving average (EMA) of the trained weights: a second LoRA, calmer than the last step's.

After each step  average += (1 - d) * (weights - average)  with the decay d. Early on d is (1 + n) / (10 + n) after n steps
if that is less, so that the start, which is nothing yet, is soon forgotten. A decay of 0.99 looks back over about 100 steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch


class EMA:
    """The average of named parameters, in float32; the parameters themselves are only read, except within `in_place`."""

    def __init__(self, parameters: Mapping[str, torch.nn.Parameter], decay: float):
        self.decay = decay
        self._parameters = dict(parameters)
        self.values = {name: p.detach().float().clone() for name, p in self._parameters.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after step `step` (from 0)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        now = [parameter.detach().float() for parameter in self._parameters.values()]
        torch._foreach_lerp_(list(self.values.values()), now, 1 - decay)

    def load(self, values: Mapping[str, torch.Tensor]) -> None:
        """Go on from saved values."""
        for name, value in self.values.items():
            value.copy_(values[name])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within the block the parameters hold the average; afterwards, bit for bit, what they held before."""
        with torch.no_grad():
            before = {name: p.detach().clone() for name, p in self._parameters.items()}
            for name, parameter in self._parameters.items():
                parameter.copy_(self.values[name])
        try:
            yield
        finally:
            with torch.no_grad():
                for name, parameter in self._parameters.items():
                    parameter.copy_(before[name])
