"""A lock that is held as long as a process lives, and that a process can hand to its child.

The system ties it (`flock`) to the open file. A child that inherits the file holds the lock too, from its first moment, and the lock is
free once the last of them has died, however it died. So a crash needs no heartbeat to be seen, and a machine that slept has no crash.

On Windows a lock is one process's alone: there the child takes it first of all, and what it was started for is looked at only then.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

try:
    import fcntl
except ImportError:  # Windows
    INHERITED = False
else:
    INHERITED = True

PATIENCE = 60.0
"""How long a child waits for a lock that it cannot inherit, in seconds."""
_LOOK_EVERY = 0.02


@dataclass(frozen=True)
class Lock:
    """A lock that this process holds."""

    release: Callable[[], None]
    """To be called once; a child that has inherited the lock holds it on."""
    inherited: tuple[int, ...] = ()
    """The open files that a child inherits it by."""

    @property
    def argument(self) -> str:
        """What the child is given on its command line, for `keep_lock`."""
        return ",".join(map(str, self.inherited)) or "-"


def take_lock(path: Path, patience: float = 0.0) -> Lock | None:
    """Take the lock; None where others still hold it after `patience` seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not INHERITED:
        lock = FileLock(path)
        try:
            lock.acquire(timeout=patience, poll_interval=_LOOK_EVERY)
        except Timeout:
            return None
        return Lock(lock.release)
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return Lock(lambda: os.close(file), (file,))
        except BlockingIOError:
            if time.monotonic() >= until:
                os.close(file)
                return None
            time.sleep(_LOOK_EVERY)


def keep_lock(path: Path, argument: str) -> bool:
    """In a child: hold the lock that its parent has handed it, as long as this process lives, and not in programs that it starts.

    Returns False where another process holds it.
    """
    if argument != "-":
        os.set_inheritable(int(argument), False)
        return True
    global _kept
    _kept = take_lock(path, PATIENCE)
    return _kept is not None


_kept: Lock | None = None
"""A FileLock is free once nobody refers to it."""


def is_held(path: Path) -> bool:
    """Whether some process holds the lock."""
    if not INHERITED:
        if not path.exists() or (lock := take_lock(path)) is None:
            return path.exists()
        lock.release()
        return False
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(file)
