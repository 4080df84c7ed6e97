"""Whether sizes and sampler fit the base, as its description says before a weight is read."""

from __future__ import annotations

from collections.abc import Sequence

from lorasmith.datasets.training_set import TrainingSet
from lorasmith.errors import SettingsError
from lorasmith.models.description import Description
from lorasmith.models.prompts.request import PictureRequest
from lorasmith.models.samplers import sampler_for
from lorasmith.training.settings.sections import SampleSettings


def check_fits_description(
    samples: SampleSettings, training_set: TrainingSet, description: Description, requests: Sequence[PictureRequest] = ()
) -> None:
    """Raises SettingsError where the base cannot take a bucket, the samples' size or their sampler, by the settings or a prompt's flags."""
    if samples.sampler is not None:
        sampler_for(samples.sampler, description.prediction_type)
    for one in requests:
        if one.sampler is not None:
            sampler_for(one.sampler, description.prediction_type)
    if {description.denoiser, "vae"} <= description.parts.keys():  # their settings say it; `missing_parts` reports one that is absent
        step = description.sizes.pixel_step
        for setting, side in (("samples.width", samples.width), ("samples.height", samples.height)):
            _check_side(setting, side, step)
        for one in requests:
            _check_side(f"The width of the sample prompt {one.prompt!r}", one.width, step)
            _check_side(f"The height of the sample prompt {one.prompt!r}", one.height, step)
        _check_buckets(training_set, step)


def _check_side(what: str, side: int | None, step: int) -> None:
    if side is not None and side % step:
        raise SettingsError(
            f"{what} is {side}, but sides must be multiples of {step} pixels for this base. Set it to {side // step * step or step}.",
            code="run.size_does_not_fit", setting=what, value=side, multiple_of=step,
        )  # fmt: skip


def _check_buckets(training_set: TrainingSet, step: int) -> None:
    odd = next((bucket for bucket in training_set.buckets if bucket[0] % step or bucket[1] % step), None)
    if odd is not None:
        raise SettingsError(
            f"The bucket {odd[0]} x {odd[1]} does not fit the base, whose sides must be multiples of {step} pixels. "
            f"Set buckets.bucket_reso_steps to a multiple of {step}.",
            code="run.size_does_not_fit", setting="buckets.bucket_reso_steps", multiple_of=step,
        )  # fmt: skip
