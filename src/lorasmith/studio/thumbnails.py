"""`/files/thumbs`: small pictures by the hash of the file that they were made of; they never change.

They are most of what a page of pictures asks for, so those that are kept are answered before any route is looked for.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi import Path as InPath
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lorasmith.dataset_folder import HOLDOUT, REGULARISATION_NAMES, is_picture, walk
from lorasmith.errors import InputError
from lorasmith.images.picture_cache import PictureCache
from lorasmith.images.thumbnails import SIDES, Thumbnails, content_of
from lorasmith.studio.files import ALONE, ASKED_AGAIN
from lorasmith.studio.studio import OpenStudio

router = APIRouter(tags=["files"])

FOREVER = {**ALONE, "cache-control": "private, max-age=31536000, immutable"}

ADDRESS = re.compile("/files/thumbs/([0-9a-f]{64})[.]webp")
SIDE_OF_QUERY = {b"": SIDES[0], **{f"s={side}".encode(): side for side in SIDES}}


class KeptThumbnails:
    """Middleware: answers what asks for a thumbnail that is kept; everything else goes on to the routes."""

    def __init__(self, app: ASGIApp, thumbnails: Thumbnails):
        self.app, self.thumbnails = app, thumbnails

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = ADDRESS.fullmatch(scope["path"]) if scope["type"] == "http" and scope["method"] == "GET" else None
        side = SIDE_OF_QUERY.get(scope["query_string"]) if asked else None
        small = await run_in_threadpool(self.thumbnails.kept, asked[1], side) if asked and side else None
        await (self.app if small is None else _answer(small))(scope, receive, send)


@router.get("/thumbs/{content}.webp", response_class=Response, responses={200: {"content": {"image/webp": {}}}})
def get_thumbnail(
    content: Annotated[str, InPath(pattern="^[0-9a-f]{64}$")], studio: OpenStudio,
    s: Annotated[int, Query(description="Pixels of the longer side: 256 or 1024.")] = SIDES[0],
) -> Response:  # fmt: skip
    """A small picture by the hash of the file that it was made of; it never changes."""
    if s not in SIDES:
        raise InputError(f"There are no thumbnails of {s} pixels. Ask for {' or '.join(map(str, SIDES))}.", code="thumbnail.size", size=s)
    return _answer(studio.thumbnails.kept(content, s) or studio.thumbnails.make(_place_of(content, studio), content, s))


@router.get("/projects/{project}/cover", response_class=Response, responses={200: {"content": {"image/webp": {}}}})
def get_cover(project: str, studio: OpenStudio) -> Response:
    """A small picture of the project: the first that it trains on."""
    dataset = studio.projects[project].dataset
    folders = walk(dataset, leave_out=(*REGULARISATION_NAMES, HOLDOUT)) if dataset.is_dir() else ()
    first = next((Path(dataset, place, name) for place, names in folders for name in names if is_picture(name)), None)
    try:
        if first is not None:
            return Response(_small(first, studio), media_type="image/webp", headers=ASKED_AGAIN)
    except OSError:  # it has gone meanwhile, or is only just being written
        pass
    raise InputError(f"The project {project} has no pictures yet. Import some.", code="cover.not_found", project=project)


def _small(picture: Path, studio: OpenStudio) -> bytes:
    with PictureCache(studio.datasets.cache) as cache:
        content = content_of(picture, cache)
    return studio.thumbnails.kept(content, SIDES[0]) or studio.thumbnails.make(picture, content, SIDES[0])


def _place_of(content: str, studio: OpenStudio) -> Path:
    picture = studio.picture_files.with_content(content)
    if picture is None:
        raise InputError("No picture with this content is known. Ask for the page of pictures again.", code="thumbnail.not_found")
    return picture


def _answer(small: bytes) -> Response:
    return Response(small, media_type="image/webp", headers=FOREVER)
