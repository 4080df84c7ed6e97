"""Whether a loaded base is sound, and what is odd about training these pictures on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import torch

from lorasmith.captions.advice.text import MAX_TOKEN_LENGTH
from lorasmith.captions.rules import longest_readings
from lorasmith.datasets.training_set import TrainingPicture, TrainingSet
from lorasmith.errors import BaseModelError, SettingsError
from lorasmith.findings import Evidence, Finding, Fix, SettingChange
from lorasmith.models.base import Base
from lorasmith.models.texts import TextOptions
from lorasmith.pages.numbers import count
from lorasmith.training.data import rules_for
from lorasmith.training.settings.tree import Settings


def check_base_fits(settings: Settings, training_set: TrainingSet, base: Base) -> list[Finding]:
    """What is odd about training these pictures on this base; raises BaseModelError where its weights are not finite."""
    _check_finite(settings, base)
    return [*_resolution_over_native(settings, training_set, base), *_captions_too_long(settings, training_set, base)]


def _check_finite(settings: Settings, base: Base) -> None:
    """A base with NaN in it makes every loss NaN, which otherwise looks like a learning rate that is too high."""
    for part, module in base.parts.items():
        damaged = [name for name, weight in module.named_parameters() if not _is_finite(weight)]
        if damaged:
            others = f" and {len(damaged) - 1} more" if len(damaged) > 1 else ""
            raise BaseModelError(
                f"The base {settings.base.path} is damaged: its {part} has weights that are NaN or infinite ({damaged[0]}{others}), so nothing "
                f"can be trained on it. Download the file again, or use another copy of the base.",
                code="base.not_finite", path=str(settings.base.path), part=part, tensors=damaged,
            )  # fmt: skip


def _is_finite(weight: torch.Tensor) -> bool:
    """One sum says so without a copy of the weight; where the sum itself is too large, each number is looked at."""
    if not weight.is_floating_point() or weight.dtype.itemsize == 1:  # quantised
        return True
    return bool(weight.sum(dtype=torch.float32).isfinite()) or bool(weight.isfinite().all())


def _resolution_over_native(settings: Settings, training_set: TrainingSet, base: Base) -> Iterator[Finding]:
    native = base.native_resolution
    largest = max(max(kind.resolution or settings.buckets.size) for kind in training_set.columns.kinds)
    if largest > 2 * native:
        yield Finding(
            "run.resolution_over_native", "warning", about="setting", subjects=("buckets.resolution",),
            message=f"The resolution {largest} is more than twice the base's native {native}.",
            evidence=Evidence(largest, "pixels"), why="Subjects tend to appear twice in such pictures.",
            fix=Fix(f"Set buckets.resolution to {native}.", (SettingChange("buckets.resolution", native),)),
        )  # fmt: skip


def _captions_too_long(settings: Settings, training_set: TrainingSet, base: Base) -> Iterator[Finding]:
    """Captions of which the lines that are trained, with trigger, prefix and suffix, have more tokens than the base reads."""
    options = settings.base.text_options
    most = base.max_tokens(options)

    def tokens(item: TrainingPicture, options: TextOptions) -> int:
        readings = longest_readings(item.picture.caption or "", rules_for(item, settings))
        return max(base.count_tokens(text, options) for text in readings)

    def reads(options: TextOptions, items: Iterable[TrainingPicture]) -> bool:
        return all(tokens(item, options) <= _most_tokens(base, options) for item in items)

    counted = ((tokens(item, options), item) for item in training_set.looked_at if item.picture.caption)
    long = sorted((pair for pair in counted if pair[0] > most), key=lambda pair: -pair[0])
    if long:
        longest, item = long[0]
        lengths = sorted(base.defaults.max_token_lengths)
        enough = next((n for n in lengths if reads(replace(options, max_token_length=n), (one for _, one in long))), None)
        fix = Fix("Shorten them.")
        if enough is not None:
            fix = Fix(f"Set {MAX_TOKEN_LENGTH} to {enough}, or shorten them.", (SettingChange(MAX_TOKEN_LENGTH, enough),))
        yield Finding(
            "run.captions_too_long", "warning", about="caption", subjects=tuple(str(item.picture.path) for _, item in long),
            message=f"{count(len(long), 'caption')} {'is' if len(long) == 1 else 'are'} longer than the {most} tokens that the base reads (the longest, of {item.picture.path.name}, "
            f"has {longest}). What comes after that is not trained.",
            evidence=Evidence(longest, "tokens", f"{longest} of at most {most} tokens."), fix=fix,
        )  # fmt: skip


def _most_tokens(base: Base, options: TextOptions) -> int:
    """Of a caption; 0 where the base cannot be set to these options."""
    try:
        return base.max_tokens(options)
    except SettingsError:
        return 0
