"""Look into ZIP and TAR archives that strangers made, without unpacking them.

An archive can be made to harm: members named `../../.bashrc` or `/etc/passwd`, links that lead out, devices, a few kilobytes that
unpack to terabytes. So nothing is unpacked here. `open_archive` lists the members, says which of them are refused and why, and hands
out the bytes of one member at a time; the caller writes them under names of its own. Every byte that comes out is counted, whatever
the archive claims about its sizes, and an archive that goes over `Limits` is refused.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, BinaryIO, cast

from lorasmith.captions.encodings import readings
from lorasmith.errors import DatasetError
from lorasmith.pages.numbers import count

ARCHIVE_SUFFIXES = (".zip", ".cbz", ".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz")
"""Suffixes of archives that can be looked into, in lower case."""

OTHER_ARCHIVES = (".rar", ".7z", ".gz", ".bz2", ".xz", ".zst", ".cbr")
"""Suffixes of archives that cannot."""


@dataclass(frozen=True)
class Limits:
    """What an archive may unpack to. Pictures hardly compress; a bomb does, by a factor of a thousand and more."""

    ratio: int = 100
    """Unpacked bytes over packed bytes, of a member and of the whole; small amounts may have any ratio."""
    free: int = 256 * 2**20
    """Bytes up to which the ratio does not matter."""
    member: int = 2 * 2**30
    """Bytes of one member."""
    total: int = 200 * 2**30
    """Bytes of all members."""
    members: int = 500_000

    def of(self, packed: int, most: int) -> int:
        """Bytes that `packed` bytes may become, where `most` is the limit for any."""
        return min(most, max(self.free, packed * self.ratio))


@dataclass(frozen=True)
class Member:
    """A plain file in an archive."""

    name: str
    """With `/` between folders; never leads out of the archive."""
    size: int
    """Bytes, as the archive claims."""
    key: object
    """What the archive calls it."""


@dataclass(frozen=True)
class Refused:
    """Something in an archive that is not handed out."""

    name: str
    message: str
    fix: str = ""


class Archive(ABC):
    """An open archive: its members, what it holds that is refused, and the bytes of each member."""

    path: Path
    limits: Limits
    sequential: bool
    """Whether the bytes of a member come only after those of all before it."""
    members: list[Member]
    """In the order in which they are quickest to read."""
    refused: list[Refused]

    @abstractmethod
    def open(self, member: Member) -> IO[bytes]:
        """The member's bytes. Reading raises DatasetError where they are damaged or more than the limits allow."""


class MemberFile:
    """Opens a member of an archive, the one at `number` of its members. In another process it opens the archive itself, once for all."""

    def __init__(self, archive: Archive, number: int):
        self._archive, self._number = archive, number

    def __call__(self) -> IO[bytes]:
        return self._archive.open(self._archive.members[self._number])

    def __reduce__(self) -> tuple[Callable[[Path, Limits, int], MemberFile], tuple[Path, Limits, int]]:
        return _member_elsewhere, (self._archive.path, self._archive.limits, self._number)


def _member_elsewhere(path: Path, limits: Limits, number: int) -> MemberFile:
    return MemberFile(_opened_for_good(path, limits)[0], number)


@lru_cache(maxsize=4)
def _opened_for_good(path: Path, limits: Limits) -> tuple[Archive, ExitStack]:
    """An archive, which is closed when it is forgotten or the process ends."""
    kept = ExitStack()
    return kept.enter_context(open_archive(path, limits)), kept


@contextmanager
def open_archive(path: Path, limits: Limits | None = None) -> Iterator[Archive]:
    """Look into an archive, of whichever kind its content is.

    Raises:
        DatasetError: it cannot be opened, is damaged, protected with a password, of a kind that is not read, or over the limits.
    """
    limits = limits or Limits()
    with ExitStack() as open_things:
        try:
            file = open_things.enter_context(open(path, "rb"))
        except OSError as error:
            raise DatasetError(f"{path} cannot be opened ({error.strerror}): check its name and that you may read it.") from error
        archive: Archive
        with _failures_of(path):
            if _is_zip(file):
                archive = _Zip(path, open_things.enter_context(zipfile.ZipFile(file)), limits)
            else:
                plain = _unpacked(file, path)
                metered = _Metered(plain, path, limits.of(os.path.getsize(path), limits.total))
                tar = open_things.enter_context(tarfile.open(fileobj=cast(BinaryIO, metered), mode="r:"))
                archive = _Tar(path, tar, limits, sequential=plain is not file)
        yield archive


def is_archive(path: Path) -> bool:
    """Whether a file's name says that it is an archive, readable here or not."""
    return path.name.lower().endswith((*ARCHIVE_SUFFIXES, *OTHER_ARCHIVES))


class _Zip(Archive):
    def __init__(self, path: Path, opened: zipfile.ZipFile, limits: Limits):
        self.path, self._zip, self.limits, self.sequential = path, opened, limits, False
        self._left = limits.of(os.path.getsize(path), limits.total)
        self.members, self.refused = [], []
        infos = opened.infolist()
        _refuse_too_many(path, len(infos), limits)
        for info, written in zip(infos, _zip_names(infos), strict=True):
            if info.is_dir():
                continue
            kind = stat.S_IFMT(info.external_attr >> 16) if info.create_system == 3 else 0
            name, wrong = _safe_name(written)
            if kind == stat.S_IFLNK:
                wrong = _NO_LINKS
            elif kind not in (0, stat.S_IFREG):
                wrong = _NO_DEVICES
            if wrong:
                self.refused.append(wrong.in_archive(path, written))
                continue
            if info.flag_bits & 0x1:
                raise _protected(path)
            if info.file_size > limits.of(info.compress_size, limits.member):
                raise _bomb(path)
            self.members.append(Member(name, info.file_size, info))
        if sum(member.size for member in self.members) > self._left:
            raise _bomb(path)
        self.members.sort(key=lambda member: cast(zipfile.ZipInfo, member.key).header_offset)

    def open(self, member: Member) -> IO[bytes]:
        info = cast(zipfile.ZipInfo, member.key)
        with _failures_of(self.path, member.name):
            stream = self._zip.open(info)
        most = min(self._left, self.limits.of(info.compress_size, self.limits.member))
        return cast(IO[bytes], _Metered(stream, self.path, most, member.name))


_NAMES_ARE_UTF8 = 0x800
"""The flag of a member whose name is said to be UTF-8; of others the format has it in the code page of MS-DOS, and few programs do."""


def _zip_names(infos: Sequence[zipfile.ZipInfo]) -> Iterator[str]:
    """What the members of a ZIP are called. macOS writes UTF-8 and does not say so, Windows writes the code page of the country."""
    unsaid = {
        info: info.orig_filename.partition("\0")[0].encode("cp437")
        for info in infos
        if not info.flag_bits & _NAMES_ARE_UTF8 and not info.orig_filename.isascii()
    }
    together = b"\n".join(unsaid.values())
    for info in infos:
        raw = unsaid.get(info)
        yield info.filename if raw is None else _said_beside(info, raw) or _decoded(raw, together)


def _said_beside(info: zipfile.ZipInfo, raw: bytes) -> str | None:
    """The name in UTF-8 that some programs write beside the other: Info-ZIP's extra field 0x7075, which is valid for that name alone."""
    extra = info.extra
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        field, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == 0x7075 and len(field) > 5 and field[1:5] == zlib.crc32(raw).to_bytes(4, "little"):
            return field[5:].decode(errors="replace")
    return None


def _decoded(raw: bytes, together: bytes) -> str:
    """A name in an encoding that all names of the archive show together."""
    try:
        together.decode()
        return raw.decode()
    except UnicodeDecodeError:
        as_written = raw.decode("cp437")
        if all(letter.isascii() or unicodedata.name(letter, "").startswith("LATIN ") for letter in together.decode("cp437")):
            return as_written
        found = readings(raw, together)
        return found[0].text if len(found) == 1 else as_written


class _Tar(Archive):
    def __init__(self, path: Path, tar: tarfile.TarFile, limits: Limits, *, sequential: bool):
        self.path, self._tar, self.limits, self.sequential = path, tar, limits, sequential
        self.members, self.refused = [], []
        try:
            for number, info in enumerate(tar, 1):
                _refuse_too_many(path, number, limits)
                self._sort_in(info, limits)
        except _DAMAGE as error:
            if not self.members:
                raise _damaged(path) from error
            message = f"{path} breaks off after {count(len(self.members), 'file')}, and what comes after is lost."
            self.refused.append(Refused(path.name, message, "Get the archive again if you can."))

    def _sort_in(self, info: tarfile.TarInfo, limits: Limits) -> None:
        if info.isdir():
            return
        name, wrong = _safe_name(info.name)
        if info.issym() or info.islnk():
            wrong = _NO_LINKS
        elif not info.isreg():
            wrong = _NO_DEVICES
        elif info.size > limits.member:
            wrong = _Wrong(f"would be {info.size / 2**30:.1f} GiB large, which no picture is, and is refused.")
        if wrong:
            self.refused.append(wrong.in_archive(self.path, info.name))
        else:
            self.members.append(Member(name, info.size, info))

    def open(self, member: Member) -> IO[bytes]:
        stream = self._tar.extractfile(cast(tarfile.TarInfo, member.key))
        assert stream is not None  # only plain files are members
        return cast(IO[bytes], _Metered(stream, self.path, member.size, member.name))


class _Metered(io.RawIOBase):
    """A stream that ends with an error where it goes beyond `most` bytes, before it has unpacked more."""

    def __init__(self, stream: IO[bytes], path: Path, most: int, member: str = ""):
        self._stream, self._path, self._most, self._member = stream, path, most, member
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._stream.seekable()

    def read(self, size: int = -1) -> bytes:
        asked = self._most + 1 - self._place if size is None or size < 0 else size
        with _failures_of(self._path, self._member) if self._member else nullcontext():
            data = self._stream.read(max(0, min(asked, self._most + 1 - self._place)))
        self._place += len(data)
        if self._place > self._most:
            raise _bomb(self._path)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        place = offset + (self._place if whence == io.SEEK_CUR else 0)
        if whence == io.SEEK_END or place > self._most:
            raise _bomb(self._path)
        self._place = self._stream.seek(place)
        return self._place

    def tell(self) -> int:
        return self._place

    def close(self) -> None:
        self._stream.close()
        super().close()


def _unpacked(file: BinaryIO, path: Path) -> IO[bytes]:
    """The TAR inside its compression, which the first bytes show."""
    start = file.read(6)
    file.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.GzipFile(fileobj=file))
    if start.startswith(b"BZh"):
        return bz2.BZ2File(file)
    if start.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMAFile(file)
    if start.startswith((b"Rar!", b"7z\xbc\xaf", b"\x28\xb5\x2f\xfd")):
        raise DatasetError(f"{path} is an archive of a kind that is not read (ZIP and TAR are): unpack it and import the folder.")
    return file


def _is_zip(file: BinaryIO) -> bool:
    """By its first bytes or, for one with something before it, by its directory; a damaged ZIP counts."""
    start = file.read(4)
    found = start in (b"PK\3\4", b"PK\5\6", b"PK\7\10") or zipfile.is_zipfile(file)
    file.seek(0)
    return found


@dataclass(frozen=True)
class _Wrong:
    """What is wrong with a member."""

    what: str
    fix: str = ""

    def in_archive(self, path: Path, member: str) -> Refused:
        return Refused(member, f"{path}: {member!r} {self.what}", self.fix)


_NO_LINKS = _Wrong("is a link and is refused.", "Put the file itself into the archive.")
_NO_DEVICES = _Wrong("is a device or another special file and is refused.")
_ABSOLUTE = _Wrong("is an absolute path and is refused: archives may only name files inside themselves.")
_LEADS_OUT = _Wrong("leads out of the archive and is refused: archives may only name files inside themselves.")


def _safe_name(name: str) -> tuple[str, _Wrong | None]:
    """The name with `/` between folders, and what is wrong with it, if anything."""
    plain = name.replace("\\", "/")
    if plain.startswith("/") or PureWindowsPath(name).drive:
        return plain, _ABSOLUTE
    if ".." in PurePosixPath(plain).parts:
        return plain, _LEADS_OUT
    return PurePosixPath(plain).as_posix(), None


_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    gzip.BadGzipFile,
    NotImplementedError,
    struct.error,
    ValueError,
)
"""What Python's readers raise on damaged archives; `OSError` comes from bz2 as well and is judged by whether it has a number."""


@contextmanager
def _failures_of(path: Path, member: str = "") -> Iterator[None]:
    """The readers' many errors as one sentence; what the caller raises inside goes through as it is."""
    try:
        yield
    except DatasetError:
        raise
    except _DAMAGE as error:
        raise _damaged(path, member) from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise _damaged(path, member) from error
    except RuntimeError as error:
        if "password" not in str(error):
            raise
        raise _protected(path) from error


def _refuse_too_many(path: Path, count: int, limits: Limits) -> None:
    if count > limits.members:
        raise DatasetError(f"{path} holds more than {limits.members:,} files and is refused: split it.")


def _protected(path: Path) -> DatasetError:
    return DatasetError(
        f"{path} is protected with a password: unpack it yourself and import the folder that comes out.",
        code="archive.password", archive=str(path),
    )  # fmt: skip


def _bomb(path: Path) -> DatasetError:
    return DatasetError(
        f"{path} unpacks to far more than pictures do and is refused as a decompression bomb: if you trust it, unpack it yourself and "
        "import the folder.",
        code="archive.bomb", archive=str(path),
    )  # fmt: skip


def _damaged(path: Path, member: str = "") -> DatasetError:
    if member:
        return DatasetError(
            f"{path}: {member!r} is damaged: get the archive again, or do without this file.", code="archive.damaged", archive=str(path)
        )
    return DatasetError(
        f"{path} is not an archive that can be read (ZIP and TAR are), or it is damaged: get it again, or unpack it yourself.",
        code="archive.damaged", archive=str(path),
    )  # fmt: skip
