"""A file from a link, as sites give it: `https://host/file.safetensors`, or `https://civitai.com/api/download/models/1?token=...`.

The token is taken off the link before anything is kept or said of it.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from lorasmith.curation.names import TakenNames, safe_stem
from lorasmith.errors import InputError, TensorFileError
from lorasmith.images.read import content_hash
from lorasmith.models.files.fetch import check_address, check_hash, fetch, forget
from lorasmith.progress import Progress
from lorasmith.safetensors_header import read_header
from lorasmith.secrets import is_secret_parameter

TOKENS = {"civitai.com": "CIVITAI_TOKEN"}
"""Host -> the environment variable with the user's token, which is sent where a link has none."""


@dataclass(frozen=True)
class Link:
    """An address without its secrets, and they."""

    address: str
    secret: str = field(default="", repr=False)
    """The parameters that are nobody's business, such as `token=...`."""

    @property
    def whole(self) -> str:
        """What is fetched; never to be shown or kept."""
        secret = self.secret or self._token_of_the_user()
        return self.address + (("&" if "?" in self.address else "?") + secret if secret else "")

    def _token_of_the_user(self) -> str:
        variable = TOKENS.get((urlsplit(self.address).hostname or "").removeprefix("www."))
        token = os.environ.get(variable or "")
        return urlencode({"token": token}) if token else ""


def is_link(source: str) -> bool:
    """Whether a source is written as an address."""
    return source.startswith(("https://", "http://"))


def link_of(source: str) -> Link:
    """A link as somebody gives it. Raises InputError where it cannot be fetched (`download.address`)."""
    try:
        parts = urlsplit(source)
    except ValueError:
        parts = urlsplit("")
    if "@" in parts.netloc:
        raise InputError("A link has no name and password before its host. Give the token as ?token=.", code="download.address")
    parameters = parse_qsl(parts.query, keep_blank_values=True)
    plain = urlencode([(name, value) for name, value in parameters if not is_secret_parameter(name)])
    secret = urlencode([(name, value) for name, value in parameters if is_secret_parameter(name)])
    address = urlunsplit((parts.scheme, parts.netloc, quote(parts.path, safe="/%:@!$&'()*+,;=~"), plain, ""))
    check_address(address)
    return Link(address, secret)


def fetch_link(
    link: Link, folder: str | Path, endings: tuple[str, ...], *, parts: str | Path, sha256: str = "", progress: Progress | None = None
) -> Path:  # fmt: skip
    """The file behind a link, in `folder` under the name that its sender gives it, with a number where another file has that.

    `endings` are those that the file may have. `parts` is the folder for what has come in part.

    Raises:
        InputError, RunError: see `fetch`; or it is another kind of file (`download.kind`), or another file than `sha256` says.
    """
    part = Path(parts) / f"{hashlib.sha256(link.address.encode()).hexdigest()[:32]}.part"
    fetched = fetch(link.whole, part, link.address, progress=progress)
    name = PurePosixPath((fetched.name or unquote(urlsplit(link.address).path)).replace("\\", "/")).name
    stem, ending = os.path.splitext(name)
    if ending.lower() not in endings or fetched.kind == "text/html":
        forget(part)
        what = "a web page, perhaps one that asks for a login" if fetched.kind == "text/html" else f"{name or 'a file without a name'}"
        raise InputError(f"{link.address} gave {what}, and not a file of the kind {' or '.join(endings)}.", code="download.kind")
    if sha256:
        check_hash(part, link.address, sha256)
    if ending.lower() == ".safetensors":
        _check_tensors(part, link.address)
    return _placed(part, Path(folder), safe_stem(stem), ending.lower())


def _check_tensors(part: Path, named: str) -> None:
    try:
        read_header(part)
    except TensorFileError as error:
        forget(part)
        raise InputError(f"{named} is damaged, and was deleted ({error}). Download it again.", code="download.damaged") from error


def _placed(part: Path, folder: Path, stem: str, ending: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    same = folder / f"{stem}{ending}"
    if same.is_file() and same.stat().st_size == part.stat().st_size and content_hash(same) == content_hash(part):
        forget(part)
        return same
    taken = TakenNames(file.stem for file in folder.iterdir())
    place = folder / f"{taken.claim(stem)}{ending}"
    os.replace(part, place)
    forget(part)
    return place
