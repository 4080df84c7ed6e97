"""The pictures of a run, each in its bucket: what the folders become before the first step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from lorasmith.dataset_folder import CAPTION_SUFFIXES
from lorasmith.datasets.buckets import Fit, Size, bucket_sizes, fit
from lorasmith.datasets.folders import NOT_READ, Picture, folder_finding, open_folder
from lorasmith.datasets.latent_request import LatentRequest
from lorasmith.datasets.masks import Mask, find_masks
from lorasmith.datasets.order import EpochOrder, Group, Members, Order, Shape
from lorasmith.datasets.regularisation import regularisation_repeats
from lorasmith.datasets.settings import BucketSettings, DatasetSettings, check_datasets
from lorasmith.errors import DatasetError
from lorasmith.findings import Evidence, Finding
from lorasmith.pages.numbers import count


@dataclass(frozen=True)
class TrainingPicture:
    """A picture and its way into its bucket."""

    picture: Picture
    fit: Fit
    dataset: int = 0
    """Which of the run's datasets it comes from."""
    resolution: Size | None = None
    """The area that its buckets have; pictures of two resolutions are never in one batch."""
    batch_size: int | None = None
    """Its dataset's own; None where that has none."""
    masks: tuple[Mask, ...] = ()
    """What says which parts of it count; several count together."""
    balanced: int | None = None
    """Repeats of a regularisation picture that is balanced against the others; None where its folder's repeats count."""

    @property
    def repeats(self) -> int:
        """How many samples of it are in one epoch."""
        return self.picture.repeats if self.balanced is None else self.balanced

    @property
    def latent_request(self) -> LatentRequest:
        return LatentRequest(self.picture.path, self.picture.content, self.fit)


@dataclass(frozen=True)
class TrainingSet:
    """All pictures of a run in a fixed order, and what is wrong with their folders."""

    pictures: tuple[TrainingPicture, ...]
    findings: tuple[Finding, ...]
    not_needed: tuple[TrainingPicture, ...] = ()
    """Regularisation pictures beyond what balances the others; they are never trained on."""

    def __repr__(self) -> str:
        return f"TrainingSet({len(self.pictures)} pictures, {self.samples_per_epoch} samples an epoch, {len(self.buckets)} buckets)"

    @property
    def buckets(self) -> dict[Size, list[tuple[int, int]]]:
        """Bucket -> (index of the picture, repeats), over all datasets."""
        found: dict[Size, list[tuple[int, int]]] = {}
        for index, item in enumerate(self.pictures):
            found.setdefault(item.fit.bucket, []).append((index, item.repeats))
        return found

    def groups(self, batch_size: int) -> list[Group]:
        """Pictures that may share a batch; `batch_size` is for those whose dataset has none of its own."""
        found: dict[tuple[Size | None, int], dict[Size, list[tuple[int, int]]]] = {}
        for index, item in enumerate(self.pictures):
            buckets = found.setdefault((item.resolution, item.batch_size or batch_size), {})
            buckets.setdefault(item.fit.bucket, []).append((index, item.repeats))
        return [Group({bucket: Members.of(pairs) for bucket, pairs in buckets.items()}, size) for (_, size), buckets in found.items()]

    @cached_property
    def samples_per_epoch(self) -> int:
        """Pictures in an epoch, each as often as it is repeated."""
        return sum(item.repeats for item in self.pictures)

    @cached_property
    def training_samples_per_epoch(self) -> int:
        """The same without regularisation pictures: what sd-scripts calls `num_train_images`."""
        return sum(item.repeats for item in self.pictures if not item.picture.is_reg)

    @cached_property
    def declared_regularisation(self) -> int:
        """Regularisation pictures with the repeats that their folders declare, whether they are needed or not."""
        return sum(item.picture.repeats for item in (*self.pictures, *self.not_needed) if item.picture.is_reg)

    @cached_property
    def masked_pictures(self) -> int:
        """Pictures with regions that training leaves out."""
        return sum(bool(item.masks) for item in self.pictures)

    def batch_shapes(self, batch_size: int) -> Counter[Shape]:
        """Shape -> batches of it in an epoch, the same in each; without their order, which takes a draw for each sample."""
        return sum((group.shapes for group in self.groups(batch_size)), Counter())

    def batches_per_epoch(self, batch_size: int) -> int:
        return self.batch_shapes(batch_size).total()

    def order(self, batch_size: int, seed: int) -> Order:
        """The order of all epochs of a run."""
        return Order(self.groups(batch_size), seed)

    def epoch(self, number: int, batch_size: int, seed: int) -> EpochOrder:
        """The batches of epoch `number` (from 1); who asks for several takes `order` once."""
        return self.order(batch_size, seed).epoch(number)


def open_training_set(
    datasets: Sequence[DatasetSettings], buckets: BucketSettings, *, batch_size: int = 1, balance_reg: bool = True,
    cache: str | Path | None = None,
) -> TrainingSet:  # fmt: skip
    """Open and check the folders, decode every picture once, and give each its bucket.

    `cache` is the folder that keeps what was decoded before, as in `open_folder`.
    `batch_size` is the run's, for datasets that have none of their own. With `balance_reg` regularisation pictures are repeated as often as
    the training images that they share batches with; without, each as often as it is repeated.

    Raises DatasetError where a folder cannot be used at all; single bad pictures come back as findings.
    """
    check_datasets(datasets)
    pictures: list[TrainingPicture] = []
    findings: list[Finding] = []
    for number, dataset in enumerate(datasets):
        own = buckets if dataset.resolution is None else buckets.model_copy(update={"resolution": dataset.resolution})
        sizes = [] if own.bucket_no_upscale and own.enable_bucket else bucket_sizes(own)
        contents = open_folder(
            Path(dataset.path), repeats=dataset.repeats, is_reg=dataset.is_reg,
            caption_extension=dataset.caption_extension or CAPTION_SUFFIXES, cache=cache,
        )  # fmt: skip
        findings.extend(finding for finding in contents.findings if not _read_by_another(finding, dataset, datasets))
        fits = [fit(picture.size, own, sizes) for picture in contents.pictures]
        masks = find_masks(contents.pictures, fits, dataset, findings, cache)
        if not masks:
            raise DatasetError(
                f"No picture in {dataset.path} has a mask in which anything counts: correct the masks, or train without them."
            )
        for picture, way in zip(contents.pictures, fits, strict=True):
            if picture.path in masks:
                pictures.append(TrainingPicture(picture, way, number, own.size, dataset.batch_size, masks[picture.path]))
    if balance_reg:
        return _balanced(pictures, findings, datasets, batch_size)
    return TrainingSet(tuple(pictures), tuple(findings))


def _read_by_another(finding: Finding, dataset: DatasetSettings, datasets: Sequence[DatasetSettings]) -> bool:
    """Whether a finding is of a folder inside the dataset that is a dataset of the run itself, such as its regularisation pictures."""
    if finding.code != f"folder.{NOT_READ}":
        return False
    folder = (Path(dataset.path) / finding.subjects[0]).resolve()
    return any(Path(other.path).resolve() == folder for other in datasets)


def _balanced(
    pictures: list[TrainingPicture], findings: list[Finding], datasets: Sequence[DatasetSettings], batch_size: int
) -> TrainingSet:
    """The set with its regularisation pictures repeated as often as the others, in each group that shares batches."""
    repeats: dict[int, int] = {}
    groups: dict[tuple[Size | None, int], list[int]] = {}
    for index, item in enumerate(pictures):
        groups.setdefault((item.resolution, item.batch_size or batch_size), []).append(index)
    for members in groups.values():
        training = sum(pictures[i].repeats for i in members if not pictures[i].picture.is_reg)
        regularisation = [i for i in members if pictures[i].picture.is_reg]
        if regularisation and not training:
            folder = datasets[pictures[regularisation[0]].dataset].path
            raise DatasetError(
                f"No training image shares resolution and batch size with the regularisation pictures in {folder}, so none balances them: "
                f"give both the same, or set training.balance_reg to false."
            )
        balanced = regularisation_repeats(training, [pictures[i].picture.repeats for i in regularisation])
        repeats |= dict(zip(regularisation, balanced, strict=True))
    for number, dataset in enumerate(datasets):
        own = [index for index in repeats if pictures[index].dataset == number]
        spare = sum(not repeats[index] for index in own)
        if spare:
            message = (
                f"{spare} of the {count(len(own), 'regularisation picture')} in {dataset.path} are not used, since the others are as many as the "
                f"training images with their repeats."
            )
            fix = "Take the surplus out, raise those repeats, or set training.balance_reg to false."
            folder, evidence = Path(dataset.path), Evidence(spare, "pictures")
            findings.append(folder_finding("regularisation_not_needed", folder, folder, message, fix, about="folder", evidence=evidence))
    kept = [replace(item, balanced=repeats.get(index)) for index, item in enumerate(pictures)]
    return TrainingSet(tuple(item for item in kept if item.repeats), tuple(findings), tuple(item for item in kept if not item.repeats))
