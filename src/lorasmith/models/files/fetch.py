"""One file over HTTP, however large, that goes on where it broke off: after a lost connection, a stop, a kill or a power cut.

What has arrived is kept in a `.part` file, with a note beside it of the version it belongs to, so that two versions are never mixed.
Only encrypted addresses are fetched, and those of this machine.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import lorasmith
from lorasmith.atomic import write_atomically
from lorasmith.errors import InputError, RunError
from lorasmith.progress import Progress
from lorasmith.secrets import without_secrets

PIECE = 2**20
"""Bytes that are read at once."""
PATIENCE = 60.0
"""Seconds without a byte after which a connection is lost."""
PAUSES = (0.0, 1.0, 3.0, 10.0)
"""Seconds before each try; every byte that comes begins them again."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Fetched:
    """What came with a file."""

    name: str
    """What its sender calls it; "" where nothing was said."""
    kind: str
    """Its content type, such as `text/html`."""


def check_address(address: str) -> None:
    """Raises InputError (`download.address`) where an address is neither encrypted nor of this machine."""
    try:
        parts = urlsplit(address)
        known = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
        known = known and parts.port != 0 and address.isascii() and address.isprintable() and " " not in address
    except ValueError:
        known = False
    if not known or not parts.hostname:
        raise InputError("A download begins with https://. Copy the link once more.", code="download.address")


def fetch(
    address: str, part: Path, named: str, *, headers: Mapping[str, str] | None = None, version: str = "", progress: Progress | None = None
) -> Fetched:  # fmt: skip
    """Fetch a file into `part`, or the rest of it where a part is there already.

    `named` is what it is called in sentences; the address is never shown, since it may hold a token. `version` says which version of the
    file `part` is, where that is known before; else what the server calls it is noted beside it. `progress` is called with bytes, and ends
    the download by raising.

    Raises:
        InputError: it is not there, is not for everybody, or there is no room for it (`download.*`).
        RunError: the server cannot be reached, or the connection breaks again and again (`download.failed`).
    """
    check_address(address)
    part.parent.mkdir(parents=True, exist_ok=True)
    pauses = iter(PAUSES)
    while True:
        before = _size(part)
        try:
            return _rest(address, part, named, headers or {}, version, progress)
        except urllib.error.HTTPError as error:
            if error.code == 416:  # there is less of it than came
                part.unlink(missing_ok=True)
            elif error.code < 500 and error.code not in (408, 429):
                raise _refused(named, error.code) from None
            reason = f"the server answered {error.code}"
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, OSError) and error.errno == 28:
                raise
            reason = str(getattr(error, "reason", "") or error) or type(error).__name__
        if _size(part) > before:
            pauses = iter(PAUSES)
        pause = next(pauses, None)
        if pause is None:
            raise RunError(
                f"{named} could not be downloaded ({without_secrets(reason)}). What came is kept: try again later.",
                code="download.failed",
                named=named,
            )
        time.sleep(pause)


def check_hash(file: Path, named: str, sha256: str) -> None:
    """Raises InputError (`download.wrong_hash`) where a file is another one than was promised; it is deleted then."""
    with file.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != sha256.lower():
        forget(file)
        raise InputError(
            f"{named} is not the file that was promised: its SHA-256 is {found[:12]}..., not {sha256[:12].lower()}... It was deleted: "
            "download it again, or look at the hash on its page.", code="download.wrong_hash", named=named,
        )  # fmt: skip


def forget(part: Path) -> None:
    """Delete a part and what is noted about it."""
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def _rest(address: str, part: Path, named: str, headers: Mapping[str, str], version: str, progress: Progress | None) -> Fetched:
    have, noted = _size(part), version or _noted(part)
    wanted = {"User-Agent": f"lorasmith/{lorasmith.__version__}", "Accept-Encoding": "identity", **headers}
    if have and noted:
        wanted |= {"Range": f"bytes={have}-"} | ({} if version else {"If-Range": noted})
    with _OPENER.open(urllib.request.Request(address, headers=wanted), timeout=PATIENCE) as response:
        have, total = _place(response, have)
        if total is not None:
            _check_room(part, named, total - have)
        if not version:
            etag = response.headers.get("ETag", "")
            exact = etag if not etag.startswith("W/") else ""
            write_atomically(_note(part), json.dumps(exact or response.headers.get("Last-Modified", "")).encode())
        with part.open("r+b" if have else "wb") as file:
            file.seek(have)
            file.truncate()
            while piece := response.read(PIECE):
                file.write(piece)
                have += len(piece)
                if progress:
                    progress(have, max(have, total or 0))
        if total is not None and have != total:
            raise ConnectionError(f"the connection broke after {have:,} of {total:,} bytes")
        return Fetched(response.headers.get_filename("") or "", response.headers.get_content_type())


def _place(response: Any, have: int) -> tuple[int, int | None]:
    """At which byte the answer begins, and how many the file has."""
    said = response.headers.get("Content-Range", "")  # bytes 100-199/200
    if response.status == 206 and said.startswith(f"bytes {have}-"):
        total = said.rpartition("/")[2]
        return have, int(total) if total.isdecimal() else None
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() and response.status == 200 else None


def _check_room(part: Path, named: str, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        raise InputError(
            f"{named} needs {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free on the disk. Make room, and try again.",
            code="download.disk_full", named=named,
        )  # fmt: skip


def _refused(named: str, status: int) -> InputError:
    match status:
        case 401 | 403:
            return InputError(
                f"{named} is not for everybody ({status}). Log in on its page, accept its terms, and give the link with its token, or set a token.",
                code="download.gated", named=named,
            )  # fmt: skip
        case 404 | 410:
            return InputError(f"{named} is not there ({status}). Look at the link on its page.", code="download.not_found", named=named)
        case _:
            return InputError(f"The server refused {named} ({status}). Look at the link on its page.", code="download.refused", named=named)


def _size(part: Path) -> int:
    try:
        return part.stat().st_size
    except FileNotFoundError:
        return 0


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.version")


def _noted(part: Path) -> str:
    try:
        return str(json.loads(_note(part).read_bytes()))
    except (OSError, ValueError):
        return ""


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect leads nowhere else than an address may lead, and takes no key to another host."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        check_address(newurl)
        if urlsplit(req.full_url).scheme == "https" and urlsplit(newurl).scheme != "https":
            raise InputError(
                "The download leads to an address that is not encrypted. Look at the link on its page.", code="download.address"
            )
        new = super().redirect_request(req, fp, code, msg, headers, newurl)
        if new is not None and urlsplit(newurl).netloc != urlsplit(req.full_url).netloc:
            new.remove_header("Authorization")
        return new


_OPENER = urllib.request.build_opener(_CheckedRedirects)
