"""Measures of pictures, kept by the hash of their bytes in one SQLite file, so that a second audit need not decode anything.

A second table remembers which bytes a file held, by its size and its times as the system keeps them to the nanosecond (the time of the
last change of its entry cannot be set back by a program), so that not even the bytes are read again. All is safe to delete.
"""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

from lorasmith.errors import InputError
from lorasmith.images.measures import VERSION, Measures

log = logging.getLogger(__name__)


class MeasureCache:
    """To be used by one thread; several processes may share the file."""

    def __init__(self, folder: Path):
        """Open or make the cache in `folder`. Raises InputError where it cannot be."""
        self.path = folder / f"audit-{VERSION}.sqlite"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._db = self._open()
        except (OSError, sqlite3.OperationalError) as error:
            raise InputError(
                f"The cache {self.path} cannot be used ({error}): give another folder for it with --cache, or correct that."
            ) from error

    def _open(self) -> sqlite3.Connection:
        try:
            return _connected(self.path)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:  # not a database any more: nothing is lost but time
            log.warning("%s is damaged (%s) and is replaced by a new one", self.path, error)
            self.path.unlink()
            return _connected(self.path)

    def content_of(self, path: Path, state: str) -> str | None:
        """The hash of the bytes that the file held when it was in this `state`, see `file_state`."""
        row = self._db.execute("SELECT content FROM files WHERE path = ? AND state = ?", (_key(path), state)).fetchone()
        return row[0] if row else None

    def measures_of(self, content: str) -> Measures | None:
        row = self._db.execute("SELECT numbers, prints FROM pictures WHERE content = ?", (content,)).fetchone()
        if row is None:
            return None
        try:
            return Measures.from_row(*row)
        except (ValueError, TypeError) as error:
            log.warning("what %s says of %s is damaged (%s): it is measured again", self.path, content[:12], error)
            return None

    def known(self) -> set[str]:
        """The hashes of all that was measured."""
        return {row[0] for row in self._db.execute("SELECT content FROM pictures")}

    def put(self, path: Path, state: str, measures: Measures) -> None:
        """Keep what was measured; a problem is not kept, as it may be corrected from outside."""
        if measures.problem:
            return
        self._db.execute("INSERT OR REPLACE INTO pictures VALUES (?, ?, ?)", (measures.content, *measures.to_row()))
        self._db.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", (_key(path), state, measures.content))

    def save(self) -> None:
        self._db.commit()

    def close(self) -> None:
        self._db.commit()
        self._db.close()


def file_state(path: Path) -> str:
    """Size, times and place of a file on its disk: another state, perhaps other bytes. Raises OSError."""
    facts = path.stat()
    return f"{facts.st_size}-{facts.st_mtime_ns}-{facts.st_ctime_ns}-{facts.st_ino}"


def _key(path: Path) -> str:
    """The path as text, also where its name is not valid UTF-8."""
    return str(path).encode(errors="backslashreplace").decode()


def _connected(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=30)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("CREATE TABLE IF NOT EXISTS pictures (content TEXT PRIMARY KEY, numbers TEXT, prints BLOB)")
        db.execute("CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, state TEXT, content TEXT)")
        db.commit()
    except sqlite3.Error:
        db.close()
        raise
    return db
