"""A dataset that is shards: plain tars of pictures with their captions beside them, as WebDataset has them.

    shards/000000.tar: 000000.jpg 000000.txt 000001.jpg 000001.json ...

Members that follow each other and have the same name up to its first dot are one sample: a picture, and its caption in .txt or .caption,
or in .json as `text` or `caption` (with `repeats` and `held_out`, as in a manifest's rows).

A tar is read once, member by member, and its index says where each picture's bytes are. From then on a picture is read where it lies,
in whatever order: there is no buffer to shuffle in, and an epoch is as exact as with files. Nothing is unpacked, no name of a member
becomes a path, and what is no plain file is left out.
"""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice, product
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from lorasmith.captions.caption import Caption, is_utf8
from lorasmith.dataset_folder import CAPTION_SUFFIXES, PICTURE_SUFFIXES, is_picture
from lorasmith.datasets.folders import concept_in
from lorasmith.datasets.manifests import DECODERS, ManifestRow, manifest_row
from lorasmith.datasets.row_index import RowIndex, RowWriter, index_in, key_of
from lorasmith.errors import DatasetError
from lorasmith.images.file_part import FilePart
from lorasmith.images.looks import Seen
from lorasmith.images.read import content_hash, read_picture

MOST_SHARDS = 100_000
LARGEST_PICTURE, LARGEST_TEXT, LARGEST_HEADER = 256 << 20, 1 << 20, 1 << 20
"""Bytes of a member's picture, of its caption, and of what a tar says about a member."""

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


def is_shards(path: Path) -> bool:
    """Whether a dataset's path names shards: a tar, several in braces, or a folder of tars without pictures and kohya's `N_name` folders."""
    if _RANGE.search(path.name) or path.suffix.lower() == ".tar":
        return path.suffix.lower() == ".tar"
    if not path.is_dir():
        return False
    names = os.listdir(path)
    if not any(name.lower().endswith(".tar") for name in names):
        return False
    return not any(is_picture(name) or (concept_in(name) and (path / name).is_dir()) for name in names)


def shard_files(path: Path) -> list[Path]:
    """The tars that a path names, in order. Raises DatasetError where one of them is not there, or they are too many."""
    if path.is_dir():
        return sorted(path / name for name in os.listdir(path) if name.lower().endswith(".tar") and not name.startswith("."))
    files = [path.with_name(name) for name in shard_names(path.name)]
    for file in files:
        if not file.is_file():
            raise DatasetError(f"{file} does not exist: get it, or take it out of {path.name}.", code="dataset.no_shard", file=str(file))
    return files


def shard_names(name: str) -> list[str]:
    """The files that a name means, in order: itself, or those of its ranges. Raises DatasetError where they are too many."""
    pieces = _RANGE.split(name)
    choices = [[pieces[0]]]
    for first, last, after in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
        numbers = range(int(first), int(last) + 1)
        if len(numbers) > MOST_SHARDS:
            raise DatasetError(f"{name} names {len(numbers):,} shards, and {MOST_SHARDS:,} are the most: give larger ones.")
        choices.append([f"{number:0{len(first)}}{after}" for number in numbers])
    names = ["".join(each) for each in islice(product(*choices), MOST_SHARDS + 1)]
    if len(names) > MOST_SHARDS or not names:
        raise DatasetError(f"{name} names {'no' if not names else 'too many'} shards: write it as {{000000..000099}}.tar.")
    return names


def open_shards(path: Path, repeats: int | None, cache: Path) -> RowIndex:
    """The index of the shards that `path` names: that of each tar, made where there is none of it as it is now, and of all together.

    Raises DatasetError where a tar cannot be read.
    """
    keys = [(file, _key(file, repeats)) for file in shard_files(path)]

    def write(index: RowWriter) -> None:
        for file, key in keys:
            own = index_in(cache, key, lambda writer, file=file: _index_shard(file, repeats, writer))  # type: ignore[misc]
            index.take(own)
            own.close()

    return index_in(cache, key_of("shards-1", *(key for _, key in keys)), write)


def _key(file: Path, repeats: int | None) -> str:
    found = os.stat(file)
    return key_of("shard-1", str(file.resolve()), found.st_size, found.st_mtime_ns, repeats)


def _index_shard(file: Path, repeats: int | None, index: RowWriter) -> None:
    """Write down where the pictures of a tar are, decoding each once."""
    waiting: deque[tuple[_Sample, Future[Seen[tuple[int, int]]]]] = deque()
    with ThreadPoolExecutor(DECODERS) as pool:
        for sample in _samples(file, index):
            waiting.append((sample, pool.submit(_seen, sample.picture)))
            if len(waiting) > 2 * DECODERS:
                _write(*waiting.popleft(), repeats, index)
        while waiting:
            _write(*waiting.popleft(), repeats, index)


@dataclass
class _Sample:
    """Members of one name."""

    key: str
    pictures: list[FilePart] = field(default_factory=list)
    texts: dict[str, bytes] = field(default_factory=dict)

    @property
    def picture(self) -> FilePart:
        return self.pictures[0]

    @property
    def row(self) -> ManifestRow:
        """What is said of the picture. Raises DatasetError where it cannot be read."""
        where = str(self.picture)
        for suffix in CAPTION_SUFFIXES:
            if (raw := self.texts.get(suffix)) is not None:
                if not is_utf8(raw):
                    raise DatasetError(f"The caption of {where} is not UTF-8: save it as UTF-8.", code="captions.not_utf8")
                return manifest_row({"file_name": self.key, "text": Caption(raw).text}, Path(), where)
        tree: Any = {}
        if (raw := self.texts.get(".json")) is not None:
            try:
                tree = json.loads(raw)
            except (ValueError, RecursionError) as error:
                raise DatasetError(f"The .json of {where} is not JSON: correct it.", code="manifest.not_json") from error
        return manifest_row({**tree, "file_name": self.key} if isinstance(tree, dict) else tree, Path(), where)


def _write(sample: _Sample, look: Future[Seen[tuple[int, int]]], repeats: int | None, index: RowWriter) -> None:
    part = sample.picture
    row = {"file": str(part.file), "name": part.name, "offset": part.offset, "length": part.length}
    try:
        said = sample.row
    except DatasetError as error:
        index.leave_out("caption_unreadable", str(error))
        return
    index.offer({**row, "text": said.text}, str(part), look.result(), said.size, repeats or said.repeats or 1, said.held_out)


def _seen(part: FilePart) -> Seen[tuple[int, int]]:
    try:
        return Seen(Path(str(part)), content_hash(part), read_picture(part).size)
    except DatasetError as error:
        return Seen(Path(str(part)), problem=str(error))


def _samples(file: Path, index: RowWriter) -> Iterator[_Sample]:
    """The samples of a tar that have a picture; the others, and members that are refused, are written down as left out."""
    sample = _Sample("")
    for info, content in _members(file):
        where = f"{file}/{info.name}"
        if (wrong := _wrong_with(info)) is not None:
            index.leave_out("member_refused", f"{where} {wrong}")
            continue
        folder, _, name = info.name.rpartition("/")
        key, _, ending = name.partition(".")
        key, suffix = f"{folder}/{key}", f".{ending.lower()}"
        if key != sample.key:
            yield from _whole(sample, file, index)
            sample = _Sample(key)
        if suffix in PICTURE_SUFFIXES:
            sample.pictures.append(FilePart(file, info.name, info.offset_data, info.size))
        elif suffix in (*CAPTION_SUFFIXES, ".json"):
            sample.texts[suffix] = content.read(info.size) if info.size <= LARGEST_TEXT else b""
    yield from _whole(sample, file, index)


def _whole(sample: _Sample, file: Path, index: RowWriter) -> Iterator[_Sample]:
    if sample.pictures:
        for other in sample.pictures[1:]:
            index.leave_out("picture_twice", f"{other} has the name of {sample.picture.name}, which comes first.")
        yield sample
    elif sample.texts:
        index.leave_out("caption_without_picture", f"{file}{sample.key} is a caption without a picture.")


def _wrong_with(info: tarfile.TarInfo) -> str | None:
    """Why a member is not used; None where it may be."""
    if info.islnk() or info.issym():
        return "is a link, and links are not followed."
    if not info.isreg() or info.issparse():
        return "is not a plain file."
    if info.name.startswith(("/", "\\")) or ".." in PurePosixPath(info.name).parts or "\\" in info.name or re.match("[A-Za-z]:", info.name):
        return "has a name that leads out of the tar."
    limit = LARGEST_TEXT if info.name.lower().endswith((*CAPTION_SUFFIXES, ".json")) else LARGEST_PICTURE
    return f"has {info.size:,} bytes, and {limit:,} are the most." if info.size > limit else None


class _Headers(io.RawIOBase):
    """A file of which a tar's reader gets no more at once than a header may have."""

    def __init__(self, file: IO[bytes]):
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= LARGEST_HEADER:
            raise tarfile.ReadError("a header of too many bytes")
        return self._file.read(size)

    def seek(self, place: int, whence: int = 0) -> int:
        return self._file.seek(place, whence)

    def tell(self) -> int:
        return self._file.tell()


def _members(file: Path) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    """The members of a tar that are not folders, each with the file at its bytes. Raises DatasetError where it is none, or breaks off."""
    try:
        size = os.path.getsize(file)
        with file.open("rb") as stream, file.open("rb") as contents:
            tar = tarfile.open(fileobj=cast(IO[bytes], _Headers(stream)), mode="r:")  # noqa: SIM115  # it holds nothing of its own
            for info in tar:
                tar.members = []  # type: ignore[attr-defined]  # it would remember every one
                if info.isdir():
                    continue
                if info.isreg() and info.offset_data + info.size > size:
                    raise tarfile.ReadError("it breaks off")
                contents.seek(info.offset_data)
                yield info, contents
    except (tarfile.TarError, OSError, EOFError, ValueError, OverflowError) as error:
        why = "it is compressed" if _is_packed(file) else str(error)
        raise DatasetError(
            f"{file} cannot be read as a plain tar ({why}): get it again from its source, or unpack gzip, bzip2 or xz around it.",
            code="dataset.shard_damaged", file=str(file),
        ) from error  # fmt: skip


def _is_packed(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return stream.read(6).startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ"))
    except OSError:
        return False
