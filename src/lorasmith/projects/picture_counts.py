"""How many pictures a dataset has, and how many of them a caption. Names alone are looked at, and none twice as long as no folder has changed.

counts = PictureCounts()
counts(dataset)          # (10000, 9800), by reading 10,000 names
counts(dataset)          # the same, by looking at the times of its folders
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from lorasmith.dataset_folder import REGULARISATION_NAMES, caption_names, is_picture, walk

SETTLED = 2.0
"""Seconds after which a further change of a folder is sure to get another time, on every file system."""


class _State(NamedTuple):
    """A folder as it was: another one where a file in it was made, removed or renamed."""

    number: int
    """On its disk: another folder may get the same name."""
    changed: float
    """Seconds since 1970."""


class Counts(NamedTuple):
    """Numbers of pictures, without those of regularisation."""

    pictures: int
    captioned: int
    """Those with a caption file."""


class PictureCounts:
    """Counts pictures; any number of threads may use it."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[Mapping[str, _State | None], Counts]] = {}
        """Dataset -> its folders as they were, and what they held."""

    def __call__(self, dataset: Path) -> Counts:
        """What a dataset holds now; nothing where it is not a folder."""
        folders, counts = self._known.get(dataset, ({}, Counts(0, 0)))
        if folders and all(_state(folder) == state for folder, state in folders.items()):
            return counts
        if not dataset.is_dir():
            return Counts(0, 0)
        began = time.time()
        folders, counts = _counted(dataset)
        if all(state is not None and state.changed < began - SETTLED for state in folders.values()):
            self._known[dataset] = folders, counts
        return counts


def _counted(dataset: Path) -> tuple[dict[str, _State | None], Counts]:
    """The folders of a dataset as they are, and how many pictures there are in all of them."""
    folders: dict[str, _State | None] = {}
    pictures = captioned = 0
    for place, names in walk(dataset, leave_out=REGULARISATION_NAMES):
        folder = os.path.join(dataset, place)
        folders[folder] = _state(folder)
        here = set(names)
        own = [name for name in names if is_picture(name)]
        pictures += len(own)
        captioned += sum(any(caption in here for caption in caption_names(name)) for name in own)
    return folders, Counts(pictures, captioned)


def _state(folder: str) -> _State | None:
    try:
        facts = os.stat(folder)
    except OSError:
        return None
    return _State(facts.st_ino, facts.st_mtime)
