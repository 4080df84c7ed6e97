"""The index: one SQLite file with a row for each LoRA file. It can be deleted at any time, and is made again from the files.

Transactions are short and the journal is written ahead (WAL), so that two processes may use it at once: both would write the same rows.
An index of another version, or one that is damaged, is deleted.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import Self

from lorasmith.cache_folder import make_cache_folder
from lorasmith.errors import InputError
from lorasmith.library.catalogue.sidecars import SIDES

FILE = "catalogue.sqlite"
VERSION = 3
"""Of the rows and of how files are read: an index of another version is made again."""
PATIENCE = 30.0
"""Seconds to wait for another process that writes."""


@dataclass(frozen=True)
class FileState:
    """What the system says about a file; while it is the same, nothing is read again."""

    size: int
    changed: int
    """Time of the last change, in nanoseconds."""
    beside: str
    """The same of the files beside it."""
    preview: str
    """The name of the picture beside it; "" without one."""
    samples: str
    """The state of the samples of the run that it is a checkpoint of, where it has no picture of its own."""

    @property
    def sides(self) -> tuple[str, ...]:
        """The ends of the names of the files beside it."""
        return tuple(side for side in SIDES if side in self.beside.split())


@dataclass(frozen=True)
class Row(FileState):
    """What is kept of a file."""

    path: str
    sample: str
    """The path of that run's sample of its moment; "" without one."""
    identity: str
    """A hash of its header and size; "" where it has none."""
    content: str
    """The sha256 of its tensors, once that was needed; "" before."""
    facts: str
    """`facts.Facts` as JSON; "" for a file that cannot be read."""
    problem: str
    """Why it cannot be read; "" where it can."""


STATE = tuple(field.name for field in fields(FileState))
COLUMNS = tuple(field.name for field in fields(Row))
_COLUMNS_OF = attrgetter(*COLUMNS)


class Index:
    """The rows, by path. To be closed, or used in a `with`."""

    def __init__(self, folder: Path):
        """Open or make the index in a folder. Raises InputError (`library.index`) where that cannot be."""
        self.path = folder / FILE
        try:
            make_cache_folder(folder)
            self._db = _opened(self.path)
        except (OSError, sqlite3.Error) as error:
            raise InputError(
                f"The index {self.path} cannot be used ({error}): give the catalogue another folder with --catalogue.",
                code="library.index", path=str(self.path),
            ) from error  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()

    def states(self) -> dict[str, FileState]:
        """Path -> the state in which the file was read."""
        found = self._db.execute(f"SELECT path, {', '.join(STATE)} FROM files")
        return {path: FileState(*state) for path, *state in found}

    def rows(self, paths: Iterable[str] | None = None) -> list[Row]:
        """All rows by path, or those of some paths."""
        select = f"SELECT {', '.join(COLUMNS)} FROM files"
        if paths is None:
            return [Row(*row) for row in self._db.execute(f"{select} ORDER BY path")]
        found = (self._db.execute(f"{select} WHERE path = ?", (path,)).fetchone() for path in paths)
        return [Row(*row) for row in found if row is not None]

    def change(self, put: Iterable[Row] = (), remove: Iterable[str] = ()) -> None:
        """Put rows and remove others, all or nothing."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("DELETE FROM files WHERE path = ?", ((path,) for path in remove))
            self._db.executemany(f"INSERT OR REPLACE INTO files VALUES ({', '.join('?' * len(COLUMNS))})", map(_COLUMNS_OF, put))

    def keep_content(self, path: str, size: int, changed: int, content: str) -> None:
        """Keep the hash of a file's tensors, if the file's row still has this size and time."""
        with self._db:
            self._db.execute("UPDATE files SET content = ? WHERE path = ? AND size = ? AND changed = ?", (content, path, size, changed))


def _opened(path: Path) -> sqlite3.Connection:
    """The database of this version, made again where it is absent, damaged or of another version."""
    try:
        return _connected(path)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:  # damaged, or of another version
        for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            file.unlink(missing_ok=True)
        return _connected(path)


def _connected(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        if not db.execute("PRAGMA user_version").fetchone()[0]:
            with db:
                db.execute("BEGIN IMMEDIATE")
                columns = ", ".join(f"{name} PRIMARY KEY" if name == "path" else f"{name} NOT NULL" for name in COLUMNS)
                db.execute(f"CREATE TABLE IF NOT EXISTS files ({columns}) WITHOUT ROWID")
                db.execute(f"PRAGMA user_version = {VERSION}")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version != VERSION:
            raise sqlite3.DatabaseError(f"version {version}")
        return db
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            db.close()
        raise
