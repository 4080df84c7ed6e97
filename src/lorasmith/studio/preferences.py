"""`/api/preferences`: what a page wants to find again in every browser: theme, level, last base. Kept in the workspace as it was sent."""

from __future__ import annotations

import hashlib
import json
import threading

from fastapi import APIRouter, Response
from pydantic import JsonValue

from lorasmith.atomic import write_atomically
from lorasmith.errors import InputError
from lorasmith.jobs.workspace import Workspace
from lorasmith.json_text import table_of
from lorasmith.studio.etag import IfMatch, etag, version_of
from lorasmith.studio.studio import OpenStudio, Studio

router = APIRouter(tags=["system"])

MOST = 64 * 2**10
"""Bytes."""

_writing = threading.Lock()


@router.get("/preferences")
def get_preferences(studio: OpenStudio, response: Response) -> dict[str, JsonValue]:
    """All preferences. The `ETag` is for `If-Match`."""
    text = _read(studio)
    response.headers["etag"] = etag(_version(text))
    return table_of(text)


@router.put("/preferences")
def put_preferences(
    preferences: dict[str, JsonValue], studio: OpenStudio, response: Response, if_match: IfMatch = None
) -> dict[str, JsonValue]:
    """Replace all preferences; 412 where another page has changed them meanwhile."""
    with _writing:
        if (wanted := version_of(if_match)) is not None and wanted != _version(_read(studio)):
            raise InputError("The preferences have changed since they were read. Look at them again.", code="preferences.changed")
        return _written(studio, preferences, response)


@router.patch("/preferences")
def change_preferences(change: dict[str, JsonValue], studio: OpenStudio, response: Response) -> dict[str, JsonValue]:
    """Change what is sent; null removes it. What another page has changed meanwhile stays."""
    with _writing:
        kept = {name: value for name, value in (table_of(_read(studio)) | change).items() if value is not None}
        return _written(studio, kept, response)


def _written(studio: Studio, preferences: dict[str, JsonValue], response: Response) -> dict[str, JsonValue]:
    text = json.dumps(preferences, indent=1)
    if len(text) > MOST:
        raise InputError(f"Preferences take at most {MOST} bytes.", code="preferences.too_large")
    place = Workspace.at(studio.workspace).state
    place.mkdir(exist_ok=True)
    write_atomically(place / "preferences.json", text.encode())
    response.headers["etag"] = etag(_version(text))
    return preferences


def _read(studio: Studio) -> str:
    try:
        return (Workspace.at(studio.workspace).state / "preferences.json").read_text(encoding="utf-8")
    except FileNotFoundError:
        return "{}"


def _version(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
