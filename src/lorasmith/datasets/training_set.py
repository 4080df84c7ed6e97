"""The pictures of a run, each in its bucket: what the folders become before the first step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lorasmith.datasets.buckets import Fit, Size, bucket_sizes, fit
from lorasmith.datasets.folders import Picture, Problem, open_folder
from lorasmith.datasets.latents import LatentRequest
from lorasmith.datasets.order import Batch, batches_per_epoch, epoch_batches
from lorasmith.datasets.settings import BucketSettings, DatasetSettings


@dataclass(frozen=True)
class TrainingPicture:
    """A picture and its way into its bucket."""

    picture: Picture
    fit: Fit
    dataset: int = 0
    """Which of the run's datasets it comes from."""

    @property
    def latent_request(self) -> LatentRequest:
        return LatentRequest(self.picture.path, self.picture.content, self.fit)


@dataclass(frozen=True)
class TrainingSet:
    """All pictures of a run in a fixed order, and the problems found on the way."""

    pictures: tuple[TrainingPicture, ...]
    problems: tuple[Problem, ...]

    @property
    def buckets(self) -> dict[Size, list[tuple[int, int]]]:
        """Bucket -> (index of the picture, repeats)."""
        found: dict[Size, list[tuple[int, int]]] = {}
        for index, item in enumerate(self.pictures):
            found.setdefault(item.fit.bucket, []).append((index, item.picture.repeats))
        return found

    @property
    def showings_per_epoch(self) -> int:
        """Pictures in an epoch, repeats included."""
        return sum(item.picture.repeats for item in self.pictures)

    def batches_per_epoch(self, batch_size: int) -> int:
        counts = {bucket: sum(repeats for _, repeats in members) for bucket, members in self.buckets.items()}
        return batches_per_epoch(counts, batch_size)

    def epoch(self, number: int, batch_size: int, seed: int) -> list[Batch]:
        """The batches of epoch `number` (from 1)."""
        return epoch_batches(self.buckets, batch_size, seed, number)


def open_training_set(datasets: Sequence[DatasetSettings], buckets: BucketSettings) -> TrainingSet:
    """Open and check the folders, decode every picture once, and give each its bucket.

    Raises DatasetError where a folder cannot be used at all; single bad pictures come back as problems.
    """
    sizes = [] if buckets.bucket_no_upscale and buckets.enable_bucket else bucket_sizes(buckets)
    pictures: list[TrainingPicture] = []
    problems: list[Problem] = []
    for number, dataset in enumerate(datasets):
        contents = open_folder(Path(dataset.path), repeats=dataset.repeats, is_reg=dataset.is_reg)
        problems.extend(contents.problems)
        for picture in contents.pictures:
            pictures.append(TrainingPicture(picture, fit(picture.size, buckets, sizes), number))
    return TrainingSet(tuple(pictures), tuple(problems))
