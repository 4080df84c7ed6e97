"""What a run will do, computed before any weight is loaded."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lorasmith.datasets.order import Batch, EpochOrder
from lorasmith.datasets.training_set import TrainingSet
from lorasmith.training.settings.changes import batches_per_step
from lorasmith.training.settings.tree import Settings


@dataclass(frozen=True)
class Plan:
    """How a run is divided. Steps are optimizer steps.

    Each takes the next `batches_per_step` batches of its epoch, which the processes share; the rest at an epoch's end is a step, too.
    Steps never cross epochs, and nothing is repeated to fill them.
    """

    pictures: int
    samples_per_epoch: int
    """Pictures in an epoch, each as often as it is repeated."""
    batches_per_epoch: int
    steps_per_epoch: int
    steps: int
    epochs: int
    batches_per_step: int = 1
    processes: int = 1
    """How many the settings ask for; a run can go on with another number of them."""

    def epoch_and_step_of(self, step: int) -> tuple[int, int]:
        """(epoch from 1, step inside it from 0) of the step with this number (from 0)."""
        return step // self.steps_per_epoch + 1, step % self.steps_per_epoch

    def samples_in(self, step_in_epoch: int, epoch: EpochOrder) -> int:
        """How many samples a step takes, over all processes."""
        return sum(self._sizes(step_in_epoch, epoch))

    def batches_of(self, step_in_epoch: int, epoch: EpochOrder, rank: int = 0, processes: int = 1) -> list[tuple[int, Batch]]:
        """What one process trains on in a step: each batch with the number of its first sample in the step.

        `epoch` are all the epoch's batches. Those of a step are the same for any number of processes, of which this is number `rank`:
        they are dealt out in turn, so that some get one more than others, and in an epoch's last step some may get none.
        """
        first = step_in_epoch * self.batches_per_step
        found, first_sample = [], 0
        for number, size in enumerate(self._sizes(step_in_epoch, epoch)):
            if number % processes == rank:
                found.append((first_sample, epoch[first + number]))
            first_sample += size
        return found

    def _sizes(self, step_in_epoch: int, epoch: EpochOrder) -> list[int]:
        first = step_in_epoch * self.batches_per_step
        return epoch.sizes(first, first + self.batches_per_step)


def make_plan(settings: Settings, training_set: TrainingSet) -> Plan:
    """The plan of a run over this training set."""
    training = settings.training
    batches = training_set.batches_per_epoch(training.batch_size)
    per_step = batches_per_step(settings)
    steps_per_epoch = math.ceil(batches / per_step)
    if training.epochs is not None:
        epochs, steps = training.epochs, training.epochs * steps_per_epoch
    else:
        assert training.max_train_steps is not None, "check_together lets one of the two through"
        steps = training.max_train_steps
        epochs = math.ceil(steps / steps_per_epoch)
    return Plan(
        len(training_set.pictures), training_set.samples_per_epoch, batches, steps_per_epoch, steps, epochs, per_step, training.num_processes,
    )  # fmt: skip
