"""The history of a folder's captions: every operation with the content of each file before and after, so that all of it can be undone.

It is stored in `.lorasmith/captions.sqlite` in the folder, so it survives a restart and moves with the folder. It also makes an operation
on 100,000 files atomic, as a database's write-ahead log does:

1. The old and new content of every file is committed to the history: from here on the operation will happen, whatever comes.
2. The files are written, each in one system call, without waiting for the disk.
3. The operation is marked as done.

A kill between 1 and 3 leaves an operation that is not marked; the next opening of the folder writes the missing files. A power cut may
also undo the writing of files that the system still had in memory after 3. So the history records during which boot the files were
written, and the first opening after another boot compares them with what they should contain. Where a system has no boot id, each file
is flushed to the disk as it is written, which is slower. See docs/decisions/0012-captions-in-place.md.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import struct
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from lorasmith.captions.store import migrate
from lorasmith.command_line import quoted
from lorasmith.dataset_folder import CAPTION_HISTORY, locked
from lorasmith.errors import DatasetError
from lorasmith.pages.numbers import count

log = logging.getLogger(__name__)

PAGE = 4096
"""Bytes. A write of at most this many at the start of a file is atomic, since the system's page cache is made of such pages."""

BINARY = getattr(os, "O_BINARY", 0)
"""Keeps Windows from changing line ends; other systems have no such flag."""

CHANGES_IN_A_ROW = 2000
"""Changes that are compressed together: few enough for memory, enough for compression to find what captions have in common."""

PATIENCE = 60.0
"""Seconds to wait for another program that is changing the same dataset."""

NOTHING_TO_DO = "captions.nothing_to_undo"
"""Code of the error where there is no operation to undo or redo."""

State = Literal["applying", "applied", "undoing", "undone", "set aside"]
"""`applying` and `undoing` are unfinished. `set aside`: undone, and then something else was done, so that it cannot be redone."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS operations (
    number INTEGER PRIMARY KEY, summary TEXT NOT NULL, at REAL NOT NULL, files INTEGER NOT NULL, state TEXT NOT NULL,
    sequence INTEGER NOT NULL, began REAL NOT NULL, boot TEXT, note TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS changes (operation INTEGER NOT NULL, part INTEGER NOT NULL, packed BLOB NOT NULL, PRIMARY KEY (operation, part));
"""


@dataclass(frozen=True, slots=True)
class Change:
    """What an operation did to one caption file. None is a missing file."""

    key: str
    """Path of the caption file below the folder, with `/` between its parts."""
    before: bytes | None
    after: bytes | None

    def reversed(self) -> Change:
        return Change(self.key, self.after, self.before)


@dataclass(frozen=True, slots=True)
class Operation:
    """One entry of the history."""

    number: int
    summary: str
    """What was done, for a person."""
    at: datetime
    files: int
    """How many caption files it changed."""
    state: State
    began: datetime
    """When it was done, undone or redone last."""
    note: str = ""
    """What whoever did it keeps with it, to be undone with it; the history does not read it."""

    @property
    def as_data(self) -> dict[str, Any]:
        """For `--json` and the API."""
        at = self.at.isoformat(timespec="seconds")
        return {"number": self.number, "summary": self.summary, "at": at, "captions": self.files, "state": self.state}


def file_bytes(path: Path | str) -> bytes | None:
    """The content of a file; None if it does not exist.

    Raises:
        DatasetError: it exists and cannot be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | BINARY)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DatasetError(
            f"{path} cannot be opened ({error.strerror}): check its permissions.", code="captions.not_readable", path=str(path)
        ) from error
    try:
        content = os.read(handle, PAGE)
        if len(content) == PAGE:
            while more := os.read(handle, 16 * PAGE):
                content += more
        return content
    finally:
        os.close(handle)


class History:
    """The operations on the captions below one folder. Nothing is written before the first operation."""

    def __init__(self, folder: Path | str, patience: float = PATIENCE):
        """`patience` is how many seconds to wait for another program that is changing the dataset."""
        self.folder, self.patience = Path(folder), patience
        self.file = self.folder / CAPTION_HISTORY

    def __repr__(self) -> str:
        return f"History({str(self.folder)!r})"

    def operations(self) -> list[Operation]:
        """All of them, the oldest first."""
        if not self.file.exists():
            return []
        with self._database() as database:
            return [_operation(row) for row in database.execute(f"SELECT {_COLUMNS} FROM operations ORDER BY number")]

    def changes(self, operation: Operation) -> list[Change]:
        """What an operation changed, or would change again if it is redone."""
        with self._database() as database:
            return _changes_of(database, operation.number)

    def apply(self, changes: Sequence[Change], summary: str, note: str = "") -> Operation:
        """Change files as one operation. Operations that were undone before can then not be redone any more.

        Raises:
            DatasetError: a file's content is not the one before the change, or a file cannot be written; then no file is changed.
        """
        with locked(self.folder, self.patience):
            self._recover()
            self._refuse_outside_changes(changes, "read")
            with self._database() as database:
                database.execute("BEGIN IMMEDIATE")
                database.execute("UPDATE operations SET state = 'set aside' WHERE state = 'undone'")
                number = database.execute("SELECT COALESCE(MAX(number), 0) + 1 FROM operations").fetchone()[0]
                now = time.time()
                database.execute(
                    "INSERT INTO operations VALUES (?, ?, ?, ?, 'applying', ?, ?, ?, ?)",
                    (number, summary, now, len(changes), _next_in_sequence(database), now, _boot_id(), note),
                )
                rows = (changes[first : first + CHANGES_IN_A_ROW] for first in range(0, len(changes), CHANGES_IN_A_ROW))
                database.executemany(
                    "INSERT INTO changes VALUES (?, ?, ?)", ((number, part, _packed(row)) for part, row in enumerate(rows))
                )
                database.execute("COMMIT")
                self._write(changes, lambda: _forget(database, number))
                return _marked(database, number, "applied")

    def undo(self) -> tuple[Operation, list[Change]]:
        """Undo the newest operation that was not undone; returns it and what was written.

        Raises:
            DatasetError: there is none, or another program changed a file since, or a file cannot be written; then no file is changed.
        """
        return self._revert("applied", "DESC", "undoing", "undone", "There is nothing to undo")

    def redo(self) -> tuple[Operation, list[Change]]:
        """Redo the operation that was undone last. Raises as `undo` does."""
        return self._revert("undone", "ASC", "applying", "applied", "There is nothing to redo")

    def recover(self) -> None:
        """Finish an operation that was interrupted, and rewrite what a power cut undid; called when a folder is opened."""
        if self._interrupted():
            with locked(self.folder, self.patience):
                self._recover()

    def _revert(self, state: State, order: str, during: State, done: State, nothing: str) -> tuple[Operation, list[Change]]:
        if not self.file.exists():
            raise DatasetError(f"{nothing} in {self.folder}: its captions have no history yet.", code=NOTHING_TO_DO)
        with locked(self.folder, self.patience):
            self._recover()
            with self._database() as database:
                row = database.execute(f"SELECT {_COLUMNS} FROM operations WHERE state = ? ORDER BY number {order}", (state,)).fetchone()
                if row is None:
                    raise DatasetError(
                        f"{nothing} in {self.folder}: see `lorasmith captions history {quoted(self.folder)}`.", code=NOTHING_TO_DO
                    )
                operation = _operation(row)
                changes = _changes_of(database, operation.number)
                if during == "undoing":
                    changes = [change.reversed() for change in changes]
                self._refuse_outside_changes(changes, f"changed by operation {operation.number} ({operation.summary})")
                started = (during, _next_in_sequence(database), time.time(), _boot_id(), operation.number)
                database.execute("UPDATE operations SET state = ?, sequence = ?, began = ?, boot = ? WHERE number = ?", started)
                self._write(changes, lambda: _marked(database, operation.number, state))
                return _marked(database, operation.number, done), changes

    # On the disk

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.file, isolation_level=None)) as database:
                migrate(database)
                database.executescript(SCHEMA)
                yield database
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                raise DatasetError(
                    f"The history of captions {self.file} could not be written, as the disk is full: make room and try again. Nothing is lost.",
                    code="captions.disk_full", path=str(self.file),
                ) from error  # fmt: skip
            raise DatasetError(
                f"The history of captions {self.file} cannot be used ({error}): move that file elsewhere; the captions stay as they are, "
                "and a new history begins.", code="captions.history", path=str(self.file),
            ) from error  # fmt: skip

    def _refuse_outside_changes(self, changes: Iterable[Change], since: str) -> None:
        root = f"{self.folder}{os.sep}"
        changed = [change.key for change in changes if file_bytes(root + change.key) != change.before]
        if changed:
            named = ", ".join(changed[:5]) + (f" and {len(changed) - 5} more" if len(changed) > 5 else "")
            raise DatasetError(
                f"{count(len(changed), 'caption')} in {self.folder} {'was' if len(changed) == 1 else 'were'} changed by another program since "
                f"{'it was' if len(changed) == 1 else 'they were'} {since} ({named}), and nothing "
                "was written: open the folder again, or restore these files.", code="captions.changed_outside", paths=changed,
            )  # fmt: skip

    def _write(self, changes: Sequence[Change], give_up: Callable[[], object]) -> None:
        """Write all files or none: a full disk or a missing permission reverts what was written, and `give_up` corrects the history."""
        root, flush = f"{self.folder}{os.sep}", _boot_id() is None
        for done, change in enumerate(changes):
            try:
                write_caption(root + change.key, change.before, change.after, flush)
            except OSError as error:
                for written in reversed(changes[: done + 1]):
                    _restore(root + written.key, written.before, flush)
                give_up()
                raise DatasetError(
                    f"{root}{change.key} cannot be written ({error.strerror}), and no caption was changed: free some space, or correct its "
                    "permissions.", code="captions.not_writable", path=f"{root}{change.key}",
                ) from error  # fmt: skip

    def _interrupted(self) -> list[tuple[int, State, float]]:
        """Number, state and beginning of the operations that were not finished, or that a power cut may have undone, in their order."""
        if not self.file.exists():
            return []
        with self._database() as database:
            query = "SELECT number, state, began FROM operations WHERE state IN ('applying', 'undoing') OR boot != ? ORDER BY sequence"
            return database.execute(query, (_boot_id() or "",)).fetchall()

    def _recover(self) -> None:
        boot, waiting = _boot_id() or "", self._interrupted()
        if not waiting:
            return
        with self._database() as database:
            due: dict[str, _Due] = {}  # the last operation that wrote a file counts
            for number, state, began in waiting:
                for change in _changes_of(database, number):
                    way = change if state in ("applying", "applied") else change.reversed()
                    due[change.key] = _Due(way.before, way.after, began, unfinished=state in ("applying", "undoing"))
            settled = True
            for key, one in due.items():
                path = self.folder / key
                found = file_bytes(path)
                if found == one.after:
                    continue
                if one.explains(found, path):
                    _restore(path, one.after, flush=not boot)
                    settled = not boot
                else:
                    log.warning("%s was changed by another program after an operation was interrupted, and stays as it is.", path)
            for folder in {(self.folder / key).parent for key in due}:
                (folder / ASIDE).unlink(missing_ok=True)
            database.execute("BEGIN IMMEDIATE")
            for number, state, _ in waiting:
                done = {"applying": "applied", "undoing": "undone"}.get(state, state)
                database.execute("UPDATE operations SET state = ?, boot = ? WHERE number = ?", (done, None if settled else boot, number))
            database.execute("COMMIT")


@dataclass(frozen=True, slots=True)
class _Due:
    """What one file should contain after an interrupted operation or a power cut."""

    before: bytes | None
    after: bytes | None
    began: float
    """When the operation that writes it began, in seconds since 1970."""
    unfinished: bool
    """Whether that operation was interrupted; otherwise it was done, and a power cut may have undone its writing."""

    def explains(self, found: bytes | None, path: Path) -> bool:
        """Whether the content found is what a kill or a power cut leaves: not written yet, spaces not cut off, or empty pages."""
        if found == self.before:
            return self.unfinished or not path.exists() or path.stat().st_mtime <= self.began
        if found is None or self.after is None:
            return False
        return b"\0" in found or not found or (found.startswith(self.after) and not found[len(self.after) :].strip(b" "))


# One file

ASIDE = ".lorasmith.part"
"""Name of the temporary file."""


def write_caption(path: str, before: bytes | None, after: bytes | None, flush: bool) -> None:
    """Change a caption file's content from `before` to `after`; other programs and a kill find one or the other.

    A text of one page is written over the old one, which costs a tenth of making a file and renaming it. A shorter text is padded with
    spaces to the old length, and the file is then truncated: a kill in between leaves the new text with spaces behind it. Longer texts and
    new files are written to a temporary file that is renamed. `flush` waits for the disk.
    """
    if after is None:
        os.unlink(path)
    elif before is None or max(len(before), len(after)) > PAGE:
        real = os.path.realpath(path)
        aside = os.path.join(os.path.dirname(real), ASIDE)
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | BINARY, 0o666)
        try:
            _write_all(handle, after)
            if before is not None and os.name == "posix":
                os.fchmod(handle, os.stat(real).st_mode & 0o7777)
            if flush:
                os.fsync(handle)
        finally:
            os.close(handle)
        os.replace(aside, real)
    else:
        handle = os.open(path, os.O_WRONLY | BINARY)
        try:
            _write_all(handle, after.ljust(len(before)))
            if len(after) < len(before):
                os.ftruncate(handle, len(after))
            if flush:
                os.fsync(handle)
        finally:
            os.close(handle)


def _write_all(handle: int, content: bytes) -> None:
    while content:
        content = content[os.write(handle, content) :]


def _restore(path: Path | str, content: bytes | None, flush: bool) -> None:
    """Change a file's content to `content`, whatever it is now."""
    found = file_bytes(path)
    if found != content:
        write_caption(str(path), found, content, flush)


def _boot_id() -> str | None:
    """The system's name for the time since it was started; None where it has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None


# In the database

_COLUMNS = "number, summary, at, files, state, began, note"


def _operation(row: tuple[int, str, float, int, State, float, str]) -> Operation:
    number, summary, at, files, state, began, note = row
    return Operation(number, summary, datetime.fromtimestamp(at, UTC), files, state, datetime.fromtimestamp(began, UTC), note)


def _marked(database: sqlite3.Connection, number: int, state: State) -> Operation:
    database.execute("UPDATE operations SET state = ? WHERE number = ?", (state, number))
    return _operation(database.execute(f"SELECT {_COLUMNS} FROM operations WHERE number = ?", (number,)).fetchone())


def _forget(database: sqlite3.Connection, number: int) -> None:
    database.execute("DELETE FROM operations WHERE number = ?", (number,))
    database.execute("DELETE FROM changes WHERE operation = ?", (number,))


def _next_in_sequence(database: sqlite3.Connection) -> int:
    return int(database.execute("SELECT COALESCE(MAX(sequence), 0) + 1 FROM operations").fetchone()[0])


def _changes_of(database: sqlite3.Connection, number: int) -> list[Change]:
    rows = database.execute("SELECT packed FROM changes WHERE operation = ? ORDER BY part", (number,))
    return [change for (packed,) in rows for change in _unpacked(packed)]


_LENGTHS = struct.Struct("<iii")


def _packed(changes: Sequence[Change]) -> bytes:
    """Changes as bytes: three lengths (-1 for a missing file), then the texts; all compressed."""
    parts: list[bytes] = []
    for change in changes:
        key, before, after = os.fsencode(change.key), change.before, change.after
        parts += (_LENGTHS.pack(len(key), -1 if before is None else len(before), -1 if after is None else len(after)), key)
        parts += (before or b"", after or b"")
    return zlib.compress(b"".join(parts), 1)


def _unpacked(packed: bytes) -> Iterator[Change]:
    content = zlib.decompress(packed)
    at = 0

    def take(length: int) -> bytes | None:
        nonlocal at
        if length < 0:
            return None
        at += length
        return content[at - length : at]

    while at < len(content):
        lengths = _LENGTHS.unpack_from(content, at)
        at += _LENGTHS.size
        key, before, after = map(take, lengths)
        yield Change(os.fsdecode(key or b""), before, after)
