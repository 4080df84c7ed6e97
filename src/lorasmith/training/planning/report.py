"""What `lorasmith plan` tells: what will run, what it will write, need and take; all of it before a weight is read.

    report = make_report(settings)      # raises as `training.run.check` does where the run could not work
    print(as_text(report))

What will run is exact, since the run is made from the same plan. How memory and time are had stands in `training.estimate`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import psutil
import torch

from lorasmith.adapters.attach import AttachedAdapter
from lorasmith.adapters.state import adapter_tensors
from lorasmith.datasets.training_set import TrainingSet
from lorasmith.models.base import Base
from lorasmith.models.description import Description
from lorasmith.models.open import describe, missing_parts
from lorasmith.training.forecast import estimate
from lorasmith.training.forecast.estimate import Machine, Work
from lorasmith.training.planning.check import check
from lorasmith.training.planning.lints import Lint, facts_of, lint
from lorasmith.training.planning.plan import Plan
from lorasmith.training.records.checkpoints import DTYPES
from lorasmith.training.records.lora_metadata import lora_metadata
from lorasmith.training.records.state import KEPT
from lorasmith.training.settings.tree import Settings

CUDA_CONTEXT = 600_000_000
"""Bytes that torch takes on a GPU before the first tensor: its kernels, and the workspaces of NVIDIA's libraries."""
DRAWN_AT_ONCE = 16


@dataclass(frozen=True)
class BucketRow:
    """Pictures of one size. `lost` is the mean share of a picture that is cropped away, 0-1."""

    width: int
    height: int
    pictures: int
    showings: int
    batches: int
    lost: float


@dataclass(frozen=True)
class Files:
    """What the run's folder will hold, in bytes; sample pictures and the log aside."""

    trained_numbers: int
    lora: int
    """One LoRA file."""
    loras: int
    """How many will be written, averages among them."""
    state: int
    """What a killed run goes on from."""
    states: int
    process_group: int


@dataclass(frozen=True)
class Memory:
    """Bytes on the device by what they are for, phase by phase, and the highest sum: in each process."""

    phases: Mapping[str, Mapping[str, int]]

    @property
    def worst(self) -> str:
        return max(self.phases, key=lambda phase: sum(self.phases[phase].values()))

    @property
    def peak(self) -> int:
        return sum(self.phases[self.worst].values())


@dataclass(frozen=True)
class Time:
    """Seconds, as far as they can be told before: `latents` where none is cached, all `steps`, and the `samples`."""

    device: str
    tflop_of_a_step: float
    step: float
    latents: float
    steps: float
    samples: float

    @property
    def all(self) -> float:
        return self.latents + self.steps + self.samples


@dataclass(frozen=True)
class Report:
    """A run that has not begun. Files, memory and time are None where the base lacks parts."""

    settings: Settings
    plan: Plan
    buckets: tuple[BucketRow, ...]
    files: Files | None
    memory: Memory | None
    time: Time | None
    warnings: tuple[str, ...]
    problems: tuple[str, ...]
    lints: tuple[Lint, ...]

    def as_data(self) -> dict[str, Any]:
        """For --json."""
        memory, taken = self.memory, self.time
        return {
            **asdict(self.plan),
            "buckets": [asdict(row) for row in self.buckets],
            "files": None if self.files is None else asdict(self.files),
            "memory": None if memory is None else {"peak": memory.peak, "worst": memory.worst, "phases": memory.phases},
            "time": None if taken is None else {**asdict(taken), "all": taken.all},
            "warnings": list(self.warnings), "problems": list(self.problems), "lints": [asdict(each) for each in self.lints],
        }  # fmt: skip


def make_report(settings: Settings, machine: Machine | None = None) -> Report:
    """Check the run and tell what it will be; `machine` is measured where it is not given."""
    checked = check(settings)
    warnings = list(checked.warnings)
    if settings.network.dim_from_weights:
        warnings.append("network.dim_from_weights takes ranks from the file; sizes and memory are told for network.rank")
    training_set, plan = checked.training_set, checked.plan
    description = describe(settings.base.path, **settings.base.open_options)
    lints = lint(settings, training_set, facts_of(description), plan)
    files = memory = taken = None
    if not missing_parts(description):
        device = "cuda" if settings.training.device != "cpu" and torch.cuda.is_available() else "cpu"
        rehearsed = rehearse(settings, description, training_set)
        files = files_of(settings, training_set, plan, rehearsed)
        memory = memory_of(settings, training_set, rehearsed, device)
        machine = machine or estimate.measure_machine(device, DTYPES[settings.training.mixed_precision], rehearsed.step)
        taken = time_of(settings, training_set, plan, rehearsed, machine, device)
    return Report(
        settings, plan, bucket_rows(training_set, settings.training.batch_size), files, memory, taken, tuple(warnings),
        checked.problems, tuple(lints),
    )  # fmt: skip


# ---- what will run


def bucket_rows(training_set: TrainingSet, batch_size: int) -> tuple[BucketRow, ...]:
    """The buckets with what lies in them, by size."""
    batches = Counter(batch.bucket for batch in training_set.epoch(1, batch_size, 0))
    rows = []
    for (width, height), members in sorted(training_set.buckets.items()):
        lost = [training_set.pictures[index].fit.lost for index, _ in members]
        shown = sum(showings for _, showings in members)
        rows.append(BucketRow(width, height, len(members), shown, batches[width, height], sum(lost) / len(lost)))
    return tuple(rows)


# ---- the rehearsal


@dataclass(frozen=True)
class Rehearsed:
    """The run on a base without weights: its networks, and the work of a step over the largest batch, of a latent, of drawing."""

    base: Base
    adapters: Mapping[str, AttachedAdapter]
    description: Description
    size: tuple[int, int]
    batch: int
    step: Work
    encode: Work
    draw: Work | None
    """One denoising step over all prompts that are drawn together."""
    decode: Work | None

    @property
    def numbers(self) -> int:
        return sum(p.numel() for adapter in self.adapters.values() for p in adapter.parameters())

    @property
    def tensors(self) -> int:
        return sum(1 for adapter in self.adapters.values() for _ in adapter.parameters())


def rehearse(settings: Settings, description: Description, training_set: TrainingSet) -> Rehearsed:
    """Rehearse a step, a latent and a drawing."""
    base = estimate.blank_base(description, DTYPES[settings.training.mixed_precision])
    adapters = estimate.attach_blank(base, settings)
    batches = training_set.epoch(1, settings.training.batch_size, 0)
    largest = max(batches, key=lambda batch: batch.bucket[0] * batch.bucket[1] * len(batch.samples))
    count = len(largest.samples)
    encode = estimate.rehearse_encode(base, max(training_set.buckets, key=lambda size: size[0] * size[1]))
    draw = decode = None
    if prompts := min(len(settings.samples.prompts), DRAWN_AT_ONCE):
        size = (settings.samples.width or base.native_resolution, settings.samples.height or base.native_resolution)
        both = 1 if (settings.samples.cfg_scale or base.defaults.cfg_scale) == 1 else 2
        draw, decode = estimate.rehearse_predict(base, settings, size, both * prompts), estimate.rehearse_decode(base, size, prompts)
    step = estimate.rehearse_step(base, adapters, settings, largest.bucket, count)
    if settings.loss.prior_preservation:
        step += step + estimate.rehearse_predict(base, settings, largest.bucket, count)
    return Rehearsed(base, adapters, description, largest.bucket, count, step, encode, draw, decode)


# ---- files


def files_of(settings: Settings, training_set: TrainingSet, plan: Plan, rehearsed: Rehearsed) -> Files:
    """The files' sizes, from the shapes of what is trained."""
    checkpoints, average = settings.checkpoints, settings.training.ema_decay is not None
    shapes = {key: tuple(tensor.shape) for key, tensor in adapter_tensors(*rehearsed.adapters.values()).items()}
    metadata = lora_metadata(settings, plan, training_set, rehearsed.base, plan.epochs, plan.steps, rehearsed.adapters)
    hashes = {"sshs_model_hash": "0" * 64, "sshs_legacy_hash": "0" * 8}
    kind, each = {"fp32": ("F32", 4), "fp16": ("F16", 2), "bf16": ("BF16", 2)}[checkpoints.save_precision]
    lora = estimate.safetensors_bytes(shapes, kind, each, {**metadata, **hashes})
    every = ((plan.epochs, checkpoints.save_every_n_epochs), (plan.steps, checkpoints.save_every_n_steps))
    between = sum((count - 1) // often for count, often in every if often)
    loras = (between + 1) * (1 + average)
    numbers = rehearsed.numbers
    state = 4 * numbers * (1 + average) + estimate.optimizer_bytes(numbers, settings.optimizer.type)
    states = min(KEPT, plan.epochs)
    return Files(numbers, lora, loras, state, states, lora * loras + state * states)


# ---- memory


def memory_of(settings: Settings, training_set: TrainingSet, rehearsed: Rehearsed, device: str) -> Memory:
    """What each phase holds on the device; what leaves it after caching is counted in that phase alone."""
    base, description = rehearsed.base, rehearsed.description
    parts = {"vae": base.autoencoder.vae, **base.parts}  # type: ignore[attr-defined]
    weights = {
        name: estimate.weight_bytes(module, description.parts[name].config, settings.base.quantize) for name, module in parts.items()
    }
    leaving = set()
    if settings.captions.cached_variants and set(rehearsed.adapters) == {base.denoiser}:
        leaving |= set(base.parts) - {base.denoiser}
    encodes = any(dataset.color_aug or dataset.random_crop for dataset in settings.datasets)
    if not settings.samples.prompts and not encodes:
        leaving.add("vae")
    each = 2 if settings.training.weight_dtype == "bf16" else 4
    network = each * rehearsed.numbers * (1 + (settings.training.ema_decay is not None))
    program = CUDA_CONTEXT if device == "cuda" else psutil.Process().memory_info().rss
    stays = {
        "base": sum(size for name, size in weights.items() if name not in leaving), "network": network,
        "optimizer": estimate.optimizer_bytes(rehearsed.numbers, settings.optimizer.type), "program": program,
    }  # fmt: skip
    if device == "cpu" and settings.training.latents_in_memory:
        stays["latents"] = sum(
            4 * base.latent_channels * (item.fit.bucket[0] // base.latent_step) * (item.fit.bucket[1] // base.latent_step)
            for item in training_set.pictures
        )
    phases = {
        "caching": {"base": sum(weights.values()), "network": network, "activations": rehearsed.encode.peak, "program": program},
        "training": {**stays, "activations": rehearsed.step.peak},
    }
    if rehearsed.draw is not None and rehearsed.decode is not None:
        phases["drawing"] = {**stays, "activations": max(rehearsed.draw.peak, rehearsed.decode.peak)}
    return Memory(phases)


# ---- time


def time_of(settings: Settings, training_set: TrainingSet, plan: Plan, rehearsed: Rehearsed, machine: Machine, device: str) -> Time:
    """Seconds of the run on a machine; the processes of a run share the batches, each on a device of its own."""
    area = rehearsed.size[0] * rehearsed.size[1]
    update = estimate.update_of(rehearsed.numbers, settings.optimizer.type, rehearsed.tensors)
    batches = training_set.epoch(1, settings.training.batch_size, 0)
    works = [rehearsed.step.scaled(batch.bucket[0] * batch.bucket[1] / area, len(batch.samples) / rehearsed.batch) for batch in batches]
    epoch = sum(map(machine.seconds, works)) / plan.processes + plan.steps_per_epoch * machine.seconds(update)
    step = epoch / plan.steps_per_epoch
    largest = max(width * height for width, height in training_set.buckets)
    ways = {item.picture.content: 2 if settings.datasets[item.dataset].flip_aug else 1 for item in training_set.pictures}
    latents = (
        sum(ways.values())
        * machine.seconds(rehearsed.encode)
        * (sum(w * h for w, h in training_set.buckets) / len(training_set.buckets))
        / largest
    )
    samples = 0.0
    if rehearsed.draw is not None and rehearsed.decode is not None:
        times = 1 + (plan.epochs - 1) // settings.samples.every_n_epochs + 1
        rounds = -(-len(settings.samples.prompts) // DRAWN_AT_ONCE)
        steps = settings.samples.steps or rehearsed.base.defaults.steps
        samples = times * rounds * (steps * machine.seconds(rehearsed.draw) + machine.seconds(rehearsed.decode))
    tflop = sum(work.flops for work in works) / plan.steps_per_epoch / 1e12
    return Time(device_name(device), tflop, step, latents, step * plan.steps, samples)


def device_name(device: str) -> str:
    """What the estimate is for, in words."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    count = torch.get_num_threads()
    return f"CPU, {count} of {os.cpu_count()} cores"


# ---- in words


def as_text(report: Report) -> str:
    """The report for people."""
    plan = report.plan
    lines = [f"warning: {message}" for message in (*report.warnings, *report.problems)]
    for each in report.lints:
        lines += [f"{each.name}: {each.sentence}", f"  {each.fix} ({each.source})"]
    lines += [
        f"{plan.pictures} pictures, {plan.showings_per_epoch} shown per epoch, in {plan.batches_per_epoch} batches",
        f"{plan.steps} steps: {plan.epochs} epochs of {plan.steps_per_epoch}",
        "",
        f"{'bucket':<12}{'pictures':>9}{'showings':>9}{'batches':>8}{'area lost':>10}",
    ]
    for row in report.buckets:
        lines.append(f"{f'{row.width} x {row.height}':<12}{row.pictures:>9}{row.showings:>9}{row.batches:>8}{row.lost:>9.1%}")
    lines.append("")
    if report.files is None or report.memory is None or report.time is None:
        return "\n".join([*lines, "files, memory and time cannot be told: the base lacks parts, see: lorasmith base show"])
    files, memory, taken = report.files, report.memory, report.time
    lines.append(
        f"files   {files.loras} LoRAs of {size_in_words(files.lora)}, {files.states} states of {size_in_words(files.state)}: "
        f"{size_in_words(files.process_group)} ({files.trained_numbers:,} trained numbers)"
    )
    worst = memory.phases[memory.worst]
    shares = ", ".join(f"{name} {size_in_words(size)}" for name, size in worst.items() if size)
    lines.append(f"memory  about {size_in_words(memory.peak)} at most, while {memory.worst}: {shares}")
    others = [f"{time_in_words(taken.latents)} for latents not yet cached"] if taken.latents else []
    others += [f"{time_in_words(taken.samples)} for samples"] if taken.samples else []
    lines.append(
        f"time    about {time_in_words(taken.all)} ({taken.device}): {plan.steps} steps of {taken.step:.2g} s and {taken.tflop_of_a_step:.3g} TFLOP"
        + "".join(f", {other}" for other in others)
    )
    return "\n".join(lines)


def size_in_words(count: int) -> str:
    """Bytes with two or three digits."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} bytes"


def time_in_words(seconds: float) -> str:
    """Seconds, minutes or hours."""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 1 else "1 s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
