"""Tensors that wait on the disk until their file is written, so that memory holds the one at work alone."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import torch
from torch import Tensor


class DiskTensors:
    """A nameless file in a folder, which is gone when the block ends, or the process.

    with DiskTensors(folder) as disk:
        tensor = disk.keep(tensor)
    """

    def __init__(self, folder: Path):
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115, closed by __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def keep(self, tensor: Tensor) -> Tensor:
        """The same numbers, read from the disk whenever they are needed. Raises OSError where the disk is full."""
        if not tensor.dim() or not tensor.numel():
            return tensor
        begin = self._file.tell()
        numbers = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        self._file.write(numbers.data)
        self._file.flush()
        mapped = np.memmap(self._file, np.uint8, "c", begin, numbers.shape)
        self._file.seek(begin + len(numbers))
        return torch.from_numpy(mapped).view(tensor.dtype).reshape(tensor.shape)
