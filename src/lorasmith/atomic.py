"""Files that appear whole or not at all."""

from __future__ import annotations

import glob
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
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
    with _opened_aside(_aside(path), path, len(data)) as file:
        file.write(data)


SIDE_BY_SIDE = 16
"""Files that are written at the same time: a disk that is waited for by several is waited for once."""


def write_all_atomically(files: Sequence[tuple[Path, Callable[[], bytes]]]) -> None:
    """As `write_atomically` for each file, with its data asked for when it is its turn, and in a fraction of the time where there are many.

    Raises WriteFailed where one could not be written; others may have been.
    """

    def write(file: tuple[Path, Callable[[], bytes]]) -> None:
        path, data = file[0], file[1]()
        with _opened_aside(_aside(path), path, len(data), sync=False) as aside:
            aside.write(data)

    if len(files) == 1:
        write(files[0])
    else:
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            list(pool.map(write, files))
    for folder in {path.parent for path, _ in files}:
        sync_folder(folder)


@contextmanager
def open_atomically(path: Path, size: int) -> Iterator[BinaryIO]:
    """A file to write about `size` bytes to, which is at `path` when the block ends, and not at all where it fails.

    It is for large files: what a killed process left of writing this one is removed first.

    Raises WriteFailed where there is no room, or no permission.
    """
    with _opened_aside(aside_of(path), path, size) as file:
        yield file


def aside_of(path: Path) -> Path:
    """Where a file or folder is made that is to be at `path` once it is whole; what killed processes left there of it is removed."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        if _is_left(left):
            shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(missing_ok=True)
    return _aside(path)


def _aside(path: Path) -> Path:
    """One for each thread of each process: several that write the same file do not write into each other's."""
    return path.with_name(f".{path.name}.{threading.get_native_id()}.{os.getpid()}.part")


_QUIET = 60.0
"""Seconds without a change after which nobody writes it, where its process cannot be asked: it may be of another machine."""


def _is_left(aside: Path) -> bool:
    """Whether the process that made it runs no longer here, and nobody has written to it for a while."""
    try:
        if time.time() - aside.stat().st_mtime < _QUIET:
            return False
        number = aside.name.removesuffix(".part").rpartition(".")[2]
        if os.name == "posix" and number.isdecimal():  # elsewhere a file that is being written cannot be removed
            os.kill(int(number), 0)
            return False
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return os.name != "posix"


@contextmanager
def _opened_aside(aside: Path, path: Path, size: int, sync: bool = True) -> Iterator[BinaryIO]:
    """`sync`: the rename lasts through a power cut, too."""
    try:
        with aside.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
        if sync:
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
