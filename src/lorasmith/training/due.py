"""What is due when: checkpoints, samples and validation, after a step and at the end of an epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lorasmith.training.settings.tree import Settings


@dataclass(frozen=True)
class Due:
    """What is to be done at one moment of a run."""

    checkpoint: bool
    samples: bool
    validation: bool = False


def due_after_step(settings: Settings, step: int, steps: int) -> Due:
    """After `step` (from 1) of `steps`; what the end of the run does anyway is not due at the last one."""
    between = step < steps
    return Due(
        checkpoint=between and _every(settings.checkpoints.save_every_n_steps, step),
        samples=between and _every(settings.samples.every_n_steps, step),
    )


def due_after_epoch(settings: Settings, epoch: int, last: bool, steps_per_epoch: int) -> Due:
    """At the end of `epoch` (from 1); the LoRA of the last one is the final one, which is no checkpoint.

    Where nothing else is asked for, epochs are validated in which a checkpoint is written, also one by steps.
    """
    checkpoint = _every(settings.checkpoints.save_every_n_epochs, epoch)
    validation = settings.validation.every_n_epochs
    with_checkpoint = checkpoint or _within(settings.checkpoints.save_every_n_steps, epoch, steps_per_epoch)
    return Due(
        checkpoint=not last and checkpoint,
        samples=last or _every(settings.samples.every_n_epochs, epoch),
        validation=validation != 0 and (last or (with_checkpoint if validation is None else _every(validation, epoch))),
    )


def checkpoints_in(settings: Settings, epochs: int, steps: int) -> int:
    """How many LoRAs a run of this length writes, the final one included."""
    every = ((epochs, settings.checkpoints.save_every_n_epochs), (steps, settings.checkpoints.save_every_n_steps))
    return 1 + sum((count - 1) // often for count, often in every if often)


def samplings_in(settings: Settings, epochs: int, steps_per_epoch: int, steps: int) -> int:
    """How often a run of this length samples, the base first and the end included; once where an epoch ends at a step that is due."""
    by_epochs, by_steps = settings.samples.every_n_epochs, settings.samples.every_n_steps
    found = (epochs - 1) // by_epochs if by_epochs else 0
    if by_steps:
        found += (steps - 1) // by_steps
        if by_epochs:
            found -= (epochs - 1) // math.lcm(by_epochs, by_steps // math.gcd(by_steps, steps_per_epoch))
    return 1 + found + 1


def _within(n: int | None, epoch: int, steps_per_epoch: int) -> bool:
    """Whether every n-th step falls into an epoch."""
    return n is not None and epoch * steps_per_epoch // n > (epoch - 1) * steps_per_epoch // n


def _every(n: int | None, count: int) -> bool:
    return n is not None and n > 0 and count % n == 0
