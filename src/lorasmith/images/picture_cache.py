"""What was learnt about picture files, kept in one SQLite file, so that no picture is read twice while it stays as it is.

A row is something learnt about a content, the SHA-256 of a file's bytes: it cannot go stale. Further rows say which content a file has, by
its size, its number on the disk and its times as the system keeps them to the nanosecond (the time of the last change of its entry cannot
be set back by a program), so that not even the bytes are read again.

Each row has a checksum. A row that does not fit its own, or a file that is no database any more, counts as absent. All is safe to delete,
and a cache that cannot be written costs time and nothing else.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from lorasmith.cache_folder import make_cache_folder

log = logging.getLogger(__name__)

PICTURES = "pictures"
"""The folder of this cache in the folder of all caches, beside those of latents and texts."""

FILE = "pictures-1.sqlite"

WITHOUT = "The cache %s cannot be used (%s): pictures are read again."

CONTENT = "content 1"
"""The kind of row that says which content a file has; its key is the path."""

PATIENCE = 30.0
"""Seconds to wait for another program that writes."""

TICK, COARSE_TICK = 0.02, 2.0
"""Seconds within which two changes of a file may get the same time: on most file systems, and on those that keep whole seconds."""

AT_ONCE = 500
"""Rows that are asked for in one question."""

Row = tuple[str, str, bytes]
"""Kind, key and value. A kind's name ends in the version of its values: raise it when they change."""


class PictureCache:
    """Kept rows; several threads may share one, and several processes the file. To be closed, or used in a `with`."""

    def __init__(self, folder: str | Path | None):
        """Open or make the cache in `folder`; None keeps nothing."""
        self._lock = threading.Lock()
        self._new: dict[tuple[str, str], bytes] = {}
        """Rows that are not written yet, so that the file is locked for moments only."""
        self._db: sqlite3.Connection | None = None
        if folder is None:
            return
        self.path = Path(folder) / FILE
        try:
            make_cache_folder(Path(folder))
            self._db = _opened(self.path)
        except (OSError, sqlite3.Error) as error:
            log.warning(WITHOUT, self.path, error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def get(self, kind: str, key: str) -> bytes | None:
        """The value of a row; None where it is absent or damaged."""
        with self._lock:
            if (new := self._new.get((kind, key))) is not None or self._db is None:
                return new
            try:
                row = self._db.execute("SELECT value, checksum FROM kept WHERE kind = ? AND key = ?", (kind, key)).fetchone()
            except sqlite3.Error as error:
                self._give_up(error)
                return None
        return None if row is None else _checked(kind, key, *row)

    def get_many(self, kind: str, keys: Sequence[str]) -> dict[str, bytes]:
        """Key -> value of the rows that are there and undamaged, in a few questions."""
        found: dict[str, bytes] = {}
        with self._lock:
            for first in range(0, len(keys), AT_ONCE):
                asked = keys[first : first + AT_ONCE]
                marks = ",".join("?" * len(asked))
                try:
                    rows = (
                        self._db.execute(f"SELECT key, value, checksum FROM kept WHERE kind = ? AND key IN ({marks})", (kind, *asked))
                        if self._db
                        else ()
                    )
                    found |= {key: value for key, *row in rows if (value := _checked(kind, key, *row)) is not None}
                except sqlite3.Error as error:
                    self._give_up(error)
            return found | {key: self._new[kind, key] for key in keys if (kind, key) in self._new}

    def put(self, rows: Sequence[Row]) -> None:
        """Keep rows; `save` writes them."""
        with self._lock:
            if self._db is not None:
                self._new |= {(kind, key): value for kind, key, value in rows}

    def content_of(self, path: Path, state: str) -> str | None:
        """The content that the file had when it was in this `state`, see `file_state`."""
        return content_in_row(self.get(CONTENT, key_of(path)), state)

    def save(self) -> None:
        """Write what is new."""
        with self._lock:
            if self._db is None or not self._new:
                return
            rows = [(kind, key, value, _checksum(kind, key, value)) for (kind, key), value in self._new.items()]
            self._new.clear()
            try:
                with self._db:
                    self._db.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?)", rows)
            except sqlite3.Error as error:
                self._give_up(error)

    def close(self) -> None:
        self.save()
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    def _give_up(self, error: sqlite3.Error) -> None:
        """Go on without the file; one that is damaged goes, so that the next command begins a new one."""
        log.warning(WITHOUT, self.path, error)
        assert self._db is not None
        self._db.close()
        self._db = None
        self._new.clear()
        if not isinstance(error, sqlite3.OperationalError):
            _remove(self.path)


def content_row(path: Path, state: str, content: str) -> Row:
    """The row that says which content a file has in a state."""
    return CONTENT, key_of(path), f"{state} {content}".encode()


def content_in_row(value: bytes | None, state: str) -> str | None:
    """The content that a kept row gives a file in this state; None where it gives none."""
    known, _, content = value.decode().partition(" ") if value is not None else ("", "", "")
    return content if known == state else None


# The state of a file


def file_state(path: Path) -> str:
    """Size, times and number of a file on its disk: another state, perhaps other bytes. Raises OSError."""
    return state_of(os.stat(path))


def settled_state(path: Path) -> str | None:
    """The state of a file such that any later change gives it another one; None where its clock makes that unsure. Raises OSError.

    A file that changed a moment ago is given that moment first: changes within one tick of the file system's clock have one time.
    """
    facts = os.stat(path)
    changed = max(facts.st_mtime_ns, facts.st_ctime_ns)
    tick = COARSE_TICK if changed % 10**9 == 0 else TICK
    age = (time.time_ns() - changed) / 1e9
    if age < 0:
        return None
    if age < tick:
        time.sleep(tick - age)
        facts = os.stat(path)
        if max(facts.st_mtime_ns, facts.st_ctime_ns) != changed:  # somebody is writing it now
            return None
    return state_of(facts)


def state_of(facts: os.stat_result) -> str:
    """The same, of what the system says of a file."""
    return f"{facts.st_size}-{facts.st_mtime_ns}-{facts.st_ctime_ns}-{facts.st_ino}"


def key_of(path: str | Path) -> str:
    """The whole path as text, also where its name is not valid UTF-8."""
    return os.path.abspath(path).encode(errors="backslashreplace").decode()


# The file


def _opened(path: Path) -> sqlite3.Connection:
    try:
        return _connected(path)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:  # not a database any more: nothing is lost but time
        log.warning("%s is damaged (%s) and is replaced by a new one.", path, error)
        _remove(path)
        return _connected(path)


def _connected(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=PATIENCE, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("CREATE TABLE IF NOT EXISTS kept (kind TEXT, key TEXT, value BLOB, checksum INTEGER, PRIMARY KEY (kind, key))")
        db.commit()
    except sqlite3.Error:
        db.close()
        raise
    return db


def _remove(path: Path) -> None:
    """With what SQLite keeps beside it, which must not get into a new file."""
    for ending in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


def _checked(kind: str, key: str, value: object, checksum: int) -> bytes | None:
    """The value of a row; None where it is damaged."""
    return value if isinstance(value, bytes) and checksum == _checksum(kind, key, value) else None


def _checksum(kind: str, key: str, value: bytes) -> int:
    return zlib.crc32(value, zlib.crc32(f"{kind}\0{key}\0".encode()))
