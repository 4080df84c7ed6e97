"""Bring pictures of a source aside: each is read, checked and hashed, and copied next to the dataset unless the dataset has it.

What is done here is about one picture, so that it can be done for many at once, in any order and in other processes. Under which name a
picture comes in, and whether at all, depends on those before it: `placing` decides that, from what comes back here.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TypeVar
from uuid import uuid4

from lorasmith.curation.imports.source import FoundPicture
from lorasmith.errors import DatasetError
from lorasmith.images.read import content_hash, picture_size, read_picture

T = TypeVar("T")


@dataclass(frozen=True)
class Brought:
    """What came of bringing one picture aside."""

    content: str = ""
    """SHA-256 of the picture's bytes, as 64 hexadecimal digits; '' where it cannot be read."""
    problem: str = ""
    """Why it cannot be read, for a person."""
    picture: Path | None = None
    """The copy, or link, aside; None where the dataset has the picture."""
    not_linked: bool = False
    """Whether a link was wanted and it had to be copied."""
    mask: Path | None = None
    """The picture's mask as a PNG aside."""
    mask_problem: str = ""
    """Why its mask cannot be read, for a person."""
    flushed: bool = False
    """Whether the disk has the files aside already."""

    @property
    def files(self) -> list[Path]:
        """The files aside."""
        return [file for file in (self.picture, self.mask) if file is not None]


class Bringer:
    """Brings pictures into the folder `aside`, which is on the dataset's disk, so that they come in by a rename.

    `is_known` says whether the dataset has a picture: by the hash of its bytes and its concept. `link` makes hard links instead of copies
    where the disk can, `verify` decodes each picture whole instead of its header alone, `flush` waits until the disk has each.
    """

    def __init__(
        self, aside: Path, is_known: Callable[[str, str | None], bool], *, link: bool = False, verify: bool = False, flush: bool = False
    ):
        self.aside, self.link, self.verify, self._is_known, self._flush = aside, link, verify, is_known, flush

    def name(self, suffix: str) -> Path:
        """A name aside that no other process takes."""
        return self.aside / f"{uuid4().hex}{suffix}"

    def bring(self, found: FoundPicture) -> Brought:
        """Bring one picture and its mask. Raises OSError where they cannot be written."""
        unpacked = self.name(found.suffix) if found.path is None else None
        try:
            content = self._content(found) if unpacked is None else self._unpacked(found, unpacked)
        except DatasetError as error:
            if unpacked is not None:
                unpacked.unlink(missing_ok=True)
            return Brought(problem=str(error))
        if self._is_known(content, found.concept):
            if unpacked is not None:
                unpacked.unlink()
            return Brought(content)
        picture, not_linked = (unpacked, False) if unpacked is not None else self._copy(found)
        mask, mask_problem = self.mask_of(found)
        brought = Brought(content, "", picture, not_linked, mask, mask_problem, self._flush)
        if self._flush:
            for file in brought.files:
                flush(file)
        return brought

    def mask_of(self, found: FoundPicture) -> tuple[Path | None, str]:
        """The picture's mask as a PNG aside, and why it cannot be read; neither where it has none."""
        if found.mask is None:
            return None, ""
        aside = self.name(PurePosixPath(found.mask.name).suffix.lower())
        try:
            with found.mask.open() as stream, aside.open("wb") as out:
                shutil.copyfileobj(stream, out)
            picture_size(aside)
            if aside.suffix != ".png":
                grey = read_picture(aside, background=(0, 0, 0)).convert("L")
                aside.unlink()
                aside = self.name(".png")
                grey.save(aside)
        except (DatasetError, OSError) as error:
            aside.unlink(missing_ok=True)
            return None, str(error).replace(str(aside), found.mask.name)
        return aside, ""

    def _content(self, found: FoundPicture) -> str:
        """The hash of a picture on the disk, after it was checked."""
        assert found.path is not None
        self._check(found.path, found)
        try:
            return content_hash(found.path)
        except OSError as error:
            raise _cannot_be_read(found, error) from error

    def _unpacked(self, found: FoundPicture, aside: Path) -> str:
        """The hash of a picture in an archive, after it was written aside and checked."""
        digest = hashlib.sha256()
        with _opened(found) as stream, aside.open("wb") as out:
            while data := _piece(stream, found):
                digest.update(data)
                out.write(data)
        self._check(aside, found)
        return digest.hexdigest()

    def _check(self, path: Path, found: FoundPicture) -> None:
        try:
            if self.verify:
                read_picture(path)
            else:
                picture_size(path)
        except DatasetError as error:
            raise DatasetError(str(error).replace(str(path), found.source, 1)) from error

    def _copy(self, found: FoundPicture) -> tuple[Path, bool]:
        """A picture on the disk as a copy or a link aside, and whether a link was wanted in vain."""
        assert found.path is not None
        aside = self.name(found.suffix)
        if self.link:
            try:
                os.link(found.path.resolve(), aside)
                return aside, False
            except OSError:
                pass
        shutil.copyfile(found.path, aside)
        return aside, self.link


def flush(file: Path) -> None:
    """Let the disk have a file before it gets its name; one that is linked, it has."""
    if file.stat().st_nlink > 1:
        return
    handle = os.open(file, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def in_order(results: Iterable[tuple[int, T]]) -> Generator[T]:
    """What comes under the numbers 0, 1, 2 ... in any order, each as soon as all before it have come; ends where one is missing."""
    waiting: dict[int, T] = {}
    turn = 0
    for number, result in results:
        waiting[number] = result
        while turn in waiting:
            yield waiting.pop(turn)
            turn += 1


def _opened(found: FoundPicture) -> IO[bytes]:
    try:
        return found.open()
    except OSError as error:
        raise _cannot_be_read(found, error) from error


def _piece(stream: IO[bytes], found: FoundPicture) -> bytes:
    try:
        return stream.read(2**20)
    except OSError as error:
        raise _cannot_be_read(found, error) from error


def _cannot_be_read(found: FoundPicture, error: OSError) -> DatasetError:
    return DatasetError(f"{found.source} cannot be read ({error.strerror or error}): check the disk that it is on.")
