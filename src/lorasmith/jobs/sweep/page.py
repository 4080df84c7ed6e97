"""The page of a sweep: which trial to use, verdicts side by side, what each setting did, and the best trials beside each other."""

from __future__ import annotations

from pathlib import Path

from lorasmith.evaluation.compare import compare
from lorasmith.evaluation.compare_page import comparison_sections
from lorasmith.evaluation.verdict_page import TONES
from lorasmith.jobs.sweep.effects import Difference, Effect
from lorasmith.jobs.sweep.outcome import Swept, TrialOutcome
from lorasmith.jobs.sweep.trials import value_in_words
from lorasmith.pages.content import Block, Code, Column, Page, Quiet, Section, Status, Strong, Table, Text, Tone, Verdict, Words
from lorasmith.pages.numbers import count
from lorasmith.pages.render import write_page

COMPARED = 4
"""Trials whose pictures are shown beside each other, the best ones."""
STATES: dict[str, Tone] = {"done": "good", "failed": "error", "ruled out": "note"}


def write_sweep(swept: Swept) -> Path:
    """Write the page of a sweep into its folder, and give its path."""
    write_page(swept.page, sweep_page(swept))
    return swept.page


def sweep_page(swept: Swept) -> Page:
    """What the page contains."""
    sections = [
        Section("Trials", (_trials(swept),)),
        Section("What each setting did", _settings(swept)),
        *_beside_each_other(swept),
    ]
    return Page(
        title=swept.name, kicker="A sweep with Lorasmith", top=(_status(swept),),
        sections=tuple(section for section in sections if section.blocks), footer="Made by Lorasmith from the runs' own folders.",
    )  # fmt: skip


def _status(swept: Swept) -> Status:
    first, *others = swept.sentences[: len(swept.sentences) - len(swept.effects)]
    best = swept.recommended
    tone: Tone = "warning" if best is None or best.chosen is None else TONES.get(best.chosen.headline, "warning")
    return Status(tone, first, " ".join(others if swept.complete else [*others, "The sweep was stopped; the same command goes on."]))


def _trials(swept: Swept) -> Table:
    varied = list(swept.trials[0].values) if swept.trials else []
    columns = (Column("Trial"), *(Column(name) for name in varied), Column("State"), Column("Score", "number"), Column("Verdict"))
    return Table("Trials", columns, tuple(_trial(swept, one, varied) for one in swept.trials))


def _trial(swept: Swept, one: TrialOutcome, varied: list[str]) -> tuple[Words, ...]:
    name = "in full" if one.number is None else str(one.number)
    mark = " ★ recommended" if one is swept.recommended else " as good" if one in swept.as_good else ""
    score = "–" if one.score is None or one.chosen is None else f"{one.score:.2f} ± {one.chosen.score.error:.2f}"
    return (
        (Strong(name), Quiet(mark)), *(Code(value_in_words(one.values[name])) for name in varied),
        Verdict(STATES.get(one.state, "warning"), one.state), score, "\n".join(one.verdict) or one.reason,
    )  # fmt: skip


def _settings(swept: Swept) -> tuple[Block, ...]:
    if not swept.effects:
        return ()
    columns = (
        Column("Setting"),
        Column("Best"),
        Column("Beside it"),
        Column("Trials", "number"),
        Column("Score less by", "number"),
        Column("What that says"),
    )
    rows = tuple(_difference(effect, other) for effect in swept.effects for other in effect.others)
    alone = (
        ""
        if all(effect.repeated for effect in swept.effects)
        else " There were too few trials to see how much trainings vary: another seed may change more than the ±."
    )
    return (
        *(Text(effect.sentence) for effect in swept.effects),
        *((Table("What each setting did", columns, rows),) if rows else ()),
        Text(
            "Score: how far pictures of the subject have come from the base (0) to real pictures (1), times how well other prompts are kept. All "
            f"settings are fitted at once over {count(len([one for one in swept.judged if one.number is not None]), 'judged trial')}. ± is one standard error, over prompts and trainings; beyond the one-sided 95 % of "
            f"Student's t a value differs.{alone} Trials that were ruled out early have no score and are not in it.",
            quiet=True,
        ),
    )  # fmt: skip


def _difference(effect: Effect, other: Difference) -> tuple[Words, ...]:
    return (
        Code(effect.setting), Code(effect.best), Code(other.value), str(other.trials), f"{other.below:.2f} ± {other.error:.2f}",
        "worse" if other.differs else "cannot tell",
    )  # fmt: skip


def _beside_each_other(swept: Swept) -> tuple[Section, ...]:
    best = swept.judged[:COMPARED]
    return comparison_sections(compare([one.folder for one in best])) if len(best) > 1 else ()
