"""A safetensors file written again with some of its tensors changed: the same names, shapes, dtypes and order, one tensor in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from lorasmith.atomic import open_atomically
from lorasmith.models.files.tensor_file import SafetensorsFile
from lorasmith.safetensors_header import header_bytes, rows_of

if TYPE_CHECKING:
    import torch

Change = Callable[["torch.Tensor"], "torch.Tensor"]
"""(a copy of the tensor as the file has it) -> the same in new numbers, in its shape and dtype."""
_PIECE = 16 * 2**20  # bytes that are copied at once


def rewrite_tensors(source: Path, out: Path, changes: Mapping[str, Change], metadata: Mapping[str, str]) -> None:
    """Write `source` to `out` with each tensor of `changes` changed by its function, and with these metadata.

    The new file appears whole or not at all.

    Raises:
        BaseModelError: `source` is no safetensors file, or is damaged.
        WriteFailed: there is no room, or no permission.
    """
    opened = SafetensorsFile(source)
    entries = dict(sorted(opened.entries.items(), key=lambda entry: entry[1].begin))
    with source.open("rb") as old, open_atomically(out, source.stat().st_size) as new, opened:
        new.write(header_bytes(metadata, rows_of(entries)))
        for name, entry in entries.items():
            if name in changes:
                new.write(_bytes(changes[name](opened.into(name, slice(None), lambda found: found.clone()))))
            else:
                old.seek(entry.begin)
                _copy(old, new, entry.end - entry.begin)


def _bytes(tensor: torch.Tensor) -> memoryview:
    import torch

    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data


def _copy(old: BinaryIO, new: BinaryIO, size: int) -> None:
    while size:
        piece = old.read(min(size, _PIECE))
        new.write(piece)
        size -= len(piece)
