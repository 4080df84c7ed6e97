"""Where the runs below a folder are. Whoever looks again and again reads the entries of those folders alone in which something came or went.

folders = RunFolders("lora")
folders.found()                  # as often as one likes
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from lorasmith.training.records.run_folder import RunFolder

DEPTH = 5
"""Folders below the given one in which runs are looked for: projects/anna/runs/rates/trial-3 is at this depth."""

SETTLED = 2.0
"""Seconds after which a further change of a folder is sure to get another time, on every file system."""


@dataclass(frozen=True)
class _Folder:
    """What is in a folder."""

    number: int
    """On its disk: another folder may get the same name."""
    changed: int
    is_run: bool
    inside: tuple[str, ...]
    """Names of the folders in it that are looked into."""


class RunFolders:
    """The folders of runs below `root`; hidden folders and links are passed over, and runs are not looked into."""

    def __init__(self, root: str | Path):
        self.root = os.fspath(root)
        self._known: dict[str, _Folder] = {}

    def found(self) -> list[Path]:
        """The folders of runs that are there now, in order."""
        runs: list[Path] = []
        known: dict[str, _Folder] = {}
        waiting = [(self.root, 0)]
        while waiting:
            place, depth = waiting.pop()
            try:
                folder = self._folder(place)
            except OSError:  # it went away, or is without permission
                continue
            if _has_settled(folder):
                known[place] = folder
            if folder.is_run:
                runs.append(Path(place))
            elif depth < DEPTH:
                waiting += [(os.path.join(place, name), depth + 1) for name in folder.inside]
        self._known = known
        return sorted(runs)

    def _folder(self, place: str) -> _Folder:
        facts, known = os.stat(place), self._known.get(place)
        if known is not None and (known.number, known.changed) == (facts.st_ino, facts.st_mtime_ns):
            return known
        return _read(place, facts)


def _has_settled(folder: _Folder) -> bool:
    return time.time_ns() - folder.changed > SETTLED * 1e9


def _read(place: str, facts: os.stat_result) -> _Folder:
    run = RunFolder(Path(place))
    if run.settings.is_file() and run.state.is_dir():
        return _Folder(facts.st_ino, facts.st_mtime_ns, True, ())
    with os.scandir(place) as entries:
        inside = tuple(entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False))
    return _Folder(facts.st_ino, facts.st_mtime_ns, False, inside)
