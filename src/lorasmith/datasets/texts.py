"""Encoded captions on disk, kept under a key that says all that they depend on.

The key is the hash of the caption as the encoder sees it, of the encoders, and of how they read. So an encoded caption is never stale:
a changed caption, encoder or option has another key. Runs share them, and two processes may write the same one at once, because each
file is written aside and renamed.

A file is a checksum and, behind it, a safetensors file. One that breaks off or has a flipped bit counts as absent, and is made again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load, save

from lorasmith.atomic import write_atomically
from lorasmith.cache_folder import make_cache_folder

_DIGEST = 32  # bytes of the checksum


def text_key(caption: str, reader: str) -> str:
    """Hex name of an encoded caption; `reader` says all about who reads it, and how. Of version 1 are states that took BREAK for a word."""
    return hashlib.sha256(repr(("text-2", caption, reader)).encode()).hexdigest()


class TextCache:
    """The tensors of encoded captions on disk under their keys."""

    def __init__(self, folder: Path):
        self.folder = folder

    def path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.text"

    def get(self, key: str) -> dict[str, torch.Tensor] | None:
        """The tensors by their names, on the CPU, or None where the file is absent or not as it was written."""
        try:
            data = self.path(key).read_bytes()
        except FileNotFoundError:
            return None
        body = data[_DIGEST:]
        return load(body) if _digest(body) == data[:_DIGEST] else None

    def put(self, key: str, tensors: Mapping[str, torch.Tensor]) -> None:
        path = self.path(key)
        make_cache_folder(self.folder)
        path.parent.mkdir(exist_ok=True)
        body = save({name: tensor.contiguous() for name, tensor in tensors.items()})
        write_atomically(path, _digest(body) + body)


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_DIGEST).digest()
