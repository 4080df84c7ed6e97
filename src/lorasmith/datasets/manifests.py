"""A dataset that is a file of rows, one a picture: JSON Lines, or Parquet.

    {"file_name": "000001.jpg", "text": "zorvex, a fox"}
    {"file_name": "000002.jpg", "text": "zorvex, a hare", "repeats": 3}
    {"file_name": "000003.jpg", "text": "zorvex, asleep", "held_out": true}

The names are those of Hugging Face's ImageFolder (`metadata.jsonl`): `file_name` is the picture, from the manifest's folder on, and `text`
(or `caption`) what is said about it. `width` and `height` are compared with the picture's, where they are given. Other columns are not read.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import tee
from pathlib import Path
from typing import Any

from lorasmith.datasets.row_index import RowIndex, RowWriter, index_in
from lorasmith.errors import DatasetError
from lorasmith.images.looks import SIZES, look_at_all
from lorasmith.images.picture_cache import PictureCache

SUFFIXES = (".jsonl", ".parquet")
CAPTIONS = ("text", "caption")
"""Columns with the caption; the first that a row has counts."""
MOST_REPEATS = 10_000
DECODERS = min(8, os.cpu_count() or 1)
"""Threads that decode pictures when an index is made."""
AT_ONCE = 4096
"""Rows of a Parquet file that are read together."""


@dataclass(frozen=True)
class ManifestRow:
    """What a row says."""

    file: Path
    text: str | None
    repeats: int | None
    held_out: bool
    size: tuple[int, int] | None


def is_manifest(path: Path) -> bool:
    """Whether a dataset's path names a manifest."""
    return path.suffix.lower() in SUFFIXES


def open_manifest(path: Path, repeats: int | None, cache: Path, pictures: Path | None) -> RowIndex:
    """The index of a manifest, made where there is none of it and its pictures as they are; `repeats` counts for all rows.

    `cache` is the folder of all caches, `pictures` that of what was decoded before. To find out, rows and the states of files are read,
    and no picture is. Rows whose picture cannot be used are left out, which the index says.

    Raises DatasetError where the file cannot be read, or a row is not one.
    """
    state = hashlib.sha256(repr(("manifest-1", str(path.resolve()), repeats)).encode())
    for row in manifest_rows(path):
        state.update(repr((row, _state(row.file))).encode())

    def write(index: RowWriter) -> None:
        with PictureCache(pictures) as known:
            rows, again = tee(manifest_rows(path))
            looks = look_at_all((row.file for row in again), SIZES, known, DECODERS)
            for row, look in zip(rows, looks, strict=True):
                own = repeats or row.repeats or 1
                index.offer({"file": str(row.file), "text": row.text}, str(row.file), look, row.size, own, row.held_out)

    return index_in(cache, state.hexdigest(), write)


def _state(file: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def manifest_rows(path: Path) -> Iterator[ManifestRow]:
    """The rows of a manifest, one after the other. Raises DatasetError where it cannot be read, or one is not a row."""
    folder = path.parent
    for number, tree in enumerate(_trees(path), start=1):
        yield manifest_row(tree, folder, f"{path}, row {number}")


def _trees(path: Path) -> Iterator[Mapping[str, Any]]:
    if path.suffix.lower() == ".parquet":
        yield from _parquet(path)
        return
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    try:
                        yield json.loads(line)
                    except (ValueError, RecursionError) as error:
                        raise DatasetError(f"Line {number} of {path} is not JSON: correct it.", code="manifest.not_json") from error
    except OSError as error:
        raise _cannot_open(path, error.strerror or "") from error


def _parquet(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise DatasetError(
            f"{path} is a Parquet file, which needs an extra: pip install pyarrow, or save it as .jsonl.",
            code="extra.missing",
            extra="pyarrow",
        ) from error
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            known = ("file_name", *CAPTIONS, "repeats", "held_out", "width", "height")
            columns = [name for name in known if name in file.schema_arrow.names]
            for batch in file.iter_batches(AT_ONCE, columns=columns):
                yield from ({name: value for name, value in row.items() if value is not None} for row in batch.to_pylist())
    except (OSError, pyarrow.ArrowException) as error:
        raise _cannot_open(path, str(error).partition("\n")[0]) from error


def _cannot_open(path: Path, why: str) -> DatasetError:
    return DatasetError(f"{path} cannot be read ({why}): check its name and that it is whole.", code="manifest.cannot_read", file=str(path))


def manifest_row(tree: object, folder: Path, where: str) -> ManifestRow:
    """What a row says; `where` names it in errors. Raises DatasetError where it is none."""

    def refuse(why: str) -> DatasetError:
        return DatasetError(f"{where}: {why}", code="manifest.row")

    if not isinstance(tree, Mapping):
        raise refuse('a row is an object such as {"file_name": "cat.jpg", "text": "a cat"}: write it so.')
    name = tree.get("file_name")
    if not isinstance(name, str) or not name or "\0" in name:
        raise refuse("file_name must name a picture: add it.")
    text = next((tree[column] for column in CAPTIONS if tree.get(column) is not None), None)
    if text is not None and not isinstance(text, str):
        raise refuse(f"the caption must be text, and is {type(text).__name__}: correct it.")
    repeats, held_out = tree.get("repeats"), tree.get("held_out", False)
    if repeats is not None and not (_is_number(repeats) and 1 <= repeats <= MOST_REPEATS):
        raise refuse(
            f"repeats is {repeats!r}, and must be a whole number from 1 to {MOST_REPEATS}: to leave a picture out, take its row out."
        )
    if not isinstance(held_out, bool):
        raise refuse(f"held_out is {held_out!r}, and must be true or false.")
    sides = tree.get("width"), tree.get("height")
    if not all(side is None or _is_number(side) for side in sides):
        raise refuse("width and height must be whole numbers of pixels.")
    size = (int(sides[0]), int(sides[1])) if sides[0] is not None and sides[1] is not None else None
    return ManifestRow(folder / name, text, repeats, held_out, size)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
