"""The pictures of a run, each in its bucket: what the folders become before the first step."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import overload

import numpy as np

from lorasmith.dataset_folder import CAPTION_SUFFIXES
from lorasmith.datasets.buckets import Fit, Size, bucket_sizes, fit
from lorasmith.datasets.columns import Columns, Kind
from lorasmith.datasets.folders import NOT_READ, Picture, folder_finding, open_folder
from lorasmith.datasets.latent_request import LatentRequest
from lorasmith.datasets.manifests import is_manifest, open_manifest
from lorasmith.datasets.masks import Mask, find_masks
from lorasmith.datasets.order import EpochOrder, Group, Members, Order, Shape
from lorasmith.datasets.regularisation import regularisation_repeats
from lorasmith.datasets.row_index import RowIndex
from lorasmith.datasets.settings import BucketSettings, DatasetSettings, check_datasets
from lorasmith.datasets.shards import is_shards, open_shards
from lorasmith.errors import DatasetError, SettingsError
from lorasmith.findings import Evidence, Finding
from lorasmith.images.file_part import FilePart
from lorasmith.pages.numbers import count
from lorasmith.stores import here


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

    is_row: bool = False
    """Whether it is of a manifest or of shards, of which there may be too many to keep anything of each in memory."""

    @property
    def repeats(self) -> int:
        """How many samples of it are in one epoch."""
        return self.picture.repeats if self.balanced is None else self.balanced

    @property
    def latent_request(self) -> LatentRequest:
        return LatentRequest(self.picture.part or self.picture.path, self.picture.content, self.fit)


class RowPictures(Sequence[TrainingPicture]):
    """The pictures of an index (a manifest, or shards), each made when it is asked for; `held_out` chooses those that judge the LoRA."""

    def __init__(
        self, path: Path, row_index: RowIndex, dataset: DatasetSettings, number: int, buckets: BucketSettings, held_out: bool = False
    ):
        self.path, self.row_index, self.dataset, self.number, self.buckets = path, row_index, dataset, number, buckets
        self.numbers = np.flatnonzero(row_index.table["held_out"] == held_out)
        """Which records of the index they are."""
        self._sizes = _sizes(buckets)

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> TrainingPicture: ...
    @overload
    def __getitem__(self, index: slice) -> list[TrainingPicture]: ...
    def __getitem__(self, index: int | slice) -> TrainingPicture | list[TrainingPicture]:
        if isinstance(index, slice):
            return [self._picture(int(number)) for number in self.numbers[index]]
        return self._picture(int(self.numbers[index]))

    def _picture(self, number: int) -> TrainingPicture:
        record, row = self.row_index.table[number], self.row_index.row(number)
        path = Path(row["file"])
        part = FilePart(path, row["name"], row["offset"], row["length"]) if "name" in row else None
        size, content = (int(record["width"]), int(record["height"])), record["content"].tobytes().hex()
        picture = Picture(
            path if part is None else path / part.name, row["text"], size, self.path.stem, int(record["repeats"]), self.dataset.is_reg,
            content, part,
        )  # fmt: skip
        return TrainingPicture(picture, self._fit(size), self.number, self.buckets.size, self.dataset.batch_size, is_row=True)

    def _fit(self, size: Size) -> Fit:
        return fit(size, self.buckets, self._sizes, f"A picture of {self.path}")

    def held_out(self) -> RowPictures:
        """Those of the same index that judge the LoRA."""
        return RowPictures(self.path, self.row_index, self.dataset, self.number, self.buckets, held_out=True)

    @cached_property
    def columns(self) -> Columns:
        """What is known of all without reading one."""
        rows = self.row_index.table[self.numbers]
        return Columns.of_sizes(
            rows["width"], rows["height"], rows["repeats"], self.dataset.is_reg, self._fit, self.buckets.size, self.dataset.batch_size
        )

    def among(self, contents: Collection[str]) -> Iterator[tuple[str, int]]:
        """Those of `contents` that are here, each with the number of a picture."""
        wanted = np.array([bytes.fromhex(content) for content in contents], "V32")
        found = np.flatnonzero(np.isin(self.row_index.table["content"][self.numbers].view("S32"), wanted.view("S32")))
        for number in found:
            yield self.row_index.table["content"][self.numbers[number]].tobytes().hex(), int(number)


class PictureList(Sequence[TrainingPicture]):
    """Pictures of folders, and after them those of indices, which are made when they are asked for."""

    def __init__(self, parts: Sequence[Sequence[TrainingPicture]]):
        self.parts = tuple(part for part in parts if len(part))
        self.ends = list(accumulate(map(len, self.parts)))

    def __len__(self) -> int:
        return self.ends[-1] if self.ends else 0

    @overload
    def __getitem__(self, index: int) -> TrainingPicture: ...
    @overload
    def __getitem__(self, index: slice) -> list[TrainingPicture]: ...
    def __getitem__(self, index: int | slice) -> TrainingPicture | list[TrainingPicture]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        part = bisect_right(self.ends, place)
        return self.parts[part][place - (self.ends[part - 1] if part else 0)]


def columns_of(pictures: Iterable[TrainingPicture]) -> Columns:
    """What is known of pictures, by columns."""
    return Columns.of(
        (Kind(i.fit.bucket, i.resolution, i.batch_size), i.repeats, i.picture.repeats, i.picture.is_reg, i.fit, i.picture.size)
        for i in pictures
    )


LOOKED_AT = 10_000
"""Pictures of an index that are looked at where only reading all of them would be exact."""


@dataclass(frozen=True)
class TrainingSet:
    """All pictures of a run in a fixed order, and what is wrong with their folders."""

    pictures: Sequence[TrainingPicture]
    findings: tuple[Finding, ...]
    not_needed: tuple[TrainingPicture, ...] = ()
    """Regularisation pictures beyond what balances the others; they are never trained on."""

    def __repr__(self) -> str:
        return f"TrainingSet({len(self.pictures)} pictures, {self.samples_per_epoch} samples an epoch, {len(self.buckets)} buckets)"

    @property
    def rows(self) -> tuple[RowPictures, ...]:
        """Those of indices; they come after all others."""
        parts = self.pictures.parts if isinstance(self.pictures, PictureList) else ()
        return tuple(part for part in parts if isinstance(part, RowPictures))

    @cached_property
    def listed(self) -> tuple[TrainingPicture, ...]:
        """Those of folders."""
        if isinstance(self.pictures, PictureList):
            return tuple(item for part in self.pictures.parts if not isinstance(part, RowPictures) for item in part)
        return tuple(self.pictures)

    @cached_property
    def looked_at(self) -> Sequence[TrainingPicture]:
        """All pictures of folders, and of each index at most `LOOKED_AT`, evenly spread: for what is asked of captions and sizes."""
        if not self.rows:
            return self.pictures
        return (*self.listed, *(item for rows in self.rows for item in rows[:: -(-len(rows) // LOOKED_AT)]))

    @cached_property
    def columns(self) -> Columns:
        """What is known of all pictures without reading one."""
        listed = columns_of(self.listed)
        return Columns.joined([listed, *(rows.columns for rows in self.rows)]) if self.rows else listed

    @cached_property
    def buckets(self) -> dict[Size, np.ndarray]:
        """Bucket -> indices of its pictures (int64), over all datasets."""
        return self.columns.members(lambda kind: kind.bucket)

    def groups(self, batch_size: int) -> list[Group]:
        """Pictures that may share a batch; `batch_size` is for those whose dataset has none of its own."""
        found: dict[tuple[Size | None, int], dict[Size, Members]] = {}
        together = self.columns.members(lambda kind: (kind.resolution, kind.batch_size or batch_size, kind.bucket))
        for (resolution, size, bucket), pictures in together.items():
            found.setdefault((resolution, size), {})[bucket] = Members.from_arrays(pictures, self.columns.repeats[pictures])
        return [Group(buckets, size) for (_, size), buckets in found.items()]

    @cached_property
    def samples_per_epoch(self) -> int:
        """Pictures in an epoch, each as often as it is repeated."""
        return int(self.columns.repeats.sum())

    @cached_property
    def training_pictures(self) -> int:
        """How many pictures there are without those for regularisation."""
        return int((~self.columns.is_reg).sum())

    @cached_property
    def training_samples_per_epoch(self) -> int:
        """Samples without regularisation pictures: what sd-scripts calls `num_train_images`."""
        return int(self.columns.repeats[~self.columns.is_reg].sum())

    @cached_property
    def declared_regularisation(self) -> int:
        """Regularisation pictures with the repeats that their folders declare, whether they are needed or not."""
        spare = sum(item.picture.repeats for item in self.not_needed if item.picture.is_reg)
        return int(self.columns.declared[self.columns.is_reg].sum()) + spare

    @cached_property
    def masked_pictures(self) -> int:
        """Pictures with regions that training leaves out."""
        return sum(bool(item.masks) for item in self.listed)

    def twins_of(self, contents: Collection[str]) -> dict[str, Path]:
        """Content -> a picture of the set that has it, of those contents that any has."""
        found = {item.picture.content: item.picture.path for item in self.listed if item.picture.content in contents}
        return found | {content: rows[number].picture.path for rows in self.rows for content, number in rows.among(contents)}

    def batch_shapes(self, batch_size: int) -> Counter[Shape]:
        """Shape -> batches of it in an epoch, the same in each; without their order."""
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
    """Open and check the datasets, decode every picture once, and give each its bucket.

    `cache` is the folder that keeps what was decoded before, as in `open_folder`; beside it are the indices of manifests and shards.
    `batch_size` is the run's, for datasets that have none of their own. With `balance_reg` regularisation pictures are repeated as often as
    the training images that they share batches with; without, each as often as it is repeated.

    Raises DatasetError where a dataset cannot be used at all; single bad pictures come back as findings.
    """
    check_datasets(datasets)
    datasets = [on_this_machine(dataset) for dataset in datasets]
    pictures: list[TrainingPicture] = []
    rows: list[RowPictures] = []
    findings: list[Finding] = []
    for number, dataset in enumerate(datasets):
        own = buckets if dataset.resolution is None else buckets.model_copy(update={"resolution": dataset.resolution})
        if is_indexed(dataset.path):
            opened = open_rows(dataset, number, own, cache, balance_reg)
            findings += left_out_of(opened)
            rows.append(opened)
            continue
        sizes = _sizes(own)
        contents = open_folder(
            Path(dataset.path), repeats=dataset.repeats, is_reg=dataset.is_reg,
            caption_extension=dataset.caption_extension or CAPTION_SUFFIXES, cache=cache,
        )  # fmt: skip
        findings.extend(finding for finding in contents.findings if not _read_by_another(finding, dataset, datasets))
        fits = [fit(picture.size, own, sizes, str(picture.path)) for picture in contents.pictures]
        masks = find_masks(contents.pictures, fits, dataset, findings, cache)
        if not masks:
            raise DatasetError(
                f"No picture in {dataset.path} has a mask in which anything counts: correct the masks, or train without them."
            )
        for picture, way in zip(contents.pictures, fits, strict=True):
            if picture.path in masks:
                pictures.append(TrainingPicture(picture, way, number, own.size, dataset.batch_size, masks[picture.path]))
    listed, not_needed = _balanced(pictures, rows, findings, datasets, batch_size) if balance_reg else (pictures, [])
    return TrainingSet(PictureList([tuple(listed), *rows]) if rows else tuple(listed), tuple(findings), tuple(not_needed))


def _sizes(buckets: BucketSettings) -> list[Size]:
    return [] if buckets.bucket_no_upscale and buckets.enable_bucket else bucket_sizes(buckets)


# Manifests and shards


def is_indexed(path: Path) -> bool:
    """Whether a dataset's path names rows rather than a folder of pictures."""
    return is_manifest(path) or is_shards(path)


def open_rows(
    dataset: DatasetSettings, number: int, buckets: BucketSettings, cache: str | Path | None, balance_reg: bool = False
) -> RowPictures:
    """The pictures of a manifest or of shards, by their index.

    Raises:
        DatasetError: it cannot be read, or has no picture that can be used.
        SettingsError: a setting of the dataset is for folders alone.
    """
    _refuse_settings_for_folders(dataset, number, balance_reg)
    path = Path(dataset.path)
    if cache is None:
        raise DatasetError(
            f"{path} can be trained on, but here a folder is needed: give one that holds pictures.",
            code="dataset.no_folder",
            folder=str(path),
        )
    caches, pictures = Path(cache).parent, Path(cache)
    index = open_shards(path, dataset.repeats, caches) if is_shards(path) else open_manifest(path, dataset.repeats, caches, pictures)
    opened = RowPictures(path, index, dataset, number, buckets)
    if not len(opened):
        why = "; ".join(each.first for each in index.left_out) or "it has no rows that are not held out"
        raise DatasetError(f"{path} has no picture to train on: {why}", code="dataset.no_usable_pictures", file=str(path))
    return opened


def _refuse_settings_for_folders(dataset: DatasetSettings, number: int, balance_reg: bool) -> None:
    given = {"mask_path": dataset.mask_path, "alpha_mask": dataset.alpha_mask, "caption_extension": dataset.caption_extension}
    for name, value in given.items():
        if value:
            raise SettingsError(
                f"datasets.{number}.{name} is for folders of pictures, and {dataset.path} is not one. Leave it out.",
                code="settings.no_effect", setting=f"datasets.{number}.{name}",
            )  # fmt: skip
    if dataset.is_reg and balance_reg:
        raise SettingsError(
            f"{dataset.path} cannot be balanced against the training images. Set training.balance_reg to false and repeats as you want them, or "
            "give its pictures as a folder.",
            code="settings.value", setting="training.balance_reg",
        )  # fmt: skip


def left_out_of(opened: RowPictures) -> Iterator[Finding]:
    """What the index says of rows that cannot be used; one finding for each reason."""
    for each in opened.row_index.left_out:
        message = f"{count(each.count, 'picture')} of {opened.path} {'is' if each.count == 1 else 'are'} left out. The first: {each.first}"
        evidence = Evidence(each.count, "pictures")
        fix = "Correct them, or take them out."
        yield folder_finding(each.rule, opened.path.parent, opened.path, message, fix, about="file", left_out=True, evidence=evidence)


def on_this_machine(dataset: DatasetSettings) -> DatasetSettings:
    """The same with the folders of its pictures and masks on this machine; those in a store are brought. Raises: see `stores.bring`."""
    masks = None if dataset.mask_path is None else here(dataset.mask_path)
    return dataset.model_copy(update={"path": here(dataset.path), "mask_path": masks})


def _read_by_another(finding: Finding, dataset: DatasetSettings, datasets: Sequence[DatasetSettings]) -> bool:
    """Whether a finding is of a folder inside the dataset that is a dataset of the run itself, such as its regularisation pictures."""
    if finding.code != f"folder.{NOT_READ}":
        return False
    folder = (Path(dataset.path) / finding.subjects[0]).resolve()
    return any(Path(other.path).resolve() == folder for other in datasets)


def _balanced(
    pictures: list[TrainingPicture],
    rows: Sequence[RowPictures],
    findings: list[Finding],
    datasets: Sequence[DatasetSettings],
    batch_size: int,
) -> tuple[list[TrainingPicture], list[TrainingPicture]]:
    """The pictures with those for regularisation repeated as often as the others, in each group that shares batches, and the surplus."""
    of_rows: Counter[tuple[Size | None, int]] = Counter()
    for each in rows:
        of_rows[each.buckets.size, each.dataset.batch_size or batch_size] += int(each.columns.repeats.sum())
    repeats: dict[int, int] = {}
    groups: dict[tuple[Size | None, int], list[int]] = {}
    for index, item in enumerate(pictures):
        groups.setdefault((item.resolution, item.batch_size or batch_size), []).append(index)
    for group, members in groups.items():
        training = of_rows[group] + sum(pictures[i].repeats for i in members if not pictures[i].picture.is_reg)
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
    return [item for item in kept if item.repeats], [item for item in kept if not item.repeats]
