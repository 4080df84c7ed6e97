"""The guard against losses and gradients that are no finite numbers.

Such a step changes no weight. One alone can be an accident of a low precision; several in a row are not, and the run ends with advice
rather than going on for hours without learning.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lorasmith.errors import RunError
from lorasmith.training.step import SampleLoss

SHOWN = 8
"""Pictures that a sentence names at most."""


def named(non_finite: Sequence[SampleLoss]) -> str:
    """Which pictures at which timesteps: `3.png at timestep 701`."""
    shown = ", ".join(f"{sample.name} at timestep {sample.timestep:g}" for sample in non_finite[:SHOWN])
    return shown + (f" and {len(non_finite) - SHOWN} more" if len(non_finite) > SHOWN else "")


def give_up(step: int, in_a_row: int, non_finite: Sequence[SampleLoss], mixed_precision: str) -> RunError:
    """The error that ends a run after too many non-finite steps; `step` counts from 1."""
    advice = "lower the learning rate or leave that picture out"
    if mixed_precision == "fp16":
        advice = "set training.mixed_precision to 'bf16' or 'no', or " + advice
    since = f"{in_a_row} steps in a row, up to step {step}," if in_a_row > 1 else f"step {step}"
    return RunError(f"{since} gave a loss or a gradient that is no finite number ({named(non_finite)}); {advice}")


def weights_non_finite(step: int, folder: Path) -> RunError:
    """The error where the optimizer itself made weights that are no numbers, though every loss was one."""
    return RunError(
        f"the weights are no finite numbers after step {step}, though its loss was; they are not saved: lower the learning rate, "
        f"check optimizer.args, and start anew ({folder} keeps what was saved before)"
    )
