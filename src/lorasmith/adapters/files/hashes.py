"""The hashes of a LoRA file that others know it by."""

from __future__ import annotations

import hashlib
from typing import BinaryIO


def model_hash(file: BinaryIO) -> str:
    """sha256 of all tensor bytes of an open safetensors file: 64 hex digits.

    The metadata does not count. kohya writes it as `sshs_model_hash`; its first 12 digits are Civitai's AutoV3.
    """
    file.seek(0)
    file.seek(8 + int.from_bytes(file.read(8), "little"))
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def legacy_hash(file: BinaryIO) -> str:
    """The old hash of A1111 (AutoV1, `sshs_legacy_hash`): the sha256 of 64 KiB at 1 MiB, cut to 8 hex digits.

    All files under 1 MiB have the same: e3b0c442, that of nothing.
    """
    file.seek(0x100000)
    return hashlib.sha256(file.read(0x10000)).hexdigest()[:8]
