"""Where the catalogue is, by default, and which folders are in it.

<library>/folders.json     the folders that were added: the one thing that cannot be made again
<library>/index/           what was read of their files; safe to delete
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from lorasmith.atomic import write_atomically
from lorasmith.errors import InputError

FOLDERS, INDEX = "folders.json", "index"


def library_folder() -> Path:
    """Where this user's catalogue is, by the system's convention; LORASMITH_LIBRARY names another folder."""
    if named := os.environ.get("LORASMITH_LIBRARY"):
        return Path(named)
    if sys.platform == "win32":
        data = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        data = Path.home() / "Library" / "Application Support"
    else:
        data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return data / "lorasmith" / "library"


def read_folders(library: Path) -> list[Path]:
    """The folders that were added, in their order. Raises InputError (`library.folders_damaged`) where the list cannot be read."""
    file = library / FOLDERS
    try:
        folders = json.loads(file.read_text(encoding="utf-8"))["folders"]
        return [Path(folder) for folder in folders]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{file} is damaged: delete it and add the folders again with: lorasmith library add FOLDER",
            code="library.folders_damaged", path=str(file),
        ) from error  # fmt: skip


def write_folders(library: Path, folders: Iterable[Path]) -> None:
    """Keep the list of folders."""
    library.mkdir(parents=True, exist_ok=True)
    write_atomically(library / FOLDERS, json.dumps({"folders": [str(folder) for folder in folders]}, indent=1).encode())
