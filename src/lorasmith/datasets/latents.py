"""Pictures as latents, kept under a key that says all that they depend on.

The key of a latent is the hash of the picture's bytes, the way into its bucket, whether it is mirrored, the autoencoder and the type of
the numbers. So a cached latent is never stale and never another picture's; runs share them, and two processes may write the
same one at once, because each file is written aside and renamed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from lorasmith.datasets.augment import with_colours
from lorasmith.datasets.cache_files import CacheFiles
from lorasmith.datasets.latent_request import LatentRequest
from lorasmith.errors import TensorFileError
from lorasmith.images.read import read_picture
from lorasmith.safetensors_header import read_header
from lorasmith.stores import Place

Encode = Callable[[torch.Tensor], torch.Tensor]


def latent_key(request: LatentRequest, encoder: str, dtype: torch.dtype) -> str:
    """Hex name of the latent; `encoder` is the hash of the autoencoder's weights and settings."""
    assert request.colour is None, "no two samples have the same colours, so none is kept"
    said: tuple[object, ...] = (
        "latent-1", request.content, request.fit.bucket, request.fit.resized, request.fit.crop, encoder, str(dtype),
    )  # fmt: skip
    if request.mirrored:
        said += ("mirrored",)
    return hashlib.sha256(repr(said).encode()).hexdigest()


def bucket_pixels(request: LatentRequest) -> torch.Tensor:
    """The picture as it trains: float32 (3, height, width) in [-1, 1]; scaled with Lanczos, cropped, its colours changed, then mirrored."""
    picture = read_picture(request.path)
    if picture.size != request.fit.resized:
        picture = picture.resize(request.fit.resized, Image.Resampling.LANCZOS)
    left, top = request.fit.crop
    picture = picture.crop((left, top, left + request.fit.bucket[0], top + request.fit.bucket[1]))
    pixels = np.array(picture)
    if request.colour is not None:
        pixels = with_colours(pixels, request.colour)
    tensor = torch.from_numpy(pixels).permute(2, 0, 1).float() / 127.5 - 1
    return tensor.flip(-1) if request.mirrored else tensor


class LatentCache:
    """Latents (and masks in their cells) on disk under their keys; with `place`, in a store as well."""

    def __init__(self, folder: Path, place: Place | None = None):
        self._files = CacheFiles(folder, place)

    def bring(self, keys: Iterable[str]) -> None:
        """Fetch those that a store has, where the cache is in one. Raises InputError, RunError: see `Place.entries`."""
        self._files.bring(map(_file_of, keys))

    def get(self, key: str) -> torch.Tensor | None:
        """The latent, or None where it is absent or its file is damaged (it is then made again).

        A cache may be shared, so its files are judged like any other before a number of them is read.
        """
        if not self.has(key):
            return None
        try:
            return load_file(self._files.path(_file_of(key)))[
                "latent"
            ].clone()  # one that stays mapped keeps its file open as long as it lives
        except (FileNotFoundError, SafetensorError):  # it went, or was replaced, just now
            return None

    def has(self, key: str) -> bool:
        """Whether the latent is there and its file whole, by its header and length; its numbers are not read."""
        name = _file_of(key)
        if self._is_whole(name):
            self._files.offer(name)
            return True
        return self._files.fetch(name) and self._is_whole(name)

    def _is_whole(self, name: str) -> bool:
        try:
            return "latent" in read_header(self._files.path(name)).entries
        except TensorFileError:
            return False

    def put(self, key: str, latent: torch.Tensor) -> None:
        self._files.put(_file_of(key), save({"latent": latent.contiguous()}))

    def finish(self) -> None:
        """Wait until a store has all of them."""
        self._files.finish()


def _file_of(key: str) -> str:
    return f"{key}.safetensors"
