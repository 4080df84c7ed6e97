"""The studio's page: the built files beside this one. Every address that is not the API's gets the page, which reads the address itself."""

from __future__ import annotations

import mimetypes
import re
from pathlib import Path

from fastapi import APIRouter
from starlette.background import BackgroundTask
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.responses import PlainTextResponse, Response

from lorasmith.studio.studio import OpenStudio

STATIC = Path(__file__).parent / "static"
"""What `make studio` builds from studio-ui/."""

BUILT = "assets"
"""The folder of files with the hash of their content in their name: they never change."""

FILE = re.compile(rf"(?:{BUILT}/)?\w[\w.-]*")
"""Addresses that may name a built file: no other folder's."""

OF_PICTURES, OF_A_RUN = re.compile("projects/([^/]+)/(?:images|captions)"), re.compile("runs/([^/]+)")
"""Addresses that show a project's pictures, and a run's curves."""

FOREVER = {"cache-control": "public, max-age=31536000, immutable"}
ASKED_AGAIN = {"cache-control": "no-cache"}


class PageAddress(StringConvertor):
    """Addresses that neither the API, the files nor the handbook have."""

    regex = "(?!(?:api|files|docs)(?:/|$)).*"


register_url_convertor("page", PageAddress())

router = APIRouter(include_in_schema=False)


def serve(static: Path, address: str) -> Response:
    """The built file that an address names, or the page, for an address of the page's own."""
    file = static / address if FILE.fullmatch(address) and (static / address).is_file() else None
    if file is None and address.startswith(f"{BUILT}/"):  # a page of an older build asks for its parts
        return PlainTextResponse("This file was of another version of the page. Load the page again.", 404)
    file = file or static / "index.html"
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return Response(file.read_bytes(), media_type=kind, headers=FOREVER if address.startswith(f"{BUILT}/") else ASKED_AGAIN)


@router.get("/{address:page}")
def get_page(address: str, studio: OpenStudio) -> Response:
    """The page and its files. The pictures or the run that it will show are read while it loads."""
    answer = serve(STATIC, address)
    if shown := OF_PICTURES.fullmatch(address):
        answer.background = BackgroundTask(studio.look_ahead, shown[1])
    elif shown := OF_A_RUN.fullmatch(address):
        answer.background = BackgroundTask(studio.follow_ahead, shown[1])
    return answer
