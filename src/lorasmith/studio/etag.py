"""What was read comes with an `ETag`: a write with `If-Match` is refused where that is no longer what is there, and a reader with `If-None-Match`
is told so where it still is."""

from __future__ import annotations

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
