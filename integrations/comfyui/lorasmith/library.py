"""The folders of Lorasmith's library, so that ComfyUI lists the LoRAs in them beside its own."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import folder_paths


def offer_folders() -> list[str]:
    """Add each folder of the library to ComfyUI's `loras`; those that are not there now are left out."""
    there = [folder for folder in library_folders() if os.path.isdir(folder)]
    for folder in there:
        folder_paths.add_model_folder_path("loras", folder)
    return there


def library_folders() -> list[str]:
    """The folders that `lorasmith library add` has noted; none where there is no list or it cannot be read."""
    try:
        folders = json.loads((_library() / "folders.json").read_text(encoding="utf-8"))["folders"]
        return [folder for folder in folders if isinstance(folder, str)]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _library() -> Path:
    """Where Lorasmith keeps its list, by the system's convention; LORASMITH_LIBRARY names another folder."""
    if named := os.environ.get("LORASMITH_LIBRARY"):
        return Path(named)
    if sys.platform == "win32":
        data = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        data = Path.home() / "Library" / "Application Support"
    else:
        data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return data / "lorasmith" / "library"
