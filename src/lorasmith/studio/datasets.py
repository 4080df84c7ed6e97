"""The datasets that the server has open: read once, kept in memory, and read anew when something in the folder has changed.

What changed is seen by names, sizes and times, not by watching: network drives do not tell, and looking at 10,000 files takes 50 ms.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lorasmith.captions.collection import CaptionCollection, Entry, open_captions
from lorasmith.captions.filters import parse_filter
from lorasmith.curation.audit.audit import Audit
from lorasmith.curation.audit.dataset import audit_dataset
from lorasmith.curation.audit.set_signs import LoraKind
from lorasmith.curation.chosen_pictures import name_not_utf8
from lorasmith.dataset_folder import CAPTION_SUFFIXES, is_picture, walk
from lorasmith.errors import DatasetError, InputError
from lorasmith.images.picture_cache import FILE

MOST_OPEN = 4
"""Datasets that are kept in memory."""

SECONDS_TO_LOOK = 0.5
"""What an answer may wait for pictures that nobody has measured yet; an audit, as a job, measures all."""


@dataclass
class Dataset:
    """A dataset as it was when it was read; `version` is another one whenever the folder has changed."""

    root: Path
    version: str
    pictures: tuple[str, ...]
    """Paths below `root`, in order."""

    @cached_property
    def captions(self) -> CaptionCollection:
        """The captions; what is not UTF-8 is among its `unreadable`. Raises DatasetError where there are no pictures."""
        return open_captions(self.root, unreadable_too=True)

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """Picture -> its caption."""
        own = (*self.captions, *self.captions.unreadable.values()) if self.pictures else ()
        return {picture: entry for entry in own for picture in entry.pictures}

    def file(self, picture: str) -> Path:
        """The file of a picture; raises InputError where there is none of that name (`picture.not_found`)."""
        if picture not in self._known:
            raise InputError(f"{self.root} has no picture {picture}. Choose one of the list.", code="picture.not_found", picture=picture)
        return self.root / picture

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.pictures)

    def matching(self, query: str) -> list[str]:
        """The pictures that a filter finds, in order. Raises InputError where it cannot be read."""
        matches = parse_filter(query).matches
        return [picture for picture in self.pictures if (entry := self.entries.get(picture)) is not None and matches(entry)]


class Datasets:
    """Open datasets, by folder. Each is used by one thread at a time."""

    def __init__(self, cache: Path):
        self.cache = cache
        """Folder that keeps what was seen of pictures."""
        self._opened: OrderedDict[Path, Dataset] = OrderedDict()
        self._audits: dict[Path, tuple[tuple[object, ...], Audit]] = {}
        self._locks: dict[Path, threading.RLock] = {}
        self._lock = threading.Lock()

    @contextmanager
    def open(self, root: Path) -> Iterator[Dataset]:
        """The dataset as it is now, for this thread alone. What is saved in the block is read anew by the next one."""
        with self._lock:
            lock = self._locks.setdefault(root, threading.RLock())
        with lock:
            yield self._as_it_is(root)

    def audit(self, dataset: Dataset, kind: LoraKind | None, resolution: int) -> Audit | None:
        """What is wrong with the pictures, as far as they were measured; None where there are none."""
        if not dataset.pictures:
            return None
        asked = (dataset.version, kind, resolution, _state(self.cache / FILE), _state(self.cache / f"{FILE}-wal"))
        kept = self._audits.get(dataset.root)
        if kept is not None and kept[0] == asked:
            return kept[1]
        audit = audit_dataset(dataset.root, kind=kind, resolution=resolution, cache=self.cache, within=SECONDS_TO_LOOK)
        asked = (*asked[:3], _state(self.cache / FILE), _state(self.cache / f"{FILE}-wal"))
        self._audits[dataset.root] = (asked, audit)
        return audit

    def _as_it_is(self, root: Path) -> Dataset:
        version, pictures = snapshot(root)
        with self._lock:
            dataset = self._opened.pop(root, None)
            if dataset is None or dataset.version != version:
                dataset = Dataset(root, version, pictures)
            self._opened[root] = dataset  # the last one used stands last
            while len(self._opened) > MOST_OPEN:
                self._audits.pop(self._opened.popitem(last=False)[0], None)
        return dataset


def snapshot(root: Path) -> tuple[str, tuple[str, ...]]:
    """The version of a dataset's folder, and its pictures in order. Raises DatasetError where it is not a folder."""
    if not root.is_dir():
        raise DatasetError(
            f"{root} is not a folder: bring pictures in, or give another folder.", code="dataset.no_folder", folder=str(root)
        )
    seen = hashlib.blake2b(digest_size=12)
    pictures = []
    for place, names in walk(root, through_links=True):
        for name in names:
            path = f"{place}/{name}" if place else name
            if is_picture(name):
                pictures.append(path)
            elif not name.lower().endswith(CAPTION_SUFFIXES):
                continue
            try:
                seen.update(f"{path}\0{_state(root / path)}\0".encode())
            except UnicodeEncodeError:
                raise name_not_utf8(root / path) from None
    return seen.hexdigest(), tuple(sorted(pictures))


def _state(path: Path) -> tuple[int, int]:
    try:
        facts = os.stat(path)
    except OSError:
        return 0, 0
    return facts.st_size, facts.st_mtime_ns
