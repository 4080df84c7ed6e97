"""Which pictures a run is validated on: held-out ones, that it never trains on, and as many that it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lorasmith.captions.rules import CaptionRules, caption_for_training
from lorasmith.command_line import quoted
from lorasmith.dataset_folder import HOLDOUT, pictures_below
from lorasmith.datasets.settings import BucketSettings, DatasetSettings
from lorasmith.datasets.training_set import TrainingPicture, TrainingSet, open_training_set
from lorasmith.draws import rng_for, seed_of
from lorasmith.errors import DatasetError, SettingsError
from lorasmith.findings import Finding
from lorasmith.stores import local
from lorasmith.training.settings.sections import ValidationSettings

PLAIN = DatasetSettings(path=Path(), masked_loss=False)
"""The settings that all pictures are measured under: no augmentation, no masks."""


@dataclass(frozen=True)
class ValidationSet:
    """The pictures to validate on, in their fixed order, and what is wrong with their folders. Their dataset is `PLAIN`."""

    held_out: tuple[TrainingPicture, ...]
    trained: tuple[TrainingPicture, ...]
    captioned_as: tuple[DatasetSettings, ...]
    """For each picture the dataset whose settings of captions it has: its own, for a held-out one that which it was taken from."""
    findings: tuple[Finding, ...] = ()

    @property
    def pictures(self) -> tuple[TrainingPicture, ...]:
        return self.held_out + self.trained


def caption_for_validation(item: TrainingPicture, rules: CaptionRules) -> str:
    """The caption as trained, trigger and all, but always the same: whole, in its own order."""
    fixed = replace(rules, shuffle=False, dropout=0.0, dropout_every_n_epochs=0, tag_dropout=0.0, token_warmup_step=0)
    return caption_for_training(item.picture.caption or "", fixed, rng_for("validation caption", item.picture.content))


def open_validation(
    validation: ValidationSettings, datasets: Sequence[DatasetSettings], buckets: BucketSettings, training_set: TrainingSet,
    cache: Path | None = None,
) -> ValidationSet | None:  # fmt: skip
    """The held-out pictures and as many training images; None where nothing is held out, or validation is off.

    Raises:
        DatasetError: the folder cannot be used, or a picture is both trained on and held out.
        SettingsError: validation is set up, but there is nothing to validate on.
    """
    if validation.every_n_epochs == 0:
        return None
    held_out_set = open_held_out(validation, datasets, buckets, training_set, cache)
    if held_out_set is None:
        if validation != ValidationSettings():
            given = next(
                name for name in ValidationSettings.model_fields if getattr(validation, name) != getattr(ValidationSettings(), name)
            )
            raise SettingsError(
                f"validation.{given} has no effect, because no picture is held out. Hold some out with "
                f"`lorasmith layout {quoted(datasets[0].path)} --holdout 0.1`, set validation.path, or remove it.",
                code="settings.no_effect", setting=f"validation.{given}",
            )  # fmt: skip
        return None
    held_out = choose(held_out_set.pictures, validation.max_images)
    if len(held_out) == 1 and validation.stop_when_over is not None:
        raise SettingsError(
            "validation.stop_when_over has no effect with one held-out picture, because one cannot say how far it is to be trusted. Hold out "
            "more, or remove it.",
            code="settings.no_effect", setting="validation.stop_when_over",
        )  # fmt: skip
    trained = choose([item for item in training_set.looked_at if not item.picture.is_reg], len(held_out))
    captioned_as = [*(held_out_set.datasets[item.dataset] for item in held_out), *(datasets[item.dataset] for item in trained)]
    return ValidationSet(_plain(held_out), _plain(trained), tuple(captioned_as), held_out_set.findings)


@dataclass(frozen=True)
class HeldOutSet:
    """All pictures that are held out. A picture's `dataset` is its place in `datasets`, whose settings of captions it has."""

    pictures: tuple[TrainingPicture, ...]
    datasets: tuple[DatasetSettings, ...]
    findings: tuple[Finding, ...]


def open_held_out(
    validation: ValidationSettings, datasets: Sequence[DatasetSettings], buckets: BucketSettings, training_set: TrainingSet,
    cache: Path | None = None,
) -> HeldOutSet | None:  # fmt: skip
    """All pictures that are held out; None where none is.

    Raises DatasetError where the folder cannot be used, or a picture is both trained on and held out.
    """
    folders = _folders(validation, datasets)
    opened = open_training_set(folders, buckets, cache=cache) if folders else TrainingSet((), ())
    if validation.path is None:
        opened, folders = _with_held_out_rows(opened, folders, datasets, training_set)
    if not opened.pictures:
        return None
    _refuse_trained(opened, training_set)
    return HeldOutSet(tuple(opened.pictures), tuple(folders), opened.findings)


def _with_held_out_rows(
    opened: TrainingSet, folders: Sequence[DatasetSettings], datasets: Sequence[DatasetSettings], training_set: TrainingSet
) -> tuple[TrainingSet, list[DatasetSettings]]:
    """The held-out pictures with those that rows of manifests and shards hold out themselves."""
    pictures, places = list(opened.pictures), list(folders)
    for rows in training_set.rows:
        held_out = rows.held_out()
        if len(held_out) and not rows.dataset.is_reg:
            pictures += [replace(item, dataset=len(places)) for item in held_out]
            places.append(datasets[rows.number].model_copy(update={**_NOT_MEASURED, "repeats": 1}))
    return TrainingSet(tuple(pictures), opened.findings), places


def choose(pictures: Sequence[TrainingPicture], most: int) -> list[TrainingPicture]:
    """At most `most` pictures, chosen by their content: the same ones whatever they and the others are called; no exact copies."""
    by_content = {item.picture.content: item for item in reversed(pictures)}
    chosen = sorted(by_content, key=lambda content: seed_of("validation picture", content))[:most]
    return [by_content[content] for content in chosen]


def _plain(pictures: Sequence[TrainingPicture]) -> tuple[TrainingPicture, ...]:
    """The pictures as those of the one dataset `PLAIN`."""
    return tuple(replace(item, dataset=0, masks=()) for item in pictures)


def _folders(validation: ValidationSettings, datasets: Sequence[DatasetSettings]) -> list[DatasetSettings]:
    """Folders of held-out pictures, each at the resolution and with the settings of captions of the dataset that it belongs to."""
    if validation.path is not None:
        return [DatasetSettings(path=validation.path, repeats=1, masked_loss=PLAIN.masked_loss)]
    beside = [(dataset, local(dataset.path) / HOLDOUT) for dataset in datasets if not dataset.is_reg]
    return [
        dataset.model_copy(update={**_NOT_MEASURED, "path": folder, "repeats": 1}) for dataset, folder in beside if _has_pictures(folder)
    ]


_NOT_MEASURED = {
    name: getattr(PLAIN, name) for name in ("batch_size", "flip_aug", "color_aug", "random_crop", "alpha_mask", "mask_path", "masked_loss")
}
"""Settings of a dataset that do not hold for its held-out pictures."""


def _has_pictures(folder: Path) -> bool:
    return folder.is_dir() and bool(pictures_below(folder))


def _refuse_trained(held_out: TrainingSet, training_set: TrainingSet) -> None:
    """Raises DatasetError where the same bytes are on both sides: such a picture rewards memorising."""
    trained = training_set.twins_of({item.picture.content for item in held_out.pictures})
    for item in held_out.pictures:
        twin = trained.get(item.picture.content)
        if twin is not None:
            raise DatasetError(
                f"{item.picture.path} is held out for validation and trained on as {twin}. Delete one of the two, "
                "because a picture that was trained on cannot judge the LoRA.",
                code="validation.held_out_is_trained", held_out=str(item.picture.path), trained=str(twin),
            )  # fmt: skip
