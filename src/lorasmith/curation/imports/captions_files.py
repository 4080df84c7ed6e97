"""Files of other trainers that name pictures with their captions.

- JSON lines, such as the `metadata.jsonl` of an image folder for diffusers: an object with `file_name` and `text` a line
- JSON: sd-scripts' fine-tuning metadata (picture -> caption and tags), a map of picture -> text, or a list of objects
- CSV, such as `metadata.csv`: the same columns between commas, semicolons or tabs; without a header, picture and caption

A row that cannot be used is named, and the others are used.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from lorasmith.captions.caption import is_utf8
from lorasmith.captions.encodings import in_words, readings
from lorasmith.curation.imports.source import left_out
from lorasmith.dataset_folder import is_picture
from lorasmith.errors import DatasetError
from lorasmith.findings import Finding
from lorasmith.json_text import whole_text
from lorasmith.pages.numbers import count

CAPTIONS_FILES = (".json", ".jsonl", ".csv", ".tsv")
"""Suffixes of files that name pictures with their captions."""
METADATA_FILES = ("metadata.jsonl", "metadata.json", "metadata.csv")
"""Names by which such a file is recognised in a folder or archive."""

PICTURE_KEYS = ("file_name", "image_path", "image", "path", "filename", "file", "image_file")
TEXT_KEYS = ("text", "caption", "prompt", "tags", "captions")


@dataclass(frozen=True)
class Row:
    """A picture with its caption, as a file names them."""

    where: str
    """The file and the row in it, for a person."""
    picture: str
    """The picture's path as it is written there."""
    caption: str
    """Lines with `\\n` between them; "" where the file has none for this picture."""


def read_rows(name: str, raw: bytes, shown: str, left: list[Finding]) -> list[Row]:
    """The rows of a file called `name`; those that cannot be used go to `left`. `shown` is the file for a person.

    Raises:
        DatasetError: the file is none of the above.
    """
    if is_utf8(raw):
        text = raw.decode("utf-8-sig")
    elif len(found := readings(raw)) == 1:
        text = found[0].text
    else:
        remedy = "save it as UTF-8 in a text editor, or " if found else ""
        raise DatasetError(
            f"{shown} is not UTF-8 text, and {in_words(found)}: {remedy}give the pictures' folder.", code="imports.not_utf8", file=shown
        )
    suffix = PurePosixPath(name).suffix.lower()
    rows = _of_lines(text) if suffix == ".jsonl" else _of_json(text, shown) if suffix == ".json" else _of_table(text, shown)
    good: list[Row] = []
    bad: list[Finding] = []
    not_used: Counter[str] = Counter()
    for place, read in rows:
        where = f"{shown}, {whole_text(place)}"
        if isinstance(read, str):
            bad.append(
                left_out("caption_not_used", where, f"{where} is not used: it {whole_text(read)}.", "Correct it there.", about="caption")
            )
        else:
            picture, caption, others = read
            good.append(Row(where, whole_text(picture), whole_text(caption)))
            not_used.update(others)
    if not good:
        raise _not_metadata(shown, bad[0].message.removesuffix(".") if bad else "it is empty")
    left += bad
    for key, having in not_used.items():
        message = f"{shown} has a second text, {key}, in {having:,} of {count(len(good), 'row')}, which is not used."
        fix = f"To use it instead, let it alone be called {TEXT_KEYS[0]} there."
        left.append(left_out("caption_not_used", f"{shown}, {key}", message, fix, about="caption"))
    return good


Read = tuple[str, tuple[str, str, Sequence[str]] | str]
"""The place of a row in its file, and either its picture, its caption and what other texts it has, or what is wrong with it."""


def _of_lines(text: str) -> Iterator[Read]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield f"line {number}", _of_object(json.loads(line))
            except (ValueError, RecursionError):
                yield f"line {number}", "is not valid JSON"


def _of_json(text: str, shown: str) -> Iterator[Read]:
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DatasetError(
            f"{shown} is not valid JSON ({error}): correct it, or give the pictures' folder.", code="imports.not_json"
        ) from error
    if isinstance(tree, list):
        for number, one in enumerate(tree, 1):
            yield f"entry {number}", _of_object(one)
    elif isinstance(tree, dict):
        for name, entry in tree.items():
            caption = _of_fine_tuning(entry) if isinstance(entry, dict) else _text(entry)
            yield f"entry {name}", (name, caption, ()) if caption is not None else "has no text"
    else:
        raise _not_metadata(shown, "it is neither a map nor a list")


def _of_table(text: str, shown: str) -> Iterator[Read]:
    first = text.lstrip().split("\n", 1)[0]
    separator = next((letter for letter in first if letter in ",;\t"), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        header = [cell.strip().lower() for cell in next(reader, [])]
        picture, words = (next((header.index(key) for key in keys if key in header), None) for keys in (PICTURE_KEYS, TEXT_KEYS))
        if picture is None or words is None:
            if not header or not is_picture(header[0]):
                raise _not_metadata(shown, "its header names no column file_name and text")
            reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
            header, picture, words = ["file_name", "text"], 0, 1
        others = [(place, key) for place, key in enumerate(header) if key in TEXT_KEYS and place != words]
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if words == len(header) - 1:  # a caption with commas that nobody quoted
                cells[words:] = [separator.join(cells[words:])] if len(cells) > words else []
            where = f"line {reader.line_num}"
            if len(cells) == len(header) and cells[picture].strip():
                more = [key for place, key in others if cells[place].strip()]
                yield where, (cells[picture].strip(), cells[words].strip(), more)
            else:
                yield where, "has other columns than the header"
    except csv.Error as error:
        yield f"line {reader.line_num}", f"cannot be read ({error})"


def _of_object(row: Any) -> tuple[str, str, Sequence[str]] | str:
    """Picture, caption and the names of other texts of one object, or what is wrong with it."""
    if not isinstance(row, dict):
        return "is not an object with file_name and text"
    name = next((row[key] for key in PICTURE_KEYS if isinstance(row.get(key), str) and row[key].strip()), None)
    if name is None:
        return "names no picture (file_name)"
    texts = {key: words for key in TEXT_KEYS if (words := _text(row.get(key))) is not None}
    if not texts:
        return f"says nothing about {name} (text)"
    used = next((key for key, words in texts.items() if words.strip()), next(iter(texts)))
    return name, texts[used], [key for key, words in texts.items() if key != used and words.strip()]


def _of_fine_tuning(entry: dict[str, Any]) -> str:
    """The caption of an entry of sd-scripts' metadata, put together from `caption` and `tags` as sd-scripts does."""
    parts = [text for key in ("caption", "tags") if (text := _text(entry.get(key)))]
    return ", ".join(parts) or next((text for key in TEXT_KEYS if (text := _text(entry.get(key)))), "")


def _text(value: Any) -> str | None:
    """A text, or a list of wordings as lines; None for anything else."""
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return "\n".join(one.strip() for one in value)
    return value if isinstance(value, str) else None


def _not_metadata(shown: str, why: str) -> DatasetError:
    return DatasetError(
        f"{shown} does not name pictures with their captions ({why}): give the pictures' folder.", code="imports.not_metadata", file=shown
    )
