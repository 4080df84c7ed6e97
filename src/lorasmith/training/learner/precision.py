"""Dtypes while training: what keeps small gradients and small steps from being rounded to nothing.

The frozen base is held and computed in fp32, bf16 or fp16 as a whole; there is no autocast (docs/decisions/0019). The trained
weights are fp32, or bf16. Two things can get lost:

fp16's smallest number is 6e-8, and gradients are often smaller. The loss is multiplied by a large scale before the gradient is taken, and
the gradients of the trained weights, fp32 by then, are divided by it (Micikevicius et al. 2018, https://arxiv.org/abs/1710.03740,
section 3.2). Where the scale was too large for fp16's largest number, 65504, some gradient is not finite: the step is skipped and the
scale halved. After 2000 steps without that it is doubled. The scale is a power of two, so that it changes no digit.

bf16 has 8 binary digits: a step under 1/512 of a weight would be rounded away, every time. Rounded stochastically (Gupta et al.
2015, https://arxiv.org/abs/1502.02551) the weight goes up or down with a probability that makes the mean right, so that small steps
take effect on average. The optimizer works in fp32 for the time of its step; between steps weights and gradients take half the memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lorasmith.draws import generator_for
from lorasmith.models.transfer import to_device

GROWTH_INTERVAL = 2000  # steps without an overflow after which the scale is doubled
LARGEST_SCALE = 2.0**24


@dataclass
class LossScale:
    """What the loss is multiplied by before the gradient is taken. Its fields are everything that a run has to save of it."""

    scale: float = 2.0**16
    clean_steps: int = 0
    """Steps since the last overflow or growth."""

    def scaled(self, loss: Tensor) -> Tensor:
        """The loss to call `backward` on."""
        return loss * self.scale

    @torch.no_grad()
    def unscale(self, parameters: Iterable[nn.Parameter]) -> None:
        """Divide the gradients by the scale; once a step, before they are clipped."""
        torch._foreach_mul_([parameter.grad for parameter in parameters if parameter.grad is not None], 1 / self.scale)

    def after_step(self, finite: bool) -> bool:
        """Adapt to a step whose gradients were all finite, or were not; returns whether it may have failed because of too large a scale.

        False means that nothing was wrong, or that the scale is 1 already, so that the gradients are not finite for another reason.
        """
        if finite:
            self.clean_steps += 1
            if self.clean_steps >= GROWTH_INTERVAL:
                self.scale, self.clean_steps = min(2 * self.scale, LARGEST_SCALE), 0
            return False
        self.clean_steps = 0
        if self.scale <= 1:
            return False
        self.scale /= 2
        return True

    def state(self) -> dict[str, float]:
        """For the saved state of a run; `LossScale.from_state` continues from it."""
        return {"scale": self.scale, "clean_steps": self.clean_steps}

    @classmethod
    def from_state(cls, state: Mapping[str, float]) -> LossScale:
        """The scale of a saved state."""
        return cls(float(state["scale"]), int(state["clean_steps"]))


def round_stochastically(x: Tensor, generator: torch.Generator) -> Tensor:
    """float32 to bf16, up or down at random so that the mean is x; numbers that are bf16 already or not finite stay as they are.

    A bf16 number is the upper half of a float32: a random number of 16 bits is added to the lower half, and that is cut off.
    The random numbers are drawn on the CPU, so that they are the same on every device.
    """
    bits = x.float().contiguous().view(torch.int32)
    noise = torch.randint(0, 1 << 16, x.shape, generator=generator, dtype=torch.int32)
    rounded = ((bits + to_device(noise, x.device)) & -(1 << 16)).view(torch.float32)
    return torch.where(torch.isfinite(x), rounded, x).to(torch.bfloat16)


@contextmanager
def in_float32(parameters: Mapping[str, nn.Parameter], seed: int, step: int) -> Iterator[None]:
    """Within the block the parameters and their gradients are float32; at its end those that were bf16 are rounded stochastically.

    Whatever changes or reads trained weights along with the optimizer's state happens in such a block: its step, loading its state, the
    weights of averaging optimizers. Weights that the block does not change come back bit for bit. The rounding depends on `seed`, `step`
    and a parameter's name alone. Gradients are dropped at the end. Parameters that are float32 already are not touched.
    """
    lowered = {name: p for name, p in parameters.items() if p.dtype == torch.bfloat16}
    for parameter in lowered.values():
        gradient = parameter.grad
        parameter.grad = None
        parameter.data = parameter.data.float()
        if gradient is not None:
            parameter.grad = gradient.float()
    try:
        yield
    finally:
        for name, parameter in lowered.items():
            parameter.grad = None
            parameter.data = round_stochastically(parameter.data, generator_for("rounding", seed, step, name))
