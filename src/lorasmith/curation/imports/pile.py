"""The files of a folder or an archive, sorted into pictures with their captions and masks, and what is left out."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from lorasmith.curation.imports.archives import Archive, MemberFile, is_archive
from lorasmith.curation.imports.captions_files import CAPTIONS_FILES, METADATA_FILES, Row, read_rows
from lorasmith.curation.imports.masks import give_masks
from lorasmith.curation.imports.matching import PictureIndex, captions_with_row, match_rows
from lorasmith.curation.imports.source import FoundPicture, SourceFile, label, left_out, section_and_concept
from lorasmith.dataset_folder import CAPTION_SUFFIXES, PICTURE_SUFFIXES, STATE, SYSTEM_FILES, is_label
from lorasmith.errors import DatasetError
from lorasmith.findings import Finding

LARGEST_CAPTION = 2**20
"""Bytes."""

NO_PICTURES = (".json", ".jsonl", ".toml", ".zip", ".tar", ".npz", ".safetensors")
"""Suffixes of files whose content is not asked whether it is a picture."""


def folder_files(source: Path, into: Path, left: list[Finding]) -> Iterator[SourceFile]:
    """All files in a folder and below, by name; links to folders are not followed. Anything else goes to `left`."""
    dataset = into.resolve()
    for folder, below, names in os.walk(source):
        here = Path(folder)
        for name in sorted(below):
            child = here / name
            shown = f"{source.name}/{child.relative_to(source).as_posix()}"
            if child.is_symlink():
                message = f"{child} is a link to a folder and is not followed."
                left.append(left_out("refused", shown, message, "Import that folder itself.", about="folder"))
            elif name.startswith(".") and name != STATE.name:
                left.append(left_out("system_file", shown, f"{child} is hidden and was not looked into.", about="folder"))
            elif name != STATE.name and child.resolve() != dataset:
                continue
            below.remove(name)
        below.sort()
        for name in sorted(names):
            path = here / name
            inside = path.relative_to(source).as_posix()
            if _is_plain_file(path):
                yield SourceFile.at(path, inside)
            else:
                message = f"{path} is not a plain file, or is a link to nothing."
                left.append(left_out("refused", f"{source.name}/{inside}", message, "Put the file itself there."))


def _is_plain_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def archive_files(archive: Archive) -> list[SourceFile]:
    return [
        SourceFile(member.name, MemberFile(archive, number), sequential=archive.sequential) for number, member in enumerate(archive.members)
    ]


class _Sorted:
    """Files of a source by what they are."""

    def __init__(self) -> None:
        self.pictures: list[FoundPicture] = []
        self.texts: dict[str, SourceFile] = {}
        self.labels: dict[str, SourceFile] = {}
        """Masks and conditioning pictures by their names."""
        self.rows: dict[str, list[Row]] = {}
        """Folder -> the rows of its `metadata.jsonl` and kin."""
        self.described: dict[str, Row] = {}
        """Picture -> the row that means it."""


def sort_out(root: str, files: Iterable[SourceFile], left: list[Finding], folder: str | None = None) -> list[FoundPicture]:
    """Pictures with their captions and masks; whatever else there is goes to `left`. `root` is the source's name, '' for a single file.

    `folder` is the name of the folder around the source, where that is not `root`.
    """
    found = _Sorted()
    for file in files:
        _sort_in(found, file, root, root if folder is None else folder, left)
    found.pictures = give_masks(found.pictures, found.labels, root, left)
    pictures = PictureIndex((picture.name for picture in found.pictures), root)
    for place, rows in found.rows.items():
        found.described |= match_rows(rows, pictures, place, left)
    used: set[str] = set()
    for picture in found.pictures:
        used |= _give_captions(picture, found, root, left)
    for name in sorted(set(found.texts) - used):
        shown = label(root, name)
        message = f"{shown} has no picture of its name beside it."
        left.append(left_out("caption_without_picture", shown, message, about="caption"))
    return found.pictures


def _sort_in(found: _Sorted, file: SourceFile, root: str, around: str, left: list[Finding]) -> None:
    place = PurePosixPath(file.name)
    suffix = place.suffix.lower()
    shown = label(root, file.name)
    if any(part.startswith(".") or part.lower() in SYSTEM_FILES for part in place.parts):
        left.append(left_out("system_file", shown, f"{shown} was left behind by a system or is hidden."))
    elif suffix in CAPTION_SUFFIXES:
        found.texts[file.name] = file
    elif place.name.lower() in METADATA_FILES:
        inside = "" if place.parent == PurePosixPath(".") else place.parent.as_posix()
        found.rows.setdefault(inside, []).extend(_rows(file, shown, left))
    elif is_label(place.name):
        found.labels[file.name] = file
    elif kind := suffix if suffix in PICTURE_SUFFIXES else _suffix_by_content(file):
        section, concept, repeats = section_and_concept((around, *place.parts[:-1]))
        found.pictures.append(
            FoundPicture(file.name, shown, file.open, file.path, section, concept, repeats, kind, sequential=file.sequential)
        )
    elif is_archive(Path(place.name)):
        message = f"{shown} is an archive inside a folder or an archive."
        left.append(left_out("archive_inside", shown, message, "Import it by itself if you want what is in it."))
    elif suffix in (".toml", *CAPTIONS_FILES):
        message = f"{shown} may belong to another trainer."
        left.append(left_out("other_trainers_setting", shown, message, "Import it by itself if it describes a dataset."))
    else:
        message = f"{shown} is neither a picture ({' '.join(PICTURE_SUFFIXES)}) nor a caption."
        left.append(left_out("unknown_file", shown, message, "Convert it if it is a picture."))


def _give_captions(picture: FoundPicture, found: _Sorted, root: str, left: list[Finding]) -> set[str]:
    """Give a picture its captions; the names of the files that they come from."""
    used = set()
    stem = str(PurePosixPath(picture.name).with_suffix(""))
    for suffix in CAPTION_SUFFIXES:
        for name in (stem + suffix, picture.name + suffix, stem + suffix.upper()):
            if name in found.texts and suffix not in picture.captions:
                used.add(name)
                if (data := _caption_bytes(found.texts[name], root, left)) is not None:
                    picture.captions[suffix] = data
    if (row := found.described.get(picture.name)) is not None:
        picture.captions = captions_with_row(row, picture.captions, picture.source, left, row_wins=False)
    return used


def _rows(file: SourceFile, shown: str, left: list[Finding]) -> list[Row]:
    try:
        with file.open() as stream:
            return read_rows(file.name, stream.read(), shown, left)
    except (DatasetError, OSError) as error:
        left.append(left_out("caption_not_used", shown, f"{shown} is not used: {error}", about="caption"))
        return []


def _suffix_by_content(file: SourceFile) -> str:
    """The suffix that a file without a picture's should have by its first bytes; '' if it is not a picture."""
    if PurePosixPath(file.name).suffix.lower() in NO_PICTURES:
        return ""
    try:
        with file.open() as stream:
            start = stream.read(16)
    except (DatasetError, OSError):
        return ""
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return ".webp"
    if start[4:12] in (b"ftypavif", b"ftypavis"):
        return ".avif"
    kinds = {b"\xff\xd8\xff": ".jpg", b"\x89PNG\r\n\x1a\n": ".png", b"GIF8": ".gif", b"II*\0": ".tif", b"MM\0*": ".tif"}
    return next((suffix for mark, suffix in kinds.items() if start.startswith(mark)), "")


def _caption_bytes(file: SourceFile, root: str, left: list[Finding]) -> bytes | None:
    shown = label(root, file.name)
    try:
        with file.open() as stream:
            data = stream.read(LARGEST_CAPTION + 1)
    except (DatasetError, OSError) as error:
        left.append(left_out("caption_not_used", shown, f"{shown} cannot be read: {error}", about="caption"))
        return None
    if len(data) > LARGEST_CAPTION:
        message = f"{shown} is over {LARGEST_CAPTION:,} bytes, which no caption is."
        left.append(left_out("caption_not_used", shown, message, about="caption"))
        return None
    return data
