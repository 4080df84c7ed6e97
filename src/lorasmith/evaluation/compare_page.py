"""The page of a comparison: which run is better, what was set otherwise, the pictures from the same seeds, curves and numbers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lorasmith.evaluation.compare import ComparedRun, Comparison, measures_of
from lorasmith.evaluation.differences import Difference
from lorasmith.evaluation.measures.measured import MEASURES
from lorasmith.evaluation.prompts import Prompt
from lorasmith.evaluation.verdict_page import picture_of, value_with_error
from lorasmith.pages.content import (
    Block,
    Code,
    Collapsible,
    Column,
    Curve,
    Figure,
    Figures,
    Page,
    Quiet,
    Section,
    Series,
    Status,
    Table,
    Text,
    Words,
)
from lorasmith.pages.render import write_page

NEW_PROMPTS, OTHER_PROMPTS = 6, 3
"""Prompts that are shown."""


def write_comparison(comparison: Comparison, path: str | Path) -> Path:
    """Write the page of a comparison, and give its path."""
    write_page(path, comparison_page(comparison))
    return Path(path)


def comparison_page(comparison: Comparison) -> Page:
    """What the page contains."""
    first, *others = comparison.sentences
    return Page(
        title=" and ".join(run.name for run in comparison.runs),
        kicker="Runs compared with Lorasmith",
        top=(Status("note" if comparison.comparable is None else "warning", first, " ".join(others)),),
        sections=(Section("Verdicts", (_verdicts(comparison),)), *comparison_sections(comparison)),
        footer="Made by Lorasmith from the runs' own folders.",
    )


def comparison_sections(comparison: Comparison) -> tuple[Section, ...]:
    """The runs beside each other: pictures, settings, curves and numbers."""
    sections = (
        Section("Same prompts, same seeds", tuple(_pictures(comparison))),
        Section("Settings that differ", (_settings(comparison),)),
        Section("Loss over images seen", _curve(comparison)),
        Section("Measures", (Collapsible("All numbers", (_measures(comparison),)),) if measures_of(comparison.runs) else ()),
    )
    return tuple(section for section in sections if section.blocks)


def _verdicts(comparison: Comparison) -> Table:
    rows = tuple((run.name, run.record.ending.kind, _verdict(run)) for run in comparison.runs)
    return Table("Verdicts", (Column("Run"), Column("Ending"), Column("Verdict")), rows)


def _verdict(run: ComparedRun) -> str:
    return "not proven yet" if run.proof is None else "\n".join(run.proof.verdict.sentences)


def _settings(comparison: Comparison) -> Block:
    if not comparison.differences:
        return Text("All settings are the same.", quiet=True)
    columns = (Column("Setting"), *(Column(run.name) for run in comparison.runs))
    return Table("Settings that differ", columns, tuple(_setting_row(one) for one in comparison.differences))


def _setting_row(one: Difference) -> tuple[Words, ...]:
    return (Code(one.setting), *(_shown(value) for value in one.values))


def _shown(value: Any) -> str:
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _pictures(comparison: Comparison) -> Iterable[Block]:
    """One row a prompt: the base, then the recommended checkpoint of each run."""
    proven = [run for run in comparison.runs if run.proof is not None]
    if comparison.comparable is not None or not proven or proven[0].proof is None:
        return
    prompts = proven[0].proof.record.prompts
    yield Figures(
        tuple(_row(proven, prompt) for prompt in (*prompts.of("new")[:NEW_PROMPTS], *prompts.of("other")[:OTHER_PROMPTS])), "strip"
    )


def _row(runs: list[ComparedRun], prompt: Prompt) -> Figure:
    first = runs[0].proof
    assert first is not None
    panels = [picture_of(first, first.record.base_pictures.get(prompt.name), "base", prompt)]
    for run in runs:
        if run.proof is not None and run.chosen is not None:
            place = run.proof.verdict.checkpoints.index(run.chosen)
            panels.append(
                picture_of(run.proof, run.proof.record.pictures[place].get(prompt.name), f"{run.name}, {run.chosen.name}", prompt)
            )
    return Figure(tuple(panels), (f"“{prompt.text}” ", Quiet(f"seed {prompt.seed}")))


def _curve(comparison: Comparison) -> tuple[Block, ...]:
    series = tuple(Series(run.name, run.losses) for run in comparison.runs if run.losses)
    if not series:
        return ()
    caption = "Means of about 50 steps. A lower training loss is no better LoRA."
    return (Curve("Smoothed loss over images seen", series, caption, x_label="images seen", y_label="loss"),)


def _measures(comparison: Comparison) -> Table:
    columns = (Column("Measure"), *(Column(run.name, "number") for run in comparison.runs))
    rows = tuple((MEASURES[name].title, *(_measured(run, name) for run in comparison.runs)) for name in measures_of(comparison.runs))
    return Table("Measures of the recommended checkpoints", columns, rows)


def _measured(run: ComparedRun, name: str) -> str:
    return value_with_error(None if run.chosen is None else run.chosen.measured.measures.get(name))
