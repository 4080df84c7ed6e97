"""`/files`: pictures, as the types that browsers may show and nothing else.

The type comes from what we decoded ourselves, never from a name. A picture that browsers cannot be trusted with comes as WebP.
"""

from __future__ import annotations

import io
from pathlib import Path

from fastapi import APIRouter
from PIL import Image
from starlette.responses import Response

from lorasmith.curation.mend.kept_files import kept_at
from lorasmith.curation.mend.recipes import recipes_to
from lorasmith.errors import InputError
from lorasmith.images.file_part import FilePart
from lorasmith.images.read import read_picture
from lorasmith.studio.etag import IfNoneMatch, etag, has_it, version_of_file
from lorasmith.studio.studio import OpenStudio

router = APIRouter(tags=["files"])

SHOWN_AS_THEY_ARE = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}

ALONE = {"content-security-policy": "default-src 'none'; sandbox"}
"""A file that is opened by itself may do nothing, whatever is in it."""

ASKED_AGAIN = {**ALONE, "cache-control": "private, no-cache"}


@router.get("/projects/{project}/pictures/{picture:path}", response_class=Response, responses={200: {"content": {"image/*": {}}}})
def get_picture_file(project: str, picture: str, studio: OpenStudio, if_none_match: IfNoneMatch = None) -> Response:
    """A picture as it is, if it is a PNG, JPEG or WebP; any other as WebP."""
    return picture_response(studio.datasets.as_it_is(studio.projects[project].dataset).file(picture), if_none_match)


@router.get("/projects/{project}/originals/{picture:path}", response_class=Response, responses={200: {"content": {"image/*": {}}}})
def get_original_file(project: str, picture: str, studio: OpenStudio, if_none_match: IfNoneMatch = None) -> Response:
    """What a picture was before it was mended, or itself where it was not."""
    dataset = studio.datasets.as_it_is(studio.projects[project].dataset)
    made_by = recipes_to(dataset.root, picture)
    file = kept_at(dataset.root, made_by[0].original.content) if made_by else dataset.file(picture)
    return picture_response(file, if_none_match)


def picture_response(source: Path | FilePart, if_none_match: str | None) -> Response:
    """A picture, a file or a part of one, for a browser; nothing where that has it already.

    It is read as a whole before the answer begins, so that one that is replaced or removed meanwhile is neither cut short nor held open.

    Raises:
        InputError: it has gone since it was looked up (`picture.not_found`).
        DatasetError: it cannot be read.
    """
    try:
        version = version_of_file(source) if isinstance(source, Path) else f"{version_of_file(source.file)}-{source.offset:x}"
        headers = {**ASKED_AGAIN, "etag": etag(version)}
        if has_it(if_none_match, version):
            return Response(status_code=304, headers=headers)
        content = source.read_bytes() if isinstance(source, Path) else source.open().read()
    except FileNotFoundError:
        raise InputError(
            f"{source} is not there any more. Choose another picture.", code="picture.not_found", picture=source.name
        ) from None
    kind = _format_of(content)
    if kind in SHOWN_AS_THEY_ARE:
        return Response(content, media_type=SHOWN_AS_THEY_ARE[kind], headers=headers)
    written = io.BytesIO()
    read_picture(source).save(written, "WEBP", quality=90, method=2)
    return Response(written.getvalue(), media_type="image/webp", headers=headers)


def _format_of(content: bytes) -> str:
    """What a picture's bytes are, of the formats that may be shown as they are; "" for all others."""
    try:
        with Image.open(io.BytesIO(content), formats=tuple(SHOWN_AS_THEY_ARE)) as image:
            return "JPEG" if image.format == "MPO" else image.format or ""
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return ""
