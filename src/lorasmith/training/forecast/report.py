"""What `lorasmith plan` says: what will run, what is wrong or odd, what it will write, need and take; all before a weight is read.

    report = make_report(settings)      # raises as `planning.check.check` does where the run could not work
    print(as_text(report))

What will run is exact, since the run is made from the same plan. Without the estimate nothing here imports torch.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lorasmith.datasets.buckets import Size
from lorasmith.datasets.training_set import TrainingSet
from lorasmith.findings import Finding, alike_together, worst_first
from lorasmith.models.open import missing_parts
from lorasmith.pages.numbers import count
from lorasmith.training.forecast.forecast import Duration, FileSizes, Forecast, Memory
from lorasmith.training.planning.base_fit import check_merged
from lorasmith.training.planning.check import check
from lorasmith.training.planning.lints.lints import lint_run
from lorasmith.training.planning.plan import Plan
from lorasmith.training.settings.tree import Settings

if TYPE_CHECKING:
    from lorasmith.training.forecast.machine import Machine


@dataclass(frozen=True)
class BucketRow:
    """Pictures of one size."""

    width: int
    height: int
    pictures: int
    samples: int
    """Pictures in an epoch, each as often as it is repeated."""
    batches: int
    lost: float
    """The mean share of a picture that is cropped away, 0-1."""


@dataclass(frozen=True)
class Report:
    """A run that has not started."""

    settings: Settings
    training_set: TrainingSet
    plan: Plan
    buckets: tuple[BucketRow, ...]
    findings: tuple[Finding, ...]
    """What is wrong or odd, the worst first."""
    forecast: Forecast | None
    """None where the base lacks parts, or no estimate was asked for."""
    missing: tuple[str, ...] = ()
    """The parts that the base lacks."""

    @property
    def as_data(self) -> dict[str, Any]:
        """For --json."""
        return {
            **asdict(self.plan),
            "masked_pictures": self.training_set.masked_pictures,
            "buckets": [asdict(row) for row in self.buckets],
            "findings": [finding.as_data for finding in self.findings],
            "missing": list(self.missing),
            **(dict.fromkeys(("files", "memory", "time")) if self.forecast is None else self.forecast.as_data),
        }


def make_report(settings: Settings, machine: Machine | None = None, estimate: bool = True) -> Report:
    """Check a run and say what it will be: batches, steps, files, memory, time, and what is odd about its settings.

    Parameters
    ----------
    settings
        The run's.
    machine
        How fast the machine is; measured where it is not given.
    estimate
        False: neither files nor memory nor time, and no torch; whether this machine has the GPU and the optimizer is not checked then.

    Raises
    ------
    InputError
        The run could not work.

    Examples
    --------
    >>> report = ls.plan(ls.load_settings("my-lora.toml"), estimate=False)
    >>> report.plan.steps
    2
    """
    checked = check(settings)
    if estimate:
        from lorasmith.training.forecast.memory_fit import fit_to_memory
        from lorasmith.training.planning.machine_fit import check_machine

        check_machine(settings)
        checked = fit_to_memory(checked)
        settings = checked.settings
    findings = [*checked.findings, *lint_run(checked)]
    missing = tuple(missing_parts(checked.description))
    if estimate:
        from lorasmith.training.learner.continuation import check_weights

        check_weights(settings, checked.description.family)
        check_merged(settings.base, checked.description.family)
    forecast = None
    if estimate and not missing:
        from lorasmith.training.forecast.estimate import estimate as estimated

        forecast = estimated(checked, machine)
        if settings.network.dim_from_weights:
            findings.append(_ranks_of_a_file())
    rows = bucket_rows(checked.training_set, settings.training.batch_size)
    return Report(settings, checked.training_set, checked.plan, rows, tuple(worst_first(findings)), forecast, missing)


def _ranks_of_a_file() -> Finding:
    return Finding(
        code="plan.ranks_of_a_file", severity="note", about="setting", subjects=("network.dim_from_weights",),
        message="network.dim_from_weights takes ranks from the file. File sizes and memory are estimated for network.rank.",
    )  # fmt: skip


def bucket_rows(training_set: TrainingSet, batch_size: int) -> tuple[BucketRow, ...]:
    """The buckets with their pictures, by size."""
    batches: Counter[Size] = Counter()
    for (bucket, _), times in training_set.batch_shapes(batch_size).items():
        batches[bucket] += times
    rows = []
    for (width, height), members in sorted(training_set.buckets.items()):
        columns = training_set.columns
        samples, lost = int(columns.repeats[members].sum()), float(columns.lost[members].mean(dtype=float))
        rows.append(BucketRow(width, height, len(members), samples, batches[width, height], lost))
    return tuple(rows)


# -- in words ---------------------------------------------------------------------------------------------------------


def as_text(report: Report) -> str:
    """The report for people."""
    plan = report.plan
    lines = [line for finding in alike_together(report.findings) for line in finding_lines(finding)]
    lines += [
        f"{count(plan.pictures, 'picture')}, {count(plan.samples_per_epoch, 'sample')} per epoch with their repeats, in "
        f"{count(plan.batches_per_epoch, 'batch', 'batches')}",
        *_masked(report.training_set.masked_pictures),
        f"{count(plan.steps, 'step')}: {count(plan.epochs, 'epoch')} of {plan.steps_per_epoch:,}",
        "",
        f"{'bucket':<12}{'pictures':>9}{'samples':>9}{'batches':>8}{'area lost':>10}",
    ]
    for row in report.buckets:
        lines.append(f"{f'{row.width} x {row.height}':<12}{row.pictures:>9}{row.samples:>9}{row.batches:>8}{row.lost:>9.1%}")
    if report.forecast is not None:
        forecast = report.forecast
        return "\n".join([*lines, "", _files(forecast.files), _memory(forecast.memory), _time(forecast.duration, plan.steps)])
    if report.missing:
        needed = " and ".join(f"base.{part}" for part in report.missing)
        lines += ["", f"Files, memory and time cannot be estimated, because the base lacks parts. Set {needed}."]
    return "\n".join(lines)


def _masked(pictures: int) -> list[str]:
    return (
        [f"{count(pictures, 'picture')} {'has' if pictures == 1 else 'have'} regions that training leaves out (masks)"] if pictures else []
    )


def finding_lines(finding: Finding) -> list[str]:
    """A finding in lines: what is wrong, then why it matters, what to do and whose advice it is, indented."""
    lines = [f"{finding.severity}: {finding.message} [{finding.code}]"]
    if finding.why:
        lines.append(f"  {finding.why}")
    if finding.fix is not None:
        lines.append(f"  {finding.fix.words}{f' ({finding.source})' if finding.source else ''}")
    return lines


def _files(files: FileSizes) -> str:
    return (
        f"files   {count(files.loras, 'LoRA')} of {size_in_words(files.lora)}, {count(files.states, 'state')} of {size_in_words(files.state)}: "
        f"{size_in_words(files.total)} ({files.parameters:,} trained parameters)"
    )


def _memory(memory: Memory) -> str:
    shares = ", ".join(f"{name} {size_in_words(size)}" for name, size in memory.phases[memory.peak_phase].items() if size)
    return f"memory  about {size_in_words(memory.peak)} at most, while {memory.peak_phase}: {shares}"


def _time(duration: Duration, steps: int) -> str:
    others = [f"{time_in_words(duration.latents)} for latents not yet cached"] if duration.latents else []
    others += [f"{time_in_words(duration.samples)} for samples"] if duration.samples else []
    return (
        f"time    about {time_in_words(duration.total)} ({duration.device}): {count(steps, 'step')} of {duration.step:.2g} s and "
        f"{duration.tflop_per_step:.3g} TFLOP" + "".join(f", {other}" for other in others)
    )


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
