"""`/files`: pictures and what is made of them, as the types that browsers may show and nothing else.

The type comes from what we decoded ourselves, never from a name. A picture that browsers cannot be trusted with comes as WebP.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi import Path as InPath
from PIL import Image
from starlette.responses import FileResponse, Response

from lorasmith.errors import InputError
from lorasmith.images.read import read_picture
from lorasmith.images.thumbnails import SIDES
from lorasmith.studio.studio import OpenStudio

router = APIRouter(tags=["files"])

SHOWN_AS_THEY_ARE = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}

ALONE = {"content-security-policy": "default-src 'none'; sandbox"}
"""A file that is opened by itself may do nothing, whatever is in it."""

FOREVER = {**ALONE, "cache-control": "private, max-age=31536000, immutable"}
ASKED_AGAIN = {**ALONE, "cache-control": "private, no-cache"}


@router.get("/thumbs/{content}.webp", response_class=Response, responses={200: {"content": {"image/webp": {}}}})
def get_thumbnail(
    content: Annotated[str, InPath(pattern="^[0-9a-f]{64}$")], studio: OpenStudio,
    s: Annotated[int, Query(description="Pixels of the longer side: 256 or 1024.")] = SIDES[0],
) -> Response:  # fmt: skip
    """A small picture by the hash of the file that it was made of; it never changes."""
    if s not in SIDES:
        raise InputError(f"There are no thumbnails of {s} pixels. Ask for {' or '.join(map(str, SIDES))}.", code="thumbnail.size", size=s)
    file = studio.thumbnails.kept(content, s)
    if file is None:
        picture = studio.places.get(content)
        if picture is None or not picture.is_file():
            raise InputError("No picture with this content is known. Ask for the page of pictures again.", code="thumbnail.not_found")
        file = studio.thumbnails.make(picture, content, s)
    return FileResponse(file, media_type="image/webp", headers=FOREVER)


@router.get("/projects/{project}/pictures/{picture:path}", response_class=Response, responses={200: {"content": {"image/*": {}}}})
def get_picture_file(project: str, picture: str, studio: OpenStudio) -> Response:
    """A picture as it is, if it is a PNG, JPEG or WebP; any other as WebP."""
    with studio.datasets.open(studio.projects[project].dataset) as dataset:
        return picture_response(dataset.file(picture))


def picture_response(file: Path) -> Response:
    """A picture's file, for a browser."""
    kind = _format_of(file)
    if kind in SHOWN_AS_THEY_ARE:
        return FileResponse(file, media_type=SHOWN_AS_THEY_ARE[kind], headers=ASKED_AGAIN)
    written = io.BytesIO()
    read_picture(file).save(written, "WEBP", quality=90, method=2)
    return Response(written.getvalue(), media_type="image/webp", headers=ASKED_AGAIN)


def _format_of(file: Path) -> str:
    """What a file holds, of the formats that may be shown as they are; "" for all others."""
    try:
        with Image.open(file, formats=tuple(SHOWN_AS_THEY_ARE)) as image:
            return "JPEG" if image.format == "MPO" else image.format or ""
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return ""
