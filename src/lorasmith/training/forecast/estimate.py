"""What a run will take, estimated before it starts: the bytes of its files, the memory of its phases, the work and the time of a step.

Nothing is looked up in tables of other people's cards. The run's own modules are built on torch's meta device, its own network is
attached to them, and one step is rehearsed: forward and backward of the largest batch go through the very code that will train, while
every operation is noted. Gradient checkpointing, batch size, precision and the network's kind all act on it as they will in the run,
since they are the same code.
"""

from __future__ import annotations

from lorasmith.models.device import choose_device
from lorasmith.training.forecast.duration import duration_of
from lorasmith.training.forecast.file_sizes import file_sizes
from lorasmith.training.forecast.forecast import Forecast
from lorasmith.training.forecast.kept_rehearsals import rehearsal_of
from lorasmith.training.forecast.machine import Machine, measure_machine
from lorasmith.training.forecast.memory import memory_of
from lorasmith.training.planning.check import CheckedRun
from lorasmith.training.records.checkpoints import DTYPES


def estimate(checked: CheckedRun, machine: Machine | None = None) -> Forecast:
    """Files, memory and time of a run; `machine` is measured where it is not given. The base must have all its parts."""
    training = checked.settings.training
    device = choose_device(training.device)
    rehearsal = rehearsal_of(checked.settings, checked.description, checked.training_set)
    machine = machine or measure_machine(device, DTYPES[training.mixed_precision], rehearsal.step)
    return Forecast(file_sizes(checked, rehearsal), memory_of(checked, rehearsal, device), duration_of(checked, rehearsal, machine, device))
