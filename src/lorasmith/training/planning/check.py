"""Everything that can be known of a run before a weight is loaded: whether it can work, on what, and what it will do."""

from __future__ import annotations

from dataclasses import dataclass

from lorasmith.datasets.training_set import TrainingSet, open_training_set
from lorasmith.errors import DatasetError, about_setting
from lorasmith.findings import Finding
from lorasmith.images.picture_cache import PICTURES
from lorasmith.models.description import Description
from lorasmith.models.open import describe
from lorasmith.training.objective.loss_settings import check_loss_of_masks
from lorasmith.training.planning.base_fit import check_fits_description, check_merged_are_there
from lorasmith.training.planning.plan import Plan, make_plan
from lorasmith.training.planning.trigger_fit import trigger_findings
from lorasmith.training.sample_requests import check_trigger_in_samples, sample_findings, sample_requests
from lorasmith.training.settings.checks import check_fits_base, check_together
from lorasmith.training.settings.tree import Settings
from lorasmith.training.validation.validation_set import ValidationSet, open_validation


@dataclass(frozen=True)
class CheckedRun:
    """A run that can start: its settings, and all that was read to check them, so that nobody reads it twice."""

    settings: Settings
    description: Description
    """Of the base."""
    training_set: TrainingSet
    validation_set: ValidationSet | None
    plan: Plan
    of_settings: tuple[Finding, ...]
    """Settings that do little together."""

    @property
    def of_folders(self) -> tuple[Finding, ...]:
        """What is wrong with the folders of pictures."""
        return (*self.training_set.findings, *(self.validation_set.findings if self.validation_set else ()))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong or odd, and does not keep the run from starting."""
        return (*self.of_settings, *self.of_folders)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The findings about settings, a sentence each."""
        return tuple(finding.message for finding in self.of_settings)

    @property
    def problems(self) -> tuple[str, ...]:
        """The findings about folders, a sentence each."""
        return tuple(map(str, self.of_folders))


def check(settings: Settings) -> CheckedRun:
    """Check settings, pictures and the base's description.

    Raises:
        InputError: the run could not work; one sentence says why and what to do.
    """
    of_settings = check_together(settings)
    with about_setting("base.path"):
        description = describe(settings.base.path, **settings.base.open_options)
    check_merged_are_there(settings.base)
    with about_setting("cache"):
        settings.cached_at("latents")
    check_fits_base(settings, description.prediction_type, description.zero_terminal_snr)
    cache = settings.cache_folder / PICTURES
    with about_setting("datasets"):
        training_set = open_training_set(
            settings.datasets,
            settings.buckets,
            batch_size=settings.training.batch_size,
            balance_reg=settings.training.balance_reg,
            cache=cache,
        )
    if not any(item.picture.caption for item in training_set.pictures) and settings.captions.trigger is None:
        raise DatasetError(
            f"No picture in {settings.datasets[0].path} has a caption, and there is no trigger word. Write captions beside the pictures, or set "
            "captions.trigger.",
            code="dataset.no_captions", setting="captions.trigger", path=str(settings.datasets[0].path),
        )  # fmt: skip
    check_trigger_in_samples(settings)
    check_loss_of_masks(settings.loss, training_set.masked_pictures)
    check_fits_description(settings.samples, training_set, description, sample_requests(settings))
    validation_set = open_validation(settings.validation, settings.datasets, settings.buckets, training_set, cache)
    of_settings += [*trigger_findings(settings, description), *sample_findings(settings, description.family)]
    return CheckedRun(settings, description, training_set, validation_set, make_plan(settings, training_set), tuple(of_settings))
