"""The guard against losses and gradients that are not finite (NaN or infinite).

Such a step changes no weight. A single one can be an accident of a low precision; several in a row are not, and the run ends with advice
rather than going on for hours without learning.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lorasmith.errors import RunError
from lorasmith.training.step import SampleLoss

NAMED = 8
"""Pictures that a sentence names at most."""


def too_many_skipped(step: int, in_a_row: int, samples: Sequence[SampleLoss], mixed_precision: str) -> RunError:
    """The error that ends a run after too many such steps; `step` counts from 1."""
    remedies = ["set training.mixed_precision to 'bf16' or 'no'"] if mixed_precision == "fp16" else []
    untrained = step == in_a_row
    remedies += ["leave those pictures out", "use another base"] if untrained else ["lower the learning rate", "leave that picture out"]
    cause = "No step has changed a weight yet, so the base itself gives it, not the learning rate. " if untrained else ""
    advice = cause + _as_sentence(remedies)
    which = f"The last {in_a_row} steps, up to step {step}," if in_a_row > 1 else f"Step {step}"
    return RunError(
        f"{which} gave a loss or a gradient that is not finite ({_named(samples)}). {advice}",
        code="run.non_finite_loss", step=step, consecutive=in_a_row, images=[sample.name for sample in samples],
    )  # fmt: skip


def weights_not_finite(step: int, folder: Path) -> RunError:
    """The error where the optimizer itself made weights that are not finite, though every loss was."""
    return RunError(
        f"The weights are not finite after step {step}, though its loss was, so they are not saved. Lower the learning rate, check "
        f"optimizer.args, and start again ({folder} keeps what was saved before).",
        code="run.non_finite_weights", step=step,
    )  # fmt: skip


def _as_sentence(remedies: Sequence[str]) -> str:
    """Remedies to choose from: `Lower the learning rate, or leave that picture out.`"""
    text = f"{', '.join(remedies[:-1])}, or {remedies[-1]}."
    return text[0].upper() + text[1:]


def _named(samples: Sequence[SampleLoss]) -> str:
    """Which pictures at which timesteps: `3.png at timestep 701`."""
    named = ", ".join(f"{sample.name} at timestep {sample.timestep:g}" for sample in samples[:NAMED])
    return named + (f" and {len(samples) - NAMED} more" if len(samples) > NAMED else "")
