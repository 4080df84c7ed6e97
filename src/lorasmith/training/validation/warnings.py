"""What a run is told of its validation: that the weights hold its pictures, and that it gets worse. Two findings, because they are two things.

A LoRA that holds its pictures may still do what prompts ask, and one that gets worse need not hold any. Neither says which checkpoint is
best: measured on LoRAs whose quality was known, the lowest held-out loss picked worse than the last checkpoint did. So no checkpoint is
recommended here: a proof draws them and says.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from lorasmith.findings import Evidence, Finding, Fix
from lorasmith.pages.numbers import count
from lorasmith.training.events import BandValidation, ValidationDone
from lorasmith.training.validation.bands import BANDS
from lorasmith.training.validation.rounds import Round

HELD_BY_HEART = 0.5
"""Nats between held-out and training images from which on the weights hold the latter."""


def begins(before: ValidationDone | None, now: ValidationDone) -> Iterator[Finding]:
    """What is to be said of a round that was not to be said of the one before."""
    for holds, finding in ((_memorises, _memorising), (_gets_worse, _getting_worse)):
        if holds(now) and not (before is not None and holds(before)):
            yield finding(now)


def _most_noise(event: ValidationDone) -> tuple[str, BandValidation] | None:
    """The band of most noise that is measured: memorising is told best there, and the held-out loss misleads least."""
    return next(((name, event.bands[name]) for name in reversed(BANDS) if name in event.bands), None)


def _memorises(event: ValidationDone) -> bool:
    """Whether the gap is large, and no chance."""
    if (found := _most_noise(event)) is None:
        return False
    gap, margin = found[1]["gap"], found[1]["gap_margin"]
    return gap > HELD_BY_HEART and margin is not None and gap > margin


def _memorising(event: ValidationDone) -> Finding:
    found = _most_noise(event)
    assert found is not None
    name, band = found
    of_what = f"{_nats(band['gap'], band['gap_margin'])} in the noise that decides {BANDS[name].title}"
    share = math.exp(-band["gap"])
    return Finding(
        "validation.memorises", "warning", about="set",
        message=(
            f"After epoch {event.epoch} the weights hold the training images: their loss is {share:.0%} of what it would be if they had "
            f"not been trained on (a gap of {of_what})."
        ),
        evidence=Evidence(band["gap"], "nats of gap", of_what),
        why="That alone is no fault: such a LoRA may still do what prompts ask.",
        fix=Fix("Run `lorasmith prove`: it shows whether captions bring the images back, and whether new prompts still work."),
    )  # fmt: skip


def _gets_worse(event: ValidationDone) -> bool:
    """Whether held-out pictures have risen beyond the margin above where they were best."""
    if (found := _most_noise(event)) is None:
        return False
    rise, margin = found[1]["above_best"], found[1]["above_best_margin"]
    return rise is not None and margin is not None and rise > margin


def _getting_worse(event: ValidationDone) -> Finding:
    found = _most_noise(event)
    assert found is not None
    name, band = found
    assert band["above_best"] is not None
    rise = f"{_nats(band['above_best'], band['above_best_margin'])} over {count(len(event.val_losses), 'held-out picture')}"
    noise = f"in the noise that decides {BANDS[name].title}"
    if band["best_epoch"] == 0:
        message = f"After epoch {event.epoch} the LoRA is worse than the base alone on pictures that it has not seen, {noise} (by {rise})."
        fix = Fix("Lower the learning rate.")
    else:
        message = f"Since epoch {band['best_epoch']} the loss on pictures that the LoRA has not seen rises, {noise} (by {rise})."
        fix = Fix("Compare the samples of both epochs; a proof of the run says which checkpoint is the better one.")
    return Finding(
        "validation.gets_worse", "warning", about="set", message=message,
        evidence=Evidence(band["above_best"], "nats of rise of the held-out loss", rise),
        why="The loss alone picks checkpoints badly, so this is a reason to look and not to stop.", fix=fix,
    )  # fmt: skip


def _nats(number: float, margin: float | None) -> str:
    return f"{number:.2f}" + ("" if margin is None else f" ± {margin:.2f}") + " nats"


def pictures_changed() -> Finding:
    return Finding(
        "validation.pictures_changed", "note", about="set",
        message="The pictures for validation have changed since the run began; what was measured before is not compared with what follows.",
    )  # fmt: skip


def never_over() -> Finding:
    return Finding(
        "validation.never_over", "warning", about="setting", subjects=("validation.stop_when_over",),
        message="validation.stop_when_over has no effect, because no timestep of validation.timesteps decides shapes or composition.",
        fix=Fix("Remove validation.timesteps, or add timesteps of much noise, such as 625 and 875."),
    )  # fmt: skip


def not_finite(found: Round) -> Finding | None:
    """Where a loss is not finite, such as after an overflow in half precision: such a round says nothing."""
    bad = [name for name, loss in {**found.held_out, **found.trained}.items() if not math.isfinite(loss)]
    if not bad:
        return None
    more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
    return Finding(
        "validation.not_finite", "warning", about="picture", subjects=tuple(bad),
        message=f"Validation after epoch {found.epoch} gives no finite loss on {bad[0]}{more} and is left out.",
        evidence=Evidence(len(bad), "pictures without a finite loss"), fix=Fix("Look at the samples."),
    )  # fmt: skip
