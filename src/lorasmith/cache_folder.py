"""Folders of what can be made again, marked as such: nobody takes them for part of a dataset, and backups may leave them out.

The mark is a file `CACHEDIR.TAG` as https://bford.info/cachedir/ describes it, which many backup programs know.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lorasmith.atomic import write_atomically

TAG = "CACHEDIR.TAG"

_SAID = b"""Signature: 8a477f597d28d172789f06886806bc55
# Lorasmith keeps here what it can make again. The folder is safe to delete.
"""


def users_cache() -> Path:
    """Where this program keeps what it can make again, by the system's convention; LORASMITH_CACHE names another folder."""
    if named := os.environ.get("LORASMITH_CACHE"):
        return Path(named)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "lorasmith"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "lorasmith"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lorasmith"


def make_cache_folder(folder: Path) -> None:
    """Make and mark a folder for a cache; one that is there already stays as it is, as it may hold other things. Raises OSError.

    Of several threads that want one folder, the one that made it marks it.
    """
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        if not folder.is_dir():
            raise
    else:
        write_atomically(folder / TAG, _SAID)
