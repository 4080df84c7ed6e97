"""Lints about how long a run is, how it is divided, and what it keeps."""

from __future__ import annotations

import math
from collections.abc import Mapping

from lorasmith.findings import Evidence, Fix
from lorasmith.guides import BOOTCAMP, COLAB, CRASH_COURSE, FUNDAMENTALS, SEAART, guides
from lorasmith.pages.numbers import count
from lorasmith.training.due import due_after_epoch
from lorasmith.training.planning.lints.registry import Findings, lint, set_to, warning
from lorasmith.training.planning.lints.run_facts import LookOfSet, RunFacts

SAMPLES: Mapping[LookOfSet, tuple[int, int, str]] = {
    "subject": (700, 3000, guides(SEAART, BOOTCAMP, FUNDAMENTALS)),
    "style": (1500, 6000, guides(BOOTCAMP, FUNDAMENTALS)),
    "multi-concept": (1250, 6000, guides(SEAART, CRASH_COURSE, BOOTCAMP)),
}
"""Samples in the whole run (steps at batch size 1): the least and the most that a guide gives, and who says so."""
PASSES: Mapping[LookOfSet, int] = {"subject": 100, "style": 35, "multi-concept": 100}
"""Passes over each picture that are usual (the crash course)."""
ON_EPOCHS = guides(SEAART, CRASH_COURSE, COLAB, BOOTCAMP)


@lint
def short_training(run: RunFacts) -> Findings:
    least, _, source = SAMPLES[run.looks_like]
    if run.samples < least / 2 and run.passes < PASSES[run.looks_like] / 2:
        yield warning(
            f"The run has {count(round(run.samples), 'sample')}, {count(round(run.passes), 'pass', 'passes')} over each picture; {least} and {PASSES[run.looks_like]} are usual.",
            evidence=Evidence(run.samples, "samples"), why="The LoRA will likely do little.", fix=set_to(*run.length_for(least)), source=source,
        )  # fmt: skip


@lint
def long_training(run: RunFacts) -> Findings:
    _, most, source = SAMPLES[run.looks_like]
    if run.samples > 2 * most and run.passes > PASSES[run.looks_like]:
        yield warning(
            f"The run has {count(round(run.samples), 'sample')}, {count(round(run.passes), 'pass', 'passes')} over each picture; {most} and {PASSES[run.looks_like]} are usual.",
            evidence=Evidence(run.samples, "samples"), why="Its end is likely over-trained.", fix=set_to(*run.length_for(most)), source=source,
        )  # fmt: skip


@lint
def large_batch(run: RunFacts) -> Findings:
    name, size = run.largest_batch
    if size > 4:
        yield warning(
            f"{name} is {size}.", evidence=Evidence(size, "pictures"),
            why="Over 4 details average out, and a higher learning rate is needed.", fix=set_to(name, 4, f"Set {name} to 4 or less."),
            source=guides(CRASH_COURSE),
        )  # fmt: skip


@lint
def concepts_in_batches(run: RunFacts) -> Findings:
    name, size = run.largest_batch
    if len(run.concepts) > 1 and size > 1:
        yield warning(
            f"{name} is {size} with {len(run.concepts)} concepts.", evidence=Evidence(size, "pictures"), why="A step mixes them.",
            fix=set_to(name, 1), source=guides(CRASH_COURSE),
        )  # fmt: skip


@lint
def repeats_instead_of_epochs(run: RunFacts) -> Findings:
    repeats, epochs = min(share.repeats for share in run.concepts.values()), run.plan.epochs
    if epochs < 4 and repeats >= 4:
        yield warning(
            f"With {count(epochs, 'epoch')} of {repeats} repeats there {'is' if epochs == 1 else 'are'} {count(epochs, 'checkpoint')} to choose from.", evidence=Evidence(epochs, "checkpoints"),
            subjects=("training.epochs",), why="The best one is often not the last.",
            fix=Fix(f"Divide the repeats by {repeats} and multiply training.epochs by it."), source=ON_EPOCHS,
        )  # fmt: skip


@lint
def few_checkpoints(run: RunFacts) -> Findings:
    every = run.settings.checkpoints.save_every_n_epochs
    kept = math.ceil(run.plan.epochs / every) if every else 1
    if every != 1 and kept < 4 and run.settings.checkpoints.save_every_n_steps is None:
        yield warning(
            f"checkpoints.save_every_n_epochs {every} keeps {kept} of {count(run.plan.epochs, 'epoch')}.", evidence=Evidence(kept, "checkpoints"),
            why="The best one is often not the last.", fix=set_to("checkpoints.save_every_n_epochs", 1), source=ON_EPOCHS,
        )  # fmt: skip


@lint
def never_stops_when_over(run: RunFacts) -> Findings:
    in_a_row, last = run.settings.validation.stop_when_over, run.plan.epochs
    validations = sum(
        due_after_epoch(run.settings, epoch, epoch == last, run.plan.steps_per_epoch).validation for epoch in range(1, last + 1)
    )
    if in_a_row is not None and in_a_row >= validations:
        yield warning(
            f"validation.stop_when_over waits for {in_a_row} validations in a row, and the run has {validations}, the last one at its end.",
            evidence=Evidence(validations, "validations"), why="So it never ends the run.",
            fix=set_to("validation.stop_when_over", None, "Validate more often with validation.every_n_epochs, or remove it."),
            source="what is counted",
        )  # fmt: skip
