"""Encoded captions on disk, kept under a key that says all that they depend on.

The key is the hash of the caption as the encoder sees it, of the encoders, and of how they read. So an encoded caption is never stale:
a changed caption, encoder or option has another key. Runs share them, and two processes may write the same one at once, because each
file is written aside and renamed.

A file is a checksum and, behind it, a safetensors file. One that breaks off or has a flipped bit counts as absent, and is made again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors.torch import load, save

from lorasmith.datasets.cache_files import CacheFiles
from lorasmith.stores import Place

_DIGEST = 32  # bytes of the checksum


def text_key(caption: str, reader: str) -> str:
    """Hex name of an encoded caption; `reader` says all about who reads it, and how. Of version 1 are states that took BREAK for a word."""
    return hashlib.sha256(repr(("text-2", caption, reader)).encode()).hexdigest()


class TextCache:
    """The tensors of encoded captions on disk under their keys; with `place`, in a store as well."""

    def __init__(self, folder: Path, place: Place | None = None):
        self._files = CacheFiles(folder, place)

    def path(self, key: str) -> Path:
        return self._files.path(_file_of(key))

    def bring(self, keys: Iterable[str]) -> None:
        """Fetch those that a store has, where the cache is in one. Raises InputError, RunError: see `Place.entries`."""
        self._files.bring(map(_file_of, keys))

    def get(self, key: str) -> dict[str, torch.Tensor] | None:
        """The tensors by their names, on the CPU, or None where the file is absent or not as it was written."""
        name = _file_of(key)
        found = self._read(name)
        if found is not None:
            self._files.offer(name)
        elif self._files.fetch(name):
            found = self._read(name)
        return found

    def _read(self, name: str) -> dict[str, torch.Tensor] | None:
        try:
            data = self._files.path(name).read_bytes()
        except FileNotFoundError:
            return None
        body = data[_DIGEST:]
        return load(body) if _digest(body) == data[:_DIGEST] else None

    def put(self, key: str, tensors: Mapping[str, torch.Tensor]) -> None:
        body = save({name: tensor.contiguous() for name, tensor in tensors.items()})
        self._files.put(_file_of(key), _digest(body) + body)

    def finish(self) -> None:
        """Wait until a store has all of them."""
        self._files.finish()


def _file_of(key: str) -> str:
    return f"{key}.text"


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_DIGEST).digest()
