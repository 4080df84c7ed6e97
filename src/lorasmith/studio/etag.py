"""What was read comes with an `ETag`: a write with `If-Match` is refused where that is no longer what is there, and a reader with `If-None-Match`
is told so where it still is."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

from fastapi import Header

IfMatch = Annotated[str | None, Header(description="The `ETag` of what was read: the call is refused where it has changed since.")]

IfNoneMatch = Annotated[str | None, Header(description="The `ETag` of what one has: the answer is empty (304) where it is still that.")]


def etag(version: str) -> str:
    """The header for a version."""
    return f'"{version}"'


def version_of(if_match: str | None) -> str | None:
    """The version that a call was made for; None where any will do."""
    return None if if_match is None or if_match.strip() == "*" else if_match.strip().removeprefix("W/").strip('"')


def has_it(if_none_match: str | None, version: str) -> bool:
    """Whether who asks has this version already."""
    return any(version_of(one) == version for one in (if_none_match or "").split(","))


def version_of_file(file: Path) -> str:
    """Another one whenever the file is another, or another program wrote it."""
    state = file.stat()
    return f"{state.st_size:x}-{state.st_mtime_ns:x}"


def version_of_all(places: Iterable[Path]) -> str:
    """Another one whenever one of these files is another, one in these folders, or one in the folders in them: a base has no deeper ones."""
    said = hashlib.sha256()
    for place in places:
        for file, state in _states(place, deeper=2):
            said.update(f"{file}\n{state}\n".encode(errors="surrogateescape"))
    return said.hexdigest()[:24]


def _states(place: Path, deeper: int) -> Iterator[tuple[str, str]]:
    """The files at a place, each with its version; "" for what cannot be looked at."""
    try:
        if not place.is_dir():
            yield str(place), version_of_file(place)
        elif deeper:
            for name in sorted(os.listdir(place)):
                yield from _states(place / name, deeper - 1)
    except (OSError, ValueError):  # it is not there, or no file can be called that
        yield repr(str(place)), ""
