"""Finding the LoRA files in folders, and which of them changed since they were read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lorasmith.cache_folder import TAG
from lorasmith.curation.names import printable
from lorasmith.library.catalogue.sidecars import PICTURE_SUFFIXES, SIDES
from lorasmith.library.catalogue.store import FileState
from lorasmith.training.records.run_layout import CHECKPOINTS, EVENTS, SAMPLES, is_run

SUFFIXES = (".safetensors", ".pt", ".ckpt")
"""Of files that may be a LoRA, in lower case."""


@dataclass
class Scan:
    """The files below some folders, by path; and what could not be looked into, with the reason."""

    files: dict[str, FileState] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)

    def may_still_have(self, path: str) -> bool:
        """Whether a file that was not seen is below a folder that could not be looked into."""
        return any(path.startswith(folder + os.sep) for folder in self.unreadable)


def scan(folders: Iterable[Path]) -> Scan:
    """Look through folders and those below them, links too, each once. No file is opened.

    Hidden folders and caches are left out, and so is all of a run's folder but its checkpoints: the states that it resumes from are no LoRAs.
    """
    found = Scan()
    walked: set[tuple[int, int]] = set()
    for folder in folders:
        _look_into(str(folder), found, walked)
    return found


def _look_into(root: str, found: Scan, walked: set[tuple[int, int]]) -> None:
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            place = os.stat(folder)
            if (place.st_dev, place.st_ino) in walked:
                continue
            walked.add((place.st_dev, place.st_ino))
            with os.scandir(folder) as listing:
                entries = {entry.name: entry for entry in listing if not entry.name.startswith(".")}
            if TAG in entries:
                continue
            for name in [name for name in entries if not _is_text(name)]:
                entry = entries.pop(name)
                if entry.is_dir() or name.lower().endswith(SUFFIXES):
                    found.unreadable[printable(entry.path)] = "its name is not UTF-8: rename it"
            below = [entry for entry in entries.values() if entry.is_dir()]
            waiting += [entry.path for entry in below if EVENTS not in entries or entry.name == CHECKPOINTS]
            found.files.update(_loras(entries, _samples(Path(folder))))
        except OSError as error:
            found.unreadable[folder] = error.strerror or str(error)


def _is_text(name: str) -> bool:
    """Whether a name can be written down; one that is not UTF-8 cannot."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def _loras(entries: dict[str, os.DirEntry[str]], samples: str) -> Iterator[tuple[str, FileState]]:
    for name, entry in entries.items():
        if not name.lower().endswith(SUFFIXES) or not entry.is_file():
            continue
        stem = name[: name.rindex(".")]
        beside = [f"{side}{_state(entries[stem + side])}" for side in SIDES if stem + side in entries]
        preview = next((stem + suffix for suffix in PICTURE_SUFFIXES if stem + suffix in entries), "")
        state = entry.stat()
        yield entry.path, FileState(state.st_size, state.st_mtime_ns, " ".join(beside), preview, "" if preview else samples)


def _samples(folder: Path) -> str:
    """The state of the samples of the run whose checkpoints are in a folder: another one when there is one more; "" where there are none."""
    if folder.name != CHECKPOINTS or not is_run(folder.parent):
        return ""
    try:
        return str(os.stat(folder.parent / SAMPLES).st_mtime_ns)
    except OSError:
        return ""


def _state(entry: os.DirEntry[str]) -> str:
    try:
        state = entry.stat()
    except OSError:
        return ""
    return f" {state.st_size} {state.st_mtime_ns}"
