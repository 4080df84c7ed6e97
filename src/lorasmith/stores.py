"""Places outside this machine: files and folders in a store, by a URL that fsspec knows, such as `s3://bucket/pictures/anna`.

Everything here works on local folders, with locks, renames and files that are mapped into memory; a store has none of these. So a store is
a place to bring from and to send to, and nothing else:

    folder = here("s3://bucket/pictures/anna")        # the copy in the user's cache, of which only what has changed is brought
    place = Place.at("s3://bucket/runs/anna")
    place.send("settings.toml", b"...")
    place.entries()                                   # {"settings.toml": Stored(size=..., version=...)}

Keys come from where the store's own tools have them (environment, credential files), and never from a URL. In settings a URL may have lost
a slash on its way through a path (`s3:/bucket`), which `url_of` gives back. See docs/decisions/0088-a-store-is-a-place-to-bring-from.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from filelock import FileLock

from lorasmith.atomic import write_atomically
from lorasmith.cache_folder import make_cache_folder, users_cache
from lorasmith.errors import InputError, RunError
from lorasmith.secrets import is_secret_parameter, without_secrets

_URL = re.compile(r"([a-z][a-z0-9+.-]+):/+(.+)", re.DOTALL)
_NO_STORES = ("file", "local", "http", "https")
"""Schemes of what is on this machine already, and of links, which `models.bring` fetches."""

WHOLE = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "hf")
"""Schemes of stores in which a file appears whole or not at all; in others it is written aside and renamed."""

EXTRAS = {"s3": 'pip install "lorasmith[s3]"', "s3a": 'pip install "lorasmith[s3]"', "gs": 'pip install "lorasmith[gs]"', "gcs": 'pip install "lorasmith[gs]"',
          "az": "pip install adlfs", "abfs": "pip install adlfs", "abfss": "pip install adlfs"}  # fmt: skip
"""Scheme -> what installs its package."""

PIECE = 2**24
"""Bytes that are asked for at once; what has arrived is kept when the connection breaks."""
AT_ONCE = 8
"""Files that are brought at once."""
PAUSES = (1.0, 3.0, 10.0)
"""Seconds before each further try."""
ASKED_AGAIN = 60.0
"""Seconds for which a store is not asked again whether something has changed."""

T = TypeVar("T")

FetchElsewhere = Callable[[str, Mapping[str, "Stored"], Path], Iterator[tuple[str, Path]]]
"""Fetches the files of a URL by their names in other processes, into a folder; gives the name of each with its part there, in any order."""


def url_of(place: str | Path) -> str | None:
    """The URL of a place in a store, without a slash at its end; None for what is on this machine, a link, or the id of a hub repository."""
    found = _URL.fullmatch(os.fspath(place).replace("\\", "/"))
    if found is None or found[1] in _NO_STORES:
        return None
    return f"{found[1]}://{found[2].rstrip('/')}"


@dataclass(frozen=True)
class Stored:
    """A file in a store: its size in bytes, and what its store tells its versions apart by (an ETag, a hash, a time)."""

    size: int
    version: str


@dataclass(frozen=True)
class Place:
    """A file or a folder in a store."""

    url: str
    files: Any
    """fsspec's view of the store."""
    root: str
    """The path in it."""

    @classmethod
    def at(cls, url: str) -> Place:
        """The place at `url`; nothing is asked of the store yet.

        Raises:
            InputError: there is a password or token in it (`store.password`), no such kind of store (`store.unknown`), or the package for it
                is not installed (`store.package`).
        """
        from fsspec.core import url_to_fs

        _refuse_secrets(url)
        scheme = url.partition("://")[0]
        try:
            files, root = url_to_fs(url, use_listings_cache=False)
        except ImportError as error:
            how = EXTRAS.get(scheme, str(error).rstrip("."))
            raise InputError(
                f"{url} is in a store whose package is not installed. Install it with: {how}", code="store.package", url=url
            ) from error
        except ValueError as error:
            raise InputError(f"{url} is in no kind of store that is known here ({error}). Check how it begins.", code="store.unknown", url=url) from error  # fmt: skip
        return cls(url, files, str(root).rstrip("/"))

    @property
    def name(self) -> str:
        """The last part of its path."""
        return PurePosixPath(self.root).name

    @property
    def is_whole(self) -> bool:
        """Whether what is sent there appears whole or not at all by itself."""
        return self.url.partition("://")[0] in WHOLE

    def entries(self) -> dict[str, Stored]:
        """Every file below it by its path there, but for hidden ones; {"": ...} where it is a file itself, {} where nothing is there.

        Raises:
            InputError: the store does not let the user in (`store.refused`), or a name could not be one on this machine (`store.name`).
            RunError: it cannot be reached (`store.failed`).
        """

        def listed() -> dict[str, Stored]:
            self.files.invalidate_cache()
            try:
                info = self.files.info(self.root)
                if info["type"] == "file":
                    return {"": _stored(info)}
                found = self.files.find(self.root, detail=True)
            except FileNotFoundError:
                return {}
            whole = {
                path.rstrip("/")[len(self.root) + 1 :]: each
                for path, each in found.items()
                if each["type"] == "file" and not path.endswith("/")
            }
            return {name: _stored(each) for name, each in sorted(whole.items())}

        entries = self._tried(listed)
        entries = {
            name: stored
            for name, stored in entries.items()
            if not any(part.startswith(".") and part not in (".", "..") for part in name.split("/"))
        }
        for name in entries:
            if name and not _can_be_a_path(name):
                raise InputError(
                    f"{self.url} holds {name!r}, which cannot be a file's name on this machine: rename it there.",
                    code="store.name",
                    url=self.url,
                )
        return entries

    def read(self, name: str) -> bytes | None:
        """The bytes of a small file; None where it is not there."""

        def content() -> bytes | None:
            try:
                return bytes(self.files.cat_file(self._path(name)))
            except FileNotFoundError:
                return None

        return self._tried(content)

    def fetch(self, name: str, stored: Stored, part: Path) -> None:
        """Write the file to `part`, or the rest of it where that is there already. `part` must be of this version alone.

        Raises:
            InputError, RunError: see `entries`; it has changed meanwhile (`store.changed`).
        """
        while (have := part.stat().st_size if part.exists() else 0) < stored.size:
            end = min(have + PIECE, stored.size)
            piece = self._tried(partial(self.files.cat_file, self._path(name), start=have, end=end))
            if len(piece) != end - have:
                part.unlink(missing_ok=True)
                raise self._changed(name)
            with part.open("ab") as file:
                file.write(piece)
        if not stored.size:
            part.touch()
        if stored.size > PIECE and self._tried(lambda: _stored(self.files.info(self._path(name)))) != stored:
            part.unlink()
            raise self._changed(name)

    def send(self, name: str, content: bytes | Path) -> None:
        """Put a file there, whole or not at all. Raises InputError, RunError: see `entries`."""
        path = self._path(name)

        def put(to: str) -> None:
            if isinstance(content, Path):
                self.files.put_file(str(content), to)
            else:
                self.files.pipe_file(to, content)

        def sent() -> None:
            if self.is_whole:
                put(path)
                return
            folder, _, last = path.rpartition("/")
            self.files.makedirs(folder, exist_ok=True)
            put(f"{folder}/.{last}.part")
            self.files.mv(f"{folder}/.{last}.part", path)

        self._tried(sent)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there. Raises InputError, RunError: see `entries`."""

        def removed() -> None:
            with contextlib.suppress(FileNotFoundError):
                self.files.rm_file(self._path(name))

        self._tried(removed)

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}" if name else self.root

    def _changed(self, name: str) -> RunError:
        return RunError(f"{self._said(name)} has changed while it was fetched. Run the command again.", code="store.changed", url=self.url)

    def _said(self, name: str) -> str:
        return f"{self.url}/{name}" if name else self.url

    def _tried(self, call: Callable[[], T]) -> T:
        """What `call` gives, tried several times where the store cannot be reached."""
        for pause in (*PAUSES, None):
            try:
                return call()
            except (InputError, RunError):
                raise
            except FileNotFoundError as error:
                raise InputError(
                    f"{error} is not in the store of {self.url}. Check the name.", code="store.missing", url=self.url
                ) from error
            except Exception as error:  # of whichever library the store's is
                reason = without_secrets((str(error).strip().splitlines() or [type(error).__name__])[0][:200])
                if isinstance(error, PermissionError) or "Credentials" in type(error).__name__:
                    raise InputError(
                        f"The store of {self.url} does not let you in ({reason}). Its keys are read from the environment or your credential files, "
                        "as its own tools do.",
                        code="store.refused", url=self.url,
                    ) from error  # fmt: skip
                if pause is None:
                    raise RunError(f"{self.url} could not be reached ({reason}). Try again.", code="store.failed", url=self.url) from error
                time.sleep(pause)
        raise AssertionError("the last try returns or raises")


def send_tree(source: Path, place: Place) -> None:
    """Send a file, or the files of a folder, to a place where nothing is. Raises InputError, RunError: see `Place.entries`."""
    files = [path for path in sorted(source.rglob("*")) if path.is_file()] if source.is_dir() else [source]
    for _ in in_parallel(
        lambda path: place.send("" if path == source else path.relative_to(source).as_posix(), path), [(path,) for path in files]
    ):
        pass


# -- copies in the user's cache -------------------------------------------------------------------------------------------------

_asked: dict[str, float] = {}
"""URL -> when its store was last asked by this process."""


def here(place: str | Path, wanted: Callable[[list[str]], Iterable[str]] | None = None, elsewhere: FetchElsewhere | None = None) -> Path:
    """Where a place is on this machine: itself or, of one in a store, the copy in the user's cache, up to a minute old.

    Raises: see `bring`.
    """
    url = url_of(place)
    if url is None:
        return Path(place)
    if time.monotonic() - _asked.get(url, float("-inf")) < ASKED_AGAIN and (copy := copy_of(url)).exists():
        return copy
    return bring(url, wanted, elsewhere)


def local(place: str | Path) -> Path:
    """Where a place is on this machine, or its copy would be; nothing is asked or brought."""
    url = url_of(place)
    return Path(place) if url is None else copy_of(url)


def named_by_urls(text: str) -> str:
    """A sentence in which copies that this process uses are called by the URLs of what they are copies of."""
    for url in sorted(_asked, key=len):
        text = text.replace(str(copy_of(url)), url)
    return text


def copy_of(url: str) -> Path:
    """Where the copy of a place in a store is or would be."""
    name = re.sub(r'[<>:"|?*\x00-\x1f]', "_", PurePosixPath(url).name)
    return users_cache() / "stores" / hashlib.sha256(url.encode()).hexdigest()[:16] / name


def bring(url: str, wanted: Callable[[list[str]], Iterable[str]] | None = None, elsewhere: FetchElsewhere | None = None) -> Path:
    """The copy of a file or folder in the user's cache, after what has changed in the store was fetched and what is gone was removed.

    A file is fetched again where its size or version differ, or where the copy was changed; several at once, and after a kill from where it
    broke off. `wanted` chooses from the names of the files, `elsewhere` fetches them. Other processes that want the same copy wait.

    Raises:
        InputError: nothing is there (`store.missing`), and see `Place.at` and `Place.entries`.
        RunError: the store cannot be reached, or a file was changed meanwhile.
    """
    place, copy = Place.at(url), copy_of(url)
    make_cache_folder(users_cache() / "stores")
    copy.parent.mkdir(exist_ok=True)
    with FileLock(copy.parent / "lock"):
        entries = place.entries()
        if wanted is not None and "" not in entries:
            chosen = set(wanted(list(entries)))
            entries = {name: stored for name, stored in entries.items() if name in chosen}
        if not entries:
            raise InputError(f"There is nothing at {url}. Check the bucket and the path.", code="store.missing", url=url)
        _update(place, entries, copy, elsewhere)
    _asked[url] = time.monotonic()
    return copy


def _update(place: Place, entries: Mapping[str, Stored], copy: Path, elsewhere: FetchElsewhere | None) -> None:
    """Make the copy what the store has."""
    index = Index(copy.parent / "index.jsonl")
    if ("" in entries) is copy.is_dir() and copy.exists():
        raise InputError(
            f"{place.url} was a {'folder' if copy.is_dir() else 'file'} before: delete {copy.parent}.", code="store.name", url=place.url
        )
    for name in index.known.keys() - entries.keys():
        (copy / name).unlink(missing_ok=True)
    lacking = {name: stored for name, stored in entries.items() if not index.has(name, stored, copy / name)}
    parts = copy.parent / "parts"
    parts.mkdir(exist_ok=True)

    def fetch(name: str, stored: Stored) -> None:
        part = parts / hashlib.sha256(f"{name}\0{stored.version}".encode()).hexdigest()[:32]
        place.fetch(name, stored, part)
        let_in(name, part)

    def let_in(name: str, part: Path) -> None:
        path = copy / name
        path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(part, path)
        index.add(name, lacking[name], path)

    if elsewhere is None:
        for _ in in_parallel(fetch, lacking.items()):
            pass
    else:
        for name, part in elsewhere(place.url, lacking, parts):
            let_in(name, part)
    for left in parts.iterdir():
        left.unlink()
    index.tidy(entries)


def in_parallel(work: Callable[..., object], items: Iterable[tuple[Any, ...]]) -> Iterator[object]:
    """Do `work(*item)` for several items at once; the first that raises ends it, after those under way."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        futures = [pool.submit(work, *item) for item in items]
        try:
            for future in futures:
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


class Index:
    """What is known of the files of a copy: a line for each that was brought, so that a kill loses none of them."""

    def __init__(self, path: Path):
        self._path, self._lock = path, threading.Lock()
        self.known: dict[str, list[Any]] = {}
        """Name -> size and version in the store, time of change here."""
        with contextlib.suppress(FileNotFoundError):
            for line in path.read_text(encoding="utf-8").splitlines():
                with contextlib.suppress(json.JSONDecodeError):  # the last one may be cut short
                    name, *state = json.loads(line)
                    self.known[name] = state

    def has(self, name: str, stored: Stored, path: Path) -> bool:
        """Whether the file at `path` is this version, and untouched."""
        try:
            state = path.stat()
        except OSError:
            return False
        return state.st_size == stored.size and self.known.get(name) == [stored.size, stored.version, state.st_mtime_ns]

    def add(self, name: str, stored: Stored, path: Path) -> None:
        with self._lock:
            self.known[name] = [stored.size, stored.version, path.stat().st_mtime_ns]
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{json.dumps([name, *self.known[name]])}\n")

    def tidy(self, names: Iterable[str]) -> None:
        """Keep these alone, a line each."""
        lines = [json.dumps([name, *self.known[name]]) for name in names]
        write_atomically(self._path, "".join(f"{line}\n" for line in lines).encode())


# -- what a store says ------------------------------------------------------------------------------------------------------------

_VERSIONS = ("ETag", "etag", "md5Hash", "blob_id", "content_hash", "generation", "LastModified", "mtime", "modified", "created")
"""What stores tell the versions of a file apart by, the best first."""


def _stored(info: Mapping[str, Any]) -> Stored:
    version = next((info[name] for name in _VERSIONS if info.get(name) is not None), "")
    if isinstance(version, datetime):  # some say a time in two ways
        version = version.timestamp()
    return Stored(int(info["size"] or 0), str(version))


def _can_be_a_path(name: str) -> bool:
    parts = name.split("/")
    return not any(part in ("", ".", "..") or "\\" in part or "\0" in part for part in parts) and not (
        os.name == "nt" and any(set(part) & set('<>:"|?*') or PureWindowsPath(part).is_reserved() for part in parts)
    )


def _refuse_secrets(url: str) -> None:
    parts = urlsplit(url)
    if parts.password is not None or any(is_secret_parameter(name) for name, _ in parse_qsl(parts.query)):
        shown = url.partition("://")[0]
        raise InputError(
            f"A URL {shown}://... holds a password or a token. Leave it out: keys are read from the environment or your credential files.",
            code="store.password",
        )
