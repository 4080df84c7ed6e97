"""What is in a source, whatever kind of source it is."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from lorasmith.curation.imports.archives import Limits, is_archive, open_archive
from lorasmith.curation.imports.captions_files import CAPTIONS_FILES
from lorasmith.curation.imports.dataset_toml import from_dataset_toml
from lorasmith.curation.imports.matching import from_captions_file
from lorasmith.curation.imports.pile import archive_files, folder_files, sort_out
from lorasmith.curation.imports.source import FoundPicture, SourceFile, left_out
from lorasmith.dataset_folder import is_picture, mask_beside, sidecars
from lorasmith.errors import DatasetError, InputError
from lorasmith.findings import Finding


def refuse_source(source: Path, into: Path) -> None:
    """Raises DatasetError where there is no such source, InputError where it is the dataset itself."""
    if not source.exists():
        raise DatasetError(
            f"{source} does not exist: give a picture, a folder, an archive, or another trainer's dataset file.",
            code="imports.no_source", file=str(source),
        )  # fmt: skip
    if into.exists() and (source.resolve() == into.resolve() or into.resolve() in source.resolve().parents):
        raise InputError(
            f"{source} is the dataset itself, or is inside it: give something else to import, or another dataset to import it into.",
            code="imports.source_is_dataset", file=str(source),
        )  # fmt: skip


def survey(source: Path, into: Path, left: list[Finding], open_archives: ExitStack, limits: Limits | None) -> list[FoundPicture]:
    """The pictures in a source, in order; no picture is decoded. What is left out goes to `left`; archives stay open in `open_archives`."""
    if source.is_dir():
        return sort_out(source.name or source.resolve().name, folder_files(source, into, left), left)
    suffix = source.suffix.lower()
    if suffix == ".toml":
        return from_dataset_toml(source, into, left)
    if suffix in CAPTIONS_FILES:
        return from_captions_file(source, left)
    if is_picture(source) or not (is_archive(source) or _may_be_archive(source)):
        mask = mask_beside(source)
        files = [SourceFile.at(file, file.name) for file in (source, *sidecars(source), *((mask,) if mask.is_file() else ()))]
        return sort_out("", files, left, folder=source.resolve().parent.name)
    archive = open_archives.enter_context(open_archive(source, limits))
    left += [left_out("refused", f"{source.name}/{one.name}", one.message, one.fix) for one in archive.refused]
    return sort_out(source.name, archive_files(archive), left)


def _may_be_archive(path: Path) -> bool:
    """Whether its first bytes are those of an archive."""
    with open(path, "rb") as file:
        start = file.read(512)
    return start[257:262] == b"ustar" or start.startswith((b"PK\3\4", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"Rar!", b"7z\xbc\xaf"))
