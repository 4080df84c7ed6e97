"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


class WriteFailed(OSError):
    """A file could not be written, say because the disk is full; what stood under its name before still does."""

    def __init__(self, path: Path, size: int, cause: OSError):
        super().__init__(cause.errno, cause.strerror, str(path))
        self.path = path
        self.size = size
        """Bytes that were to be written."""


def write_atomically(path: Path, data: bytes) -> None:
    """`path` holds all of `data` or what it held before, also after a power cut.

    Raises WriteFailed where there is no room, or no permission.
    """
    with open_atomically(path, len(data)) as file:
        file.write(data)


@contextmanager
def open_atomically(path: Path, size: int) -> Iterator[BinaryIO]:
    """A file to write about `size` bytes to, which is at `path` when the block ends, and not at all where it fails.

    Raises WriteFailed where there is no room, or no permission.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with aside.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
        sync_folder(path.parent)
    except OSError as error:
        raise WriteFailed(path, size, error) from error
    finally:
        aside.unlink(missing_ok=True)


def remove_leftovers(folder: Path, name: str = "*") -> None:
    """Remove what killed processes left of writing a file `name` into `folder`; only where no other process writes it now."""
    for aside in folder.glob(f".{name}.*.part"):
        aside.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut, where the system knows how."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
