"""Lints about the training images: how many there are, how large, and how their folders share the run."""

from __future__ import annotations

import math
from collections.abc import Mapping

from lorasmith.datasets.balance import MOST_PASSES, balanced_repeats
from lorasmith.findings import Evidence, Fix, SettingChange
from lorasmith.guides import CRASH_COURSE, FUNDAMENTALS, SEAART, guides
from lorasmith.pages.numbers import count
from lorasmith.training.planning.lints.registry import Findings, lint, warning
from lorasmith.training.planning.lints.run_facts import LookOfSet, RunFacts

FEWEST: Mapping[LookOfSet, tuple[str, int, str]] = {
    "subject": ("one subject", 15, f"{CRASH_COURSE}: at least 15, though 8 has worked"),
    "style": ("a style", 30, guides(SEAART, FUNDAMENTALS)),
    "multi-concept": ("a concept", 15, guides(CRASH_COURSE)),
}
"""What a set looks like -> in words, pictures that it needs at least, and who says so."""
MOST: Mapping[LookOfSet, int] = {"subject": 100, "style": 400}


@lint
def few_pictures(run: RunFacts) -> Findings:
    what, least, source = FEWEST[run.looks_like]
    short = {name: share.pictures for name, share in run.concepts.items() if share.pictures < least}
    if short:
        where = ", ".join(f"{name or 'The dataset'} has {count(number, 'picture')}" for name, number in short.items())
        yield warning(
            f"{where}, and {what} needs about {least}.",
            evidence=Evidence(min(short.values()), "pictures"), about="folder", subjects=tuple(name for name in short if name),
            why="What a few pictures share by chance is learnt with the rest.", fix=Fix("Add pictures."), source=source,
        )  # fmt: skip


@lint
def many_pictures(run: RunFacts) -> Findings:
    most = MOST.get(run.looks_like, math.inf)
    pictures = run.training_set.training_pictures
    if pictures > most:
        yield warning(
            f"{count(pictures, 'picture')} are more than {run.looks_like} LoRAs gain from ({most} at most).",
            evidence=Evidence(pictures, "pictures"), about="set", why="A bad picture goes unnoticed among so many.",
            fix=Fix(f"Keep the best {most // 2} to {most}, or hold some out."), source=guides(SEAART, CRASH_COURSE, FUNDAMENTALS),
        )  # fmt: skip


@lint
def small_pictures(run: RunFacts) -> Findings:
    small = [item for item in run.pictures if item.fit.resized[0] > 1.25 * item.picture.size[0]]
    if 10 * len(small) >= len(run.pictures):
        side = int(math.sqrt(min(math.prod(item.picture.size) for item in small)))
        lower = max(64, side // 64 * 64)
        yield warning(
            f"{len(small):,} of {count(len(run.pictures), 'picture')} {'is' if len(small) == 1 else 'are'} enlarged by more than a quarter to reach buckets.resolution.",
            evidence=Evidence(len(small), "pictures"), about="picture", subjects=tuple(str(item.picture.path) for item in small),
            why="The LoRA learns their blur.",
            fix=Fix(
                f"Upscale them with a good upscaler, set buckets.bucket_no_upscale to true, or buckets.resolution to {lower}.",
                (SettingChange("buckets.bucket_no_upscale", True),),
            ),
            source=guides(CRASH_COURSE, FUNDAMENTALS),
        )  # fmt: skip


@lint
def unbalanced_concepts(run: RunFacts) -> Findings:
    samples = {name: share.samples for name, share in run.concepts.items()}
    if len(samples) < 2 or max(samples.values()) <= 1.5 * min(samples.values()):
        return
    most, least = max(samples, key=lambda name: samples[name]), min(samples, key=lambda name: samples[name])
    fair = balanced_repeats({name: share.pictures for name, share in run.concepts.items()}, epochs=run.plan.epochs)
    yield warning(
        f"{most} has {count(samples[most], 'sample')} an epoch and {least} {samples[least]}.",
        evidence=Evidence(samples[most] / samples[least], "times as many samples"), about="folder", subjects=(most, least),
        why="The first grows at the other's expense.",
        fix=Fix("Set the folders' repeats to " + ", ".join(f"{share.repeats} ({name})" for name, share in fair.items()) + "."),
        source=guides(CRASH_COURSE),
    )  # fmt: skip


@lint
def over_baked_folders(run: RunFacts) -> Findings:
    for name, share in run.concepts.items():
        passes = share.repeats * run.epochs
        if passes > MOST_PASSES:
            yield warning(
                f"Each of {count(share.pictures, 'picture')}{f' of {name}' if name else ''} is seen {passes:.0f} times.",
                evidence=Evidence(passes, "passes"), about="folder", subjects=(name,) if name else (),
                why="The LoRA learns these pictures rather than what they show.",
                fix=Fix(
                    f"Find more pictures{f' for {name}' if name else ''}, or lower the repeats to "
                    f"{max(1, int(MOST_PASSES / 2 / run.epochs))} or training.epochs."
                ),
                source=guides(CRASH_COURSE),
            )  # fmt: skip
