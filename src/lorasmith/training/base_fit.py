"""Whether settings and pictures fit the base, as far as only the loaded base can say."""

from __future__ import annotations

from collections.abc import Iterator

from lorasmith.datasets.training_set import TrainingSet
from lorasmith.errors import SettingsError
from lorasmith.findings import Evidence, Finding, Fix, SettingChange
from lorasmith.models.base import Base
from lorasmith.models.samplers import sampler_for
from lorasmith.training.settings.tree import Settings


def check_base_fits(settings: Settings, training_set: TrainingSet, base: Base) -> list[Finding]:
    """What is odd about training these pictures on this base; raises SettingsError where a size or the sampler is impossible."""
    _check_sizes(settings, training_set, base)
    if settings.samples.sampler is not None:
        sampler_for(settings.samples.sampler, base.diffusion.prediction_type)
    return [*_resolution_over_native(settings, training_set, base), *_captions_too_long(settings, training_set, base)]


def _check_sizes(settings: Settings, training_set: TrainingSet, base: Base) -> None:
    for setting, side in (("samples.width", settings.samples.width), ("samples.height", settings.samples.height)):
        if side is not None and side % base.pixel_step:
            raise SettingsError(
                f"{setting} is {side}, but sides must be multiples of {base.pixel_step} pixels for this base. "
                f"Set it to {side // base.pixel_step * base.pixel_step or base.pixel_step}.",
                code="run.size_does_not_fit", setting=setting, value=side, multiple_of=base.pixel_step,
            )  # fmt: skip
    odd = next((b for b in training_set.buckets if b[0] % base.pixel_step or b[1] % base.pixel_step), None)
    if odd is not None:
        raise SettingsError(
            f"The bucket {odd[0]} x {odd[1]} does not fit the base, whose sides must be multiples of {base.pixel_step} pixels. "
            f"Set buckets.bucket_reso_steps to a multiple of {base.pixel_step}.",
            code="run.size_does_not_fit", setting="buckets.bucket_reso_steps", multiple_of=base.pixel_step,
        )  # fmt: skip


def _resolution_over_native(settings: Settings, training_set: TrainingSet, base: Base) -> Iterator[Finding]:
    native = base.native_resolution
    largest = max(max(item.resolution or settings.buckets.size) for item in training_set.pictures)
    if largest > 2 * native:
        yield Finding(
            "run.resolution_over_native", "warning", about="setting", subjects=("buckets.resolution",),
            message=f"The resolution {largest} is more than twice the base's native {native}.",
            evidence=Evidence(largest, "pixels"), why="Subjects tend to appear twice in such pictures.",
            fix=Fix(f"Set buckets.resolution to {native}.", (SettingChange("buckets.resolution", native),)),
        )  # fmt: skip


def _captions_too_long(settings: Settings, training_set: TrainingSet, base: Base) -> Iterator[Finding]:
    most = base.max_tokens(settings.base.text_options)
    counted = ((base.count_tokens(item.picture.caption), item) for item in training_set.pictures if item.picture.caption)
    long = sorted(((count, item) for count, item in counted if count > most), key=lambda pair: -pair[0])
    if long:
        longest, item = long[0]
        yield Finding(
            "run.captions_too_long", "warning", about="caption", subjects=tuple(str(item.picture.path) for _, item in long),
            message=f"{len(long)} captions are longer than the {most} tokens that the base reads (the longest, of {item.picture.path.name}, "
            f"has {longest}). What comes after that is not trained.",
            evidence=Evidence(longest, "tokens", f"{longest} of at most {most} tokens."), fix=Fix("Shorten them."),
        )  # fmt: skip
