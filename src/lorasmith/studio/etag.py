"""Conditional writes: what was read comes with an `ETag`, and a write with `If-Match` is refused where that is no longer what is there."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header

IfMatch = Annotated[str | None, Header(description="The `ETag` of what was read: the call is refused where it has changed since.")]


def etag(version: str) -> str:
    """The header for a version."""
    return f'"{version}"'


def version_of(if_match: str | None) -> str | None:
    """The version that a call was made for; None where any will do."""
    return None if if_match is None or if_match.strip() == "*" else if_match.strip().removeprefix("W/").strip('"')
