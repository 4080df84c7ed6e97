"""The latents of a run's samples, from the cache where they can be cached, encoded on the way where they cannot.

A picture as it is, and mirrored, is encoded once and kept on disk under its content (see `latents`). A sample that is cropped at a drawn
place, or whose colours are changed, is like no other: it is encoded when it is trained on, so the autoencoder stays loaded for the run.

Each picture is encoded by itself. In a batch a convolution may add up in another order, and the last digits of a latent would depend on
which pictures were missing in the cache at the time.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from lorasmith.datasets.augment import crop_seen, drawn_colour, drawn_crop, is_mirrored
from lorasmith.datasets.buckets import Size
from lorasmith.datasets.latent_request import LatentRequest
from lorasmith.datasets.latents import Encode, LatentCache, bucket_pixels, latent_key
from lorasmith.datasets.masks import mask_cells
from lorasmith.datasets.order import Sample
from lorasmith.datasets.settings import DatasetSettings
from lorasmith.datasets.training_set import TrainingPicture
from lorasmith.errors import RunError
from lorasmith.stores import Place

Sizes = tuple[Size, tuple[int, int], Size]
"""The picture's own size, where the bucket is in the resized picture as it is seen (left, top), and the bucket; in pixels."""
Item = TypeVar("Item")
Result = TypeVar("Result")

READERS = min(4, os.cpu_count() or 1)
"""Threads that decode pictures ahead of the autoencoder."""
MOST_AHEAD = 32
"""Samples that are read ahead at most: 12 MB of pixels each at 1024 x 1024."""


@dataclass(frozen=True, eq=False)
class LatentBatch:
    """A batch as it is trained on. `latents` (n, c, h, w) float32; `masks` (n, 1, h, w) float32 of 0-1, or None where all counts; `sizes` n."""

    latents: torch.Tensor
    masks: torch.Tensor | None
    sizes: tuple[Sizes, ...]


@dataclass(frozen=True)
class _Augmented:
    """One sample: how its picture is cropped, coloured and mirrored, and whether such a latent is cached."""

    item: TrainingPicture
    request: LatentRequest
    kept: bool


@dataclass(frozen=True, eq=False)
class _Read:
    """What reading a sample gave: its latent from the cache, or else its pixels."""

    latent: torch.Tensor | None
    pixels: torch.Tensor | None


def requests_to_keep(pictures: Sequence[TrainingPicture], datasets: Sequence[DatasetSettings]) -> Iterator[tuple[int, LatentRequest]]:
    """What is cached for a run, each at its place: a picture as it is and, where it is flipped, mirrored."""
    for index, item in enumerate(pictures):
        if not crop_varies(item, datasets):
            yield 2 * index, item.latent_request
            if datasets[item.dataset].flip_aug:
                yield 2 * index + 1, replace(item.latent_request, mirrored=True)


def crop_varies(item: TrainingPicture, datasets: Sequence[DatasetSettings]) -> bool:
    """Whether a picture is cropped at another place each time."""
    return datasets[item.dataset].random_crop and item.fit.resized != item.fit.bucket


class LatentSource:
    """Samples in, latents out; the same ones whatever was cached before, and in whatever order it is asked.

    `encode` takes pixels (1, 3, height, width) in [-1, 1] and gives latents (1, c, h, w); `encoder` is the hash of its weights and
    settings, `dtype` what latents are kept in, `kept_at` where the cache is in a store beside its folder. With `in_memory` a folder's latent is read once, without for each sample; those of manifests and shards are too many to be kept.
    """

    def __init__(
        self, pictures: Sequence[TrainingPicture], datasets: Sequence[DatasetSettings], encode: Encode, encoder: str, dtype: torch.dtype,
        cache_folder: Path, seed: int, in_memory: bool = True, kept_at: Place | None = None,
    ):  # fmt: skip
        self._pictures, self._datasets, self._seed = pictures, datasets, seed
        self._encode: Encode | None = encode
        self._encoder, self._dtype, self._in_memory = encoder, dtype, in_memory
        self._cache = LatentCache(cache_folder, kept_at)
        self._memory: dict[str, torch.Tensor] = {}
        self._readers = ThreadPoolExecutor(READERS)
        self._expected: OrderedDict[tuple[tuple[Sample, ...], int], list[Future[_Read]]] = OrderedDict()

    @cached_property
    def needs_encoder(self) -> bool:
        """Whether some samples are encoded when they are trained on; otherwise the autoencoder can go after `prepare`."""
        if not any(dataset.color_aug or dataset.random_crop for dataset in self._datasets):
            return False  # without looking at each of a million pictures
        return any(self._datasets[item.dataset].color_aug or self._crop_varies(item) for item in self._pictures)

    def _crop_varies(self, item: TrainingPicture) -> bool:
        return crop_varies(item, self._datasets)

    def release_encoder(self) -> None:
        """Free the autoencoder."""
        assert not self.needs_encoder, "samples are encoded in the loop"
        self._encode = None

    # -- before the loop --

    def prepare(self, rank: int = 0, count: int = 1) -> Iterator[tuple[int, int]]:
        """Encode what is missing in the cache; yields (done, all) as it goes, first with what was there already.

        Of `count` processes each takes every `count`-th picture, and finds those of the others in the cache when all are done.
        Raises RunError where the autoencoder gives numbers that are not finite.
        """
        places, keys = array("q"), bytearray()  # of a million pictures neither requests nor keys are kept as objects
        for place, request in self._to_keep():
            places.append(place)
            keys += bytes.fromhex(self._key(request))
        _, first = np.unique(np.frombuffer(keys, "S32"), return_index=True)
        mine = np.sort(first)[rank::count]
        self._cache.bring(keys[32 * number : 32 * number + 32].hex() for number in mine)
        missing = np.array([number for number in mine if not self._cache.has(keys[32 * number : 32 * number + 32].hex())], np.int64)
        done = len(mine) - len(missing)
        yield done, len(mine)
        for request, pixels in self._ahead(bucket_pixels, (self._at(places[number]) for number in missing)):
            self._cache.put(self._key(request), self._encoded(request, pixels))
            done += 1
            yield done, len(mine)
        self._cache.finish()

    def keep(self, request: LatentRequest) -> bool:
        """Encode one picture into the cache; False where it was there. Raises RunError where its latent is not finite."""
        key = self._key(request)
        if self._cache.has(key):
            return False
        self._cache.put(key, self._encoded(request, bucket_pixels(request)))
        self._cache.finish()
        return True

    def _to_keep(self) -> Iterator[tuple[int, LatentRequest]]:
        return requests_to_keep(self._pictures, self._datasets)

    def _at(self, place: int) -> LatentRequest:
        """The one at a place of `_to_keep`."""
        return replace(self._pictures[place // 2].latent_request, mirrored=bool(place % 2))

    def _key(self, request: LatentRequest) -> str:
        return latent_key(request, self._encoder, self._dtype)

    def _ahead(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[tuple[Item, Result]]:
        """(item, work(item)) in order, while a few more are worked on beside."""
        waiting: deque[tuple[Item, Future[Result]]] = deque()
        try:
            for item in items:
                waiting.append((item, self._readers.submit(work, item)))
                if len(waiting) > 2 * READERS:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()

    def _encoded(self, request: LatentRequest, pixels: torch.Tensor) -> torch.Tensor:
        if self._encode is None:
            raise RunError(f"The cached latent of {request.path} is missing or damaged: start the run again, and it is made again.")
        return self._finite(request, self._encode(pixels[None])[0].to(self._dtype).cpu().clone())

    def _finite(self, request: LatentRequest, latent: torch.Tensor) -> torch.Tensor:
        if not torch.isfinite(latent).all():
            raise RunError(f"The autoencoder gives a non-finite latent for {request.path}: leave that picture out, or use another VAE.")
        return latent

    # -- in the loop --

    def expect(self, samples: Sequence[Sample], epoch: int) -> None:
        """Start reading a batch that will be asked for soon, beside the training; not needed, and changes no result."""
        asked = (tuple(samples), epoch)
        waiting = sum(len(futures) for futures in self._expected.values())
        if asked not in self._expected and waiting + len(samples) <= MOST_AHEAD:
            self._expected[asked] = [self._readers.submit(self._read, self._augmented(s, epoch)) for s in samples]

    def _taken(self, samples: Sequence[Sample], epoch: int) -> list[Future[_Read]] | None:
        """What was begun for this batch, if it was; batches expected before it were skipped, and are dropped."""
        asked = (tuple(samples), epoch)
        while asked in self._expected:
            first, futures = self._expected.popitem(last=False)
            if first == asked:
                return futures
        return None

    def __call__(self, samples: Sequence[Sample], epoch: int) -> LatentBatch:
        """The batch as it is trained on in `epoch` (from 1); the samples are of one bucket.

        Raises RunError where a latent is not finite, or is gone from the cache with no autoencoder to make it.
        """
        augmented = [self._augmented(s, epoch) for s in samples]
        futures = self._taken(samples, epoch)
        read = [future.result() for future in futures] if futures is not None else [self._read(one) for one in augmented]
        latents = torch.stack([self._latent(*pair) for pair in zip(augmented, read, strict=True)]).float()
        sizes = tuple((s.item.picture.size, crop_seen(s.request.fit, s.request.mirrored), s.request.fit.bucket) for s in augmented)
        return LatentBatch(latents, self._masks(augmented, (latents.shape[-1], latents.shape[-2])), sizes)

    def _augmented(self, sample: Sample, epoch: int) -> _Augmented:
        item = self._pictures[sample.picture]
        dataset = self._datasets[item.dataset]
        place = (self._seed, epoch, sample.picture, sample.repeat)
        request = replace(
            item.latent_request,
            fit=drawn_crop(item.fit, *place) if self._crop_varies(item) else item.fit,
            mirrored=dataset.flip_aug and is_mirrored(*place, item.repeats),
            colour=drawn_colour(*place) if dataset.color_aug else None,
        )
        return _Augmented(item, request, kept=request.colour is None and not self._crop_varies(item))

    def _read(self, augmented: _Augmented) -> _Read:
        """All that can be done beside the training: a latent from memory or disk, or the pixels to make one from."""
        if augmented.kept:
            key = self._key(augmented.request)
            latent = self._memory.get(key)
            if latent is None and (latent := self._cache.get(key)) is not None:
                self._remember(key, self._finite(augmented.request, latent), augmented.item)
            if latent is not None:
                return _Read(latent, None)
        return _Read(None, bucket_pixels(augmented.request))

    def _latent(self, augmented: _Augmented, read: _Read) -> torch.Tensor:
        if read.latent is not None:
            return read.latent
        assert read.pixels is not None
        latent = self._encoded(augmented.request, read.pixels)
        if augmented.kept:
            self._cache.put(self._key(augmented.request), latent)
            self._remember(self._key(augmented.request), latent, augmented.item)
        return latent

    def _remember(self, key: str, tensor: torch.Tensor, item: TrainingPicture) -> None:
        if self._in_memory and not item.is_row:
            self._memory[key] = tensor

    def _masks(self, augmented: Sequence[_Augmented], cells: Size) -> torch.Tensor | None:
        """The masks of a batch; pictures without one count whole."""
        if not any(one.item.masks for one in augmented):
            return None
        return torch.stack([self._mask(one, cells) for one in augmented])

    def _mask(self, augmented: _Augmented, cells: Size) -> torch.Tensor:
        masks, fit = augmented.item.masks, augmented.request.fit
        if not masks:
            return torch.ones(1, cells[1], cells[0])
        said = ("mask-2", *((mask.content, mask.is_alpha) for mask in masks), fit.bucket, fit.resized, fit.crop, cells)
        key = hashlib.sha256(repr(said).encode()).hexdigest()
        found = self._memory.get(key)
        if found is None:
            found = self._cache.get(key)
        if found is None:
            found = mask_cells(masks, fit, cells)
            self._cache.put(key, found)
        self._remember(key, found, augmented.item)
        return found.flip(-1) if augmented.request.mirrored else found
