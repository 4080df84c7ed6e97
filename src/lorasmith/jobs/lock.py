"""A lock that is held as long as a process lives, and that a process can hand to its child.

The system ties it (`flock`) to the open file. A child that inherits the file holds the lock too, from its first moment, and the lock is
free once the last of them has died, however it died. So a crash needs no heartbeat to be seen, and a machine that slept has no crash.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

_LOOK_EVERY = 0.02


def take_lock(path: Path, patience: float = 0.0) -> int | None:
    """Take the lock and return its open file, to be closed or inherited; None where others still hold it after `patience` seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            if time.monotonic() >= until:
                os.close(file)
                return None
            time.sleep(_LOOK_EVERY)


def is_held(path: Path) -> bool:
    """Whether some process holds the lock."""
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
