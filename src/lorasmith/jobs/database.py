"""The SQLite file of a queue: opened, brought up to date, and set aside where it cannot be read.

`PRAGMA user_version` is the version of the tables, and `VERSIONS` has one function for each step up. A file that a newer Lorasmith wrote,
or a damaged one, is renamed and never deleted; the queue begins empty.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
from filelock import FileLock

from lorasmith.errors import InputError, LorasmithError, RunError

log = logging.getLogger(__name__)

PATIENCE = 30.0
"""Seconds to wait for another process that writes."""

NETWORK_FILE_SYSTEMS = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "lustre", "glusterfs", "beegfs", "afs", "fuse.sshfs")


def _first_tables(db: sqlite3.Connection, jobs: Path) -> None:
    db.execute("""
        CREATE TABLE jobs (
            id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, arguments TEXT NOT NULL, needs TEXT NOT NULL, state TEXT NOT NULL,
            project TEXT NOT NULL, priority INTEGER NOT NULL, place INTEGER NOT NULL, device TEXT NOT NULL DEFAULT '',
            attempts INTEGER NOT NULL DEFAULT 0, created REAL NOT NULL, started REAL, ended REAL, worker INTEGER,
            sentence TEXT NOT NULL DEFAULT '', outcome TEXT NOT NULL DEFAULT '{}', interrupted_at TEXT NOT NULL DEFAULT '')
    """)
    db.execute("CREATE INDEX in_order ON jobs (state, priority DESC, place)")
    db.execute("CREATE TABLE commands (job INTEGER NOT NULL, verb TEXT NOT NULL, at REAL NOT NULL)")
    used = max((int(folder.name) for folder in jobs.glob("*") if folder.name.isdecimal()), default=0)  # by a queue that was lost
    db.execute("INSERT INTO sqlite_sequence VALUES ('jobs', ?)", (used,))


def _dismissal(db: sqlite3.Connection, jobs: Path) -> None:
    db.execute("ALTER TABLE jobs ADD COLUMN dismissed INTEGER NOT NULL DEFAULT 0")


def _jobs_of_jobs(db: sqlite3.Connection, jobs: Path) -> None:
    db.execute("ALTER TABLE jobs ADD COLUMN begun_by INTEGER")


VERSIONS: Sequence[Callable[[sqlite3.Connection, Path], None]] = (_first_tables, _dismissal, _jobs_of_jobs)
"""What brings the tables from one version to the next; each is given the database and the folder of the jobs' folders."""


class _NewerVersion(sqlite3.DatabaseError):
    """A newer Lorasmith wrote the file."""


def open_database(path: Path, jobs: Path) -> tuple[sqlite3.Connection, str]:
    """The database of a queue, and a sentence where another one had to be set aside.

    `jobs` is where the folders of jobs are: numbers of jobs that have one are not given again.

    Raises:
        LorasmithError: the folder cannot be written to, or the disk is full.
    """
    with speaking_of(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return _connected(path, jobs), ""
        except OSError as error:
            raise InputError(
                f"The queue {path} cannot be made ({error.strerror}): give a workspace that can be written to with --workspace.",
                code="jobs.workspace", path=str(path),
            ) from error  # fmt: skip
        except sqlite3.OperationalError:  # no permission, no room: the file is not to blame
            raise
        except sqlite3.DatabaseError:
            return _beginning_empty(path, jobs)


@contextmanager
def speaking_of(path: Path) -> Iterator[None]:
    """Within the block an error of the database becomes a sentence.

    Raises:
        RunError: the disk is full (`jobs.disk_full`), or the file was damaged while it was open (`jobs.damaged`).
        InputError: the file cannot be written to (`jobs.workspace`).
    """
    try:
        yield
    except sqlite3.Error as error:
        raise _sentence(error, path) from error


def _sentence(error: sqlite3.Error, path: Path) -> LorasmithError:
    if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return RunError(
            f"The queue {path} could not be written ({error}): make room on the disk and try again. Nothing is lost.",
            code="jobs.disk_full", path=str(path),
        )  # fmt: skip
    if isinstance(error, sqlite3.OperationalError):
        return InputError(
            f"The queue {path} cannot be used ({error}): make its folder writable, or give another workspace with --workspace.",
            code="jobs.workspace", path=str(path),
        )  # fmt: skip
    return RunError(
        f"The queue {path} was damaged ({error}). Run the command again: the file is set aside.", code="jobs.damaged", path=str(path)
    )


def _beginning_empty(path: Path, jobs: Path) -> tuple[sqlite3.Connection, str]:
    """Set the file aside and start with an empty one, unless another process has already done so."""
    with FileLock(path.with_suffix(".lock")):
        try:
            return _connected(path, jobs), ""
        except sqlite3.OperationalError:
            raise
        except _NewerVersion as error:
            reason, remedy = f"was written by a newer Lorasmith ({error})", "Update Lorasmith and rename it back to have its jobs again."
        except sqlite3.DatabaseError as error:
            reason, remedy = f"is damaged ({error})", "Runs, pictures and LoRA files are not affected."
        aside = path.with_name(f"{path.stem}-aside-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}{path.suffix}")
        for ending in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.replace(f"{path}{ending}", f"{aside}{ending}")
        sentence = f"The queue {path} {reason}: it was set aside as {aside.name}, and the queue begins empty. {remedy}"
        log.warning("%s", sentence)
        return _connected(path, jobs), sentence


def _connected(path: Path, jobs: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    try:
        db.row_factory = sqlite3.Row
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > len(VERSIONS):
            raise _NewerVersion(f"version {version}; this one reads up to {len(VERSIONS)}")
        db.execute(f"PRAGMA journal_mode = {'DELETE' if on_network(path) else 'WAL'}")
        if (fault := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise sqlite3.DatabaseError(fault)
        if version < len(VERSIONS):
            _bring_up_to_date(db, jobs)
        return db
    except BaseException:
        db.close()
        raise


def _bring_up_to_date(db: sqlite3.Connection, jobs: Path) -> None:
    with transaction(db):
        version = db.execute("PRAGMA user_version").fetchone()[0]  # another process may have been quicker
        for step in VERSIONS[version:]:
            step(db, jobs)
        db.execute(f"PRAGMA user_version = {len(VERSIONS)}")


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All statements of the block, or none of them."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # a full disk has rolled back already
            db.execute("ROLLBACK")
        raise


def on_network(path: Path) -> bool:
    """Whether a file is on a network file system, where processes on two machines do not see each other's shared memory."""
    place = str(path.resolve())
    mounts = [
        mount
        for mount in psutil.disk_partitions(all=True)
        if place == mount.mountpoint or place.startswith(mount.mountpoint.rstrip("/") + "/")
    ]
    return bool(mounts) and max(mounts, key=lambda mount: len(mount.mountpoint)).fstype in NETWORK_FILE_SYSTEMS
