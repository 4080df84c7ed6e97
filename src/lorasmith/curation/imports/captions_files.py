"""Files of other trainers that name pictures with their captions: `metadata.jsonl` of a diffusers image folder, sd-scripts' metadata."""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePosixPath
from typing import Any

from lorasmith.curation.imports.source import FoundPicture, SourceFile, label, left_out, section_and_concept
from lorasmith.dataset_folder import PICTURE_SUFFIXES
from lorasmith.errors import DatasetError
from lorasmith.findings import Finding

CAPTIONS_FILES = (".json", ".jsonl")
"""Suffixes of files that name pictures with their captions."""


def read_metadata(file: SourceFile, root: str, left: list[Finding]) -> dict[str, bytes]:
    """Captions by picture from the `metadata.jsonl` of a diffusers image folder, as paths in the source."""
    folder = PurePosixPath(file.name).parent
    shown = label(root, file.name)
    captions: dict[str, bytes] = {}
    try:
        with file.open() as stream:
            text = stream.read().decode("utf-8-sig")
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                name, words = _picture_and_caption(line, f"{shown}, line {number}")
                captions[str(PurePosixPath(os.path.normpath(folder / name)).as_posix())] = words.encode()
    except (UnicodeDecodeError, DatasetError, OSError) as error:
        left.append(left_out("caption_not_used", shown, f"{shown} is not used from here on: {error}", about="caption"))
    return captions


def _picture_and_caption(line: str, where: str) -> tuple[str, str]:
    """(picture, caption) of one line of JSON."""
    try:
        row = json.loads(line)
    except ValueError as error:
        raise DatasetError(f"{where} is not valid JSON: correct that line.") from error
    if not isinstance(row, dict):
        raise DatasetError(f"{where} is not an object with file_name and text: correct that line.")
    name = next((row[key] for key in ("file_name", "image_path", "image", "path") if isinstance(row.get(key), str)), None)
    words = next((row[key] for key in ("text", "caption", "prompt", "tags") if isinstance(row.get(key), str)), None)
    if name is None or words is None:
        raise DatasetError(f"{where} names no picture (file_name) or says nothing about it (text): correct that line.")
    return name, words


def from_captions_file(source: Path, left: list[Finding]) -> list[FoundPicture]:
    """The pictures that a JSON names: sd-scripts' fine-tuning metadata, or lines with a picture and its caption each."""
    try:
        text = source.read_text(encoding="utf-8-sig")
        if source.suffix.lower() == ".jsonl":
            lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
            captions = dict(_picture_and_caption(line, f"{source}, line {number}") for number, line in lines)
        else:
            captions = _captions_of_metadata(json.loads(text), source)
    except (ValueError, RecursionError) as error:
        raise DatasetError(
            f"{source} is not JSON in UTF-8 with a caption for each picture ({error}): give the pictures' folder.",
            code="imports.not_json", file=str(source),
        ) from error  # fmt: skip
    found = []
    for name, words in captions.items():
        path = _named_picture(source.parent, name)
        if path is None:
            message = f"{source} names {name}, and there is no such picture."
            left.append(left_out("missing", f"{source.name}/{name}", message, about="picture"))
            continue
        section, concept, repeats = section_and_concept(path.resolve().parts[:-1][-2:])
        shown, file = f"{path.parent.name}/{path.name}", SourceFile.at(path, path.name)
        captions_of_it = {".txt": words.encode()} if words else {}
        found.append(FoundPicture(shown, shown, file.open, path, section, concept, repeats, path.suffix.lower(), captions_of_it))
    return found


def _captions_of_metadata(tree: Any, source: Path) -> dict[str, str]:
    """Picture -> caption, put together from `caption` and `tags` as sd-scripts does."""
    if not isinstance(tree, dict) or not all(isinstance(entry, dict) for entry in tree.values()):
        raise DatasetError(
            f"{source} is not the fine-tuning metadata of sd-scripts (a picture -> caption and tags): give the pictures' folder.",
            code="imports.not_metadata", file=str(source),
        )  # fmt: skip
    captions = {}
    for name, entry in tree.items():
        parts = [part for key in ("caption", "tags") if isinstance(part := entry.get(key), str) and part]
        captions[name] = ", ".join(parts)
    return captions


def _named_picture(folder: Path, name: str) -> Path | None:
    """The picture that a file names: from its own folder or from where the program runs, with or without its suffix."""
    for start in (folder, Path.cwd()):
        path = start / name
        if path.is_file():
            return path
        for suffix in PICTURE_SUFFIXES:
            if (whole := path.with_name(path.name + suffix)).is_file():
                return whole
    return None
