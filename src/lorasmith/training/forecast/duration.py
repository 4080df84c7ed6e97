"""How long a run takes on a machine."""

from __future__ import annotations

from lorasmith.models.samplers import SAMPLERS
from lorasmith.training.due import samplings_in
from lorasmith.training.forecast.forecast import Duration
from lorasmith.training.forecast.machine import Machine, device_name
from lorasmith.training.forecast.memory import optimizer_bytes
from lorasmith.training.forecast.rehearsed import SAMPLED_AT_ONCE, Rehearsal
from lorasmith.training.forecast.work import Work
from lorasmith.training.planning.check import CheckedRun
from lorasmith.training.sample_requests import sample_requests


def duration_of(checked: CheckedRun, rehearsal: Rehearsal, machine: Machine, device: str) -> Duration:
    """Seconds of the run on a machine; the processes of a run share the batches, each on a device of its own."""
    settings, plan, training_set = checked.settings, checked.plan, checked.training_set
    run, drawn = rehearsal.run, rehearsal.run.drawn
    area = run.largest[0] * run.largest[1]
    update = update_of(rehearsal.parameters, settings.optimizer.type, rehearsal.tensors)
    shapes = training_set.batch_shapes(settings.training.batch_size)
    works = [
        (rehearsal.step.scaled(bucket[0] * bucket[1] / area, samples / run.batch), times) for (bucket, samples), times in shapes.items()
    ]
    passes = sum(machine.seconds(work) * times for work, times in works)
    epoch = passes / plan.processes + plan.steps_per_epoch * machine.seconds(update)
    step = epoch / plan.steps_per_epoch
    tflop = sum(work.flops * times for work, times in works) / plan.steps_per_epoch / 1e12
    prediction = machine.seconds(rehearsal.denoise) / (drawn.pictures * drawn.guided) if rehearsal.denoise and drawn else None
    decoding = machine.seconds(rehearsal.decode) / drawn.pictures if rehearsal.decode and drawn else None
    return Duration(
        device_name(device), tflop, step, _latents(checked, rehearsal, machine), step * plan.steps, _samples(checked, rehearsal, machine),
        prediction, decoding,
    )  # fmt: skip


def update_of(parameters: int, optimizer: str, tensors: int) -> Work:
    """The optimizer's part of a step: it reads weights, gradients and states and writes weights and states, one tensor after the other."""
    return Work(0.0, 12.0 * parameters + 2.0 * optimizer_bytes(parameters, optimizer), tensors, 0)


def _latents(checked: CheckedRun, rehearsal: Rehearsal, machine: Machine) -> float:
    """Seconds of all latents, where none is cached."""
    training_set = checked.training_set
    areas = [width * height for width, height in training_set.buckets]
    latents = {item.picture.content: 2 if checked.settings.datasets[item.dataset].flip_aug else 1 for item in training_set.listed}
    of_rows = sum(len(rows) * (2 if rows.dataset.flip_aug else 1) for rows in training_set.rows)
    return (sum(latents.values()) + of_rows) * machine.seconds(rehearsal.encode) * (sum(areas) / len(areas)) / max(areas)


def _samples(checked: CheckedRun, rehearsal: Rehearsal, machine: Machine) -> float:
    """Seconds of all sample pictures: at the start, at epoch ends, at steps and at the end."""
    if rehearsal.denoise is None or rehearsal.decode is None:
        return 0.0
    samples = checked.settings.samples
    times = samplings_in(checked.settings, checked.plan.epochs, checked.plan.steps_per_epoch, checked.plan.steps)
    rounds = -(-len(sample_requests(checked.settings)) // SAMPLED_AT_ONCE)
    steps = samples.steps or checked.description.form.defaults.steps
    calls = steps * (SAMPLERS[samples.sampler].calls if samples.sampler else 1)
    return times * rounds * (calls * machine.seconds(rehearsal.denoise) + machine.seconds(rehearsal.decode))
