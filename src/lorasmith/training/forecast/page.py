"""A plan as a page: what the terminal says of it, with its findings as they are shown everywhere."""

from __future__ import annotations

from lorasmith.pages.content import Block, Column, Facts, Findings, Page, Section, Status, Table
from lorasmith.pages.numbers import count
from lorasmith.training.forecast.report import Report, size_in_words, time_in_words


def plan_page(report: Report) -> Page:
    """What will happen in the run, how long it will take, and what to look at before."""
    plan = report.plan
    errors = sum(finding.severity == "error" for finding in report.findings)
    outcome = (
        Status("error", f"{count(errors, 'error')} must be mended before it can be trained.")
        if errors
        else Status("good", f"{count(plan.steps, 'step')}: {count(plan.epochs, 'epoch')} of {plan.steps_per_epoch:,}.")
    )
    sections: tuple[Section, ...] = (
        Section("What to look at", (Findings(report.findings),)) if report.findings else Section("", ()),
        Section("Buckets", (_buckets(report),)),
    )
    top: tuple[Block, ...] = (outcome, _facts(report))
    return Page(report.settings.name, tuple(one for one in sections if one.blocks), top, kicker="What a training will do")


def _facts(report: Report) -> Facts:
    plan, forecast = report.plan, report.forecast
    known = [
        ("Pictures", f"{plan.pictures:,}"),
        ("Samples in an epoch", f"{plan.samples_per_epoch:,}"),
        ("Batches in an epoch", f"{plan.batches_per_epoch:,}"),
    ]
    if forecast is not None:
        known += [
            ("Time", f"about {time_in_words(forecast.duration.total)} ({forecast.duration.device})"),
            ("Memory", f"about {size_in_words(forecast.memory.peak)} while {forecast.memory.peak_phase}"),
            ("Files", f"{count(forecast.files.loras, 'LoRA')} of {size_in_words(forecast.files.lora)}"),
        ]
    return Facts(tuple(known))


def _buckets(report: Report) -> Table:
    numbers = tuple(Column(title, "number") for title in ("Pictures", "Samples", "Batches", "Area lost"))
    rows = tuple(
        (f"{row.width} x {row.height}", f"{row.pictures:,}", f"{row.samples:,}", f"{row.batches:,}", f"{row.lost:.1%}")
        for row in report.buckets
    )
    return Table("Pictures by size", (Column("Size"), *numbers), rows)
