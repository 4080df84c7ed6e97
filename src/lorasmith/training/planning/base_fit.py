"""Whether sizes, sampler and the LoRAs that are merged into it fit the base, as its description says before a weight of it is read."""

from __future__ import annotations

from collections.abc import Sequence

from lorasmith.datasets.training_set import TrainingSet
from lorasmith.errors import SettingsError, about_setting
from lorasmith.models.description import Description
from lorasmith.models.files.hub import is_elsewhere, source_of
from lorasmith.models.prompts.request import PictureRequest
from lorasmith.models.samplers import sampler_for
from lorasmith.models.settings import BaseModelSettings
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


def check_merged_are_there(base: BaseModelSettings) -> None:
    """Raises SettingsError where a LoRA of base.merge is missing; one on the hub or in a store is fetched later."""
    for number, lora in enumerate(base.merge):
        if not is_elsewhere(lora.path) and not source_of(lora.path).exists():
            raise SettingsError(
                f"There is no LoRA {lora.path} to merge into the base (base.merge): correct the path, or take it out.",
                code="base.merge_missing", setting=f"base.merge.{number}.path", path=str(lora.path),
            )  # fmt: skip


def check_merged(base: BaseModelSettings, family: str) -> None:
    """Raises AdapterError where a LoRA of base.merge cannot be read, is for another family, or cannot be taken away again for samples."""
    from lorasmith.adapters.tools.merged_base import check_removable
    from lorasmith.adapters.tools.opened import open_lora

    for number, lora in enumerate(base.merge):
        if is_elsewhere(lora.path):
            continue
        with about_setting(f"base.merge.{number}.path"):
            if lora.in_samples:
                open_lora(source_of(lora.path), family)
            else:
                check_removable(family, lora.path)


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
