"""What a source of an import holds: files, and the pictures among them with their captions; nothing is decoded yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

from lorasmith.curation.names import printable, safe_folder
from lorasmith.dataset_folder import HOLDOUT, REGULARISATION
from lorasmith.datasets.folders import concept_in
from lorasmith.findings import About, Finding, Fix, Severity

SECTIONS = {"reg": REGULARISATION, "regularisation": REGULARISATION, "regularization": REGULARISATION, "holdout": HOLDOUT}
"""Name of a folder in a source, in lower case -> the dataset's folder for its pictures."""


@dataclass(frozen=True)
class SourceFile:
    """A file in a source."""

    name: str
    """Its path in the source, with `/`."""
    open: Callable[[], IO[bytes]]
    """Can be pickled, and opens the file in another process, too."""
    path: Path | None = None
    """Where it is on the disk, unless it is in an archive."""
    sequential: bool = False
    """Whether its bytes come only after those of the files before it."""

    @classmethod
    def at(cls, path: Path, name: str) -> SourceFile:
        return cls(name, partial(_opened, path), path)


@dataclass
class FoundPicture:
    """A picture in a source."""

    name: str
    """Its path in the source, with `/`."""
    source: str
    """The same for a person, with the name of the source."""
    open: Callable[[], IO[bytes]]
    path: Path | None = None
    """Where it is on the disk, unless it is in an archive."""
    section: str = ""
    """The dataset's folder that it goes into, if it is not for training: `holdout` or `regularisation`."""
    concept: str | None = None
    repeats: int = 1
    suffix: str = ""
    captions: dict[str, bytes] = field(default_factory=dict)
    """Suffix -> bytes."""
    mask: SourceFile | None = None
    """What of it counts in the loss."""
    sequential: bool = False
    """Whether its bytes come only after those of the files before it."""


def _opened(path: Path) -> IO[bytes]:
    return path.open("rb")


def label(root: str, name: str) -> str:
    """A file in a source, as a person reads it; `root` is the source's name, '' for a single file."""
    return printable(f"{root}/{name}" if root else name)


def section_and_concept(parts: Sequence[str]) -> tuple[str, str | None, int]:
    """What the folders around a picture say: its section, its concept, its repeats. The nearest `N_name` counts."""
    section = ""
    for part in parts:
        section = SECTIONS.get(part.casefold(), section)
    for part in reversed(parts):
        if (concept := concept_in(part)) is not None and concept.name is not None:
            return section, safe_folder(concept.name), concept.repeats
    return section, None, 1


# What is left out

SEVERITY: dict[str, Severity] = {
    "already_there": "note",
    "same_picture": "note",
    "system_file": "note",
    "other_trainers_setting": "note",
    "unknown_file": "warning",
    "mask": "warning",
    "archive_inside": "warning",
    "caption_without_picture": "warning",
    "caption_not_used": "warning",
    "unreadable": "error",
    "refused": "error",
    "missing": "error",
}
"""Why something in a source did not come in, or not whole -> how grave that is."""


def left_out(case: str, source: str, message: str, fix: str = "", *, about: About = "file") -> Finding:
    """The finding for something that did not come in, or not whole; `case` is a key of `SEVERITY`."""
    return Finding(f"imports.{case}", SEVERITY[case], message, about, (source,), fix=Fix(fix) if fix else None)
