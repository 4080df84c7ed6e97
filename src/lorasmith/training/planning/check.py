"""Everything that can be said of a run before a weight is loaded: whether it can work, on what, and what it will do."""

from __future__ import annotations

from dataclasses import dataclass

from lorasmith.datasets.training_set import TrainingSet, open_training_set
from lorasmith.errors import DatasetError
from lorasmith.findings import Finding
from lorasmith.models.open import describe
from lorasmith.training.planning.plan import Plan, make_plan
from lorasmith.training.settings.checks import check_fits_base, check_together
from lorasmith.training.settings.tree import Settings
from lorasmith.training.validation.validation import ValidationSet, open_validation


@dataclass(frozen=True)
class CheckedRun:
    """A run that can begin."""

    settings: Settings
    training_set: TrainingSet
    validation_set: ValidationSet | None
    plan: Plan
    warnings: tuple[str, ...]
    """Of settings that do little together."""

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with files, a sentence each."""
        return tuple(map(str, self.findings))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the folders."""
        return (*self.training_set.findings, *(self.validation_set.findings if self.validation_set else ()))


def check(settings: Settings) -> CheckedRun:
    """Look at settings, pictures and the base's description; raises InputError with one sentence where the run could not work."""
    warnings = check_together(settings)
    base = describe(settings.base.path, **settings.base.open_options)
    check_fits_base(settings, base.prediction_type, base.zero_terminal_snr)
    training_set = open_training_set(
        settings.datasets, settings.buckets, batch_size=settings.training.batch_size, balance_reg=settings.training.balance_reg
    )
    if not any(item.picture.caption for item in training_set.pictures) and settings.captions.trigger is None:
        raise DatasetError(
            f"no picture in {settings.datasets[0].path} has a caption, and there is no trigger; write captions beside the pictures or set captions.trigger"
        )
    validation_set = open_validation(settings, training_set)
    return CheckedRun(settings, training_set, validation_set, make_plan(settings, training_set), tuple(warnings))
