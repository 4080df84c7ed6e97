"""The datasets that the server has open: read once, kept in memory, and read again when something in the folder has changed.

What changed is seen by names, sizes and times, not by watching: network drives do not tell. Looking at 10,000 pictures takes 0.1 s of CPU, so
calls that come within some seconds share one look. What Lorasmith changes, in whatever process, is seen by the next call.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lorasmith.captions.collection import CaptionCollection, Entry, captions_beside, open_captions
from lorasmith.captions.filters import parse_filter
from lorasmith.curation.audit.set_signs import LoraKind
from lorasmith.curation.chosen_pictures import name_not_utf8
from lorasmith.dataset_folder import CAPTION_SUFFIXES, SOON, is_picture, last_change, walk
from lorasmith.errors import DatasetError, InputError
from lorasmith.findings import Finding
from lorasmith.studio.judging import Judgement, Question, judge_beside
from lorasmith.studio.packed_findings import Head

MOST_OPEN = 4
"""Datasets that are kept in memory."""

LOOK_HOLDS = 2.0
"""Seconds after which changes made by other programs are looked for again, at the earliest."""

CHEAP = 0.04
"""Seconds of CPU up to which a look is made that often: a fiftieth of a core. One that takes more holds longer in proportion."""

STAYS_NEW = 2.0
"""Seconds for which an audit that left pictures out is not made again."""

SECONDS_TO_LOOK = 0.5
"""What an answer may wait for pictures that nobody has measured yet; an audit, as a job, measures all."""


@dataclass
class Dataset:
    """A dataset as it was when it was read; `version` is another one whenever the folder has changed."""

    root: Path
    version: str
    pixels: str
    """The same of the pictures alone."""
    pictures: tuple[str, ...]
    """Paths below `root`, in order."""

    @cached_property
    def captions(self) -> CaptionCollection:
        """The captions; what is not UTF-8 is among its `unreadable`. Raises DatasetError where there are no pictures."""
        return open_captions(self.root, unreadable_too=True, patience=SOON)

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """Picture -> its caption."""
        own = (*self.captions, *self.captions.unreadable.values()) if self.pictures else ()
        return {picture: entry for entry in own for picture in entry.pictures}

    def entries_of(self, pictures: Sequence[str]) -> dict[str, Entry]:
        """Picture -> its caption, of these pictures; the others are not read for it where that can be avoided."""
        few = captions_beside(self.root, pictures, SOON) if "captions" not in vars(self) else None
        return few if few is not None else {picture: self.entries[picture] for picture in pictures if picture in self.entries}

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


@dataclass(frozen=True)
class _Seen:
    """A dataset, and how long what was seen of its folder holds."""

    dataset: Dataset
    until: float
    change: int
    """The last change of ours before that."""


@dataclass(frozen=True)
class Purpose:
    """What pictures are judged for, and what is looked for."""

    kind: LoraKind | None
    resolution: int
    """The side of the training's square, in pixels."""
    off: frozenset[str] = frozenset()
    """Codes of findings that are not looked for."""
    words: bool = False
    """Whether words on the pictures count, as far as they were read."""


@dataclass(frozen=True)
class _Found:
    """What is wrong with the pictures, by picture."""

    audit: Judgement

    @cached_property
    def of_pictures(self) -> Mapping[str, list[Head]]:
        found: dict[str, list[Head]] = {}
        for head in self.audit.findings.heads:
            for subject in head.subjects if head.about != "set" else ():
                found.setdefault(subject, []).append(head)
        return found

    def of(self, picture: str) -> list[Finding]:
        heads = self.audit.findings.heads
        numbers = [number for number, head in enumerate(heads) if picture in head.subjects and head.about != "set"]
        return list(self.audit.findings.unpacked(numbers))


@dataclass
class _KeptAudit:
    """An audit and what it was asked for. Everything was looked for; what was asked for last without something is kept, too."""

    asked: tuple[str, LoraKind | None, int, bool]
    everything: _Found
    made: float
    last: tuple[frozenset[str], _Found] | None = None

    def without(self, off: frozenset[str]) -> _Found:
        if not off:
            return self.everything
        last = self.last
        if last is None or last[0] != off:
            last = self.last = off, _Found(self.everything.audit.without(off))
        return last[1]


class Datasets:
    """Open datasets, by folder. Each is used by one thread at a time."""

    def __init__(self, cache: Path):
        self.cache = cache
        """Folder that keeps what was seen of pictures."""
        self.judge = judge_beside()
        self._seen: OrderedDict[Path, _Seen] = OrderedDict()
        self._audits: dict[Path, _KeptAudit] = {}
        self._judging = threading.Lock()
        self._using: dict[Path, threading.RLock] = {}
        self._looking: dict[Path, threading.Lock] = {}
        self._lock = threading.Lock()

    @contextmanager
    def open(self, root: Path, to_change: bool = False) -> Iterator[Dataset]:
        """The dataset as it is, for this thread alone. What is saved in the block is read again by the next one.

        Who opens it `to_change` it also has what another program changed a moment ago.

        Raises:
            InputError: a picture went away meanwhile (`pictures.stale`).
        """
        with self._lock:
            using = self._using.setdefault(root, threading.RLock())
        with using:
            try:
                yield self.as_it_is(root, newest=to_change)
            except FileNotFoundError as error:
                version = self.as_it_is(root, newest=True).version
                raise InputError("The pictures have changed. Ask for the list again.", code="pictures.stale", version=version) from error

    def as_it_is(self, root: Path, newest: bool = False) -> Dataset:
        """The dataset, in which changes by other programs may be missing for as long as a look holds, unless the `newest` is asked for.

        For its version and names; who reads captions opens it.
        """
        with self._lock:
            looking = self._looking.setdefault(root, threading.Lock())
        with looking:
            now, change = time.monotonic(), last_change(root)
            with self._lock:
                seen = self._seen.pop(root, None)
            if seen is None or newest or seen.change != change or now >= seen.until:
                began = time.thread_time()
                found = snapshot(root)
                took = time.thread_time() - began
                same = seen is not None and seen.dataset.version == found.version
                seen = _Seen(seen.dataset if seen is not None and same else found, now + look_holds(took), change)
            with self._lock:
                self._seen[root] = seen  # the last one used stands last
                while len(self._seen) > MOST_OPEN:
                    self._audits.pop(self._seen.popitem(last=False)[0], None)
        return seen.dataset

    def audit(self, dataset: Dataset, purpose: Purpose, newest: bool = False) -> Judgement | None:
        """What is wrong with the pictures, as far as they were measured; None where there are none.

        One that left pictures out is made again only where the `newest` is asked for. Captions do not matter to it.
        """
        found = self._audited(dataset, purpose, newest)
        return None if found is None else found.audit

    def findings(self, dataset: Dataset, purpose: Purpose) -> Mapping[str, list[Head]]:
        """Picture -> what is wrong with it in short, the gravest first, as far as the pictures were measured."""
        found = self._audited(dataset, purpose, newest=False)
        return {} if found is None else found.of_pictures

    def findings_of(self, picture: str, dataset: Dataset, purpose: Purpose) -> list[Finding]:
        """What is wrong with one picture, the gravest first."""
        found = self._audited(dataset, purpose, newest=False)
        return [] if found is None else found.of(picture)

    def last_findings(self, dataset: Dataset, off: frozenset[str]) -> Mapping[str, list[Head]]:
        """Picture -> what was wrong with it when its folder was judged last, but for findings of these codes. Nothing is waited for."""
        kept = self._audits.get(dataset.root)
        return {} if kept is None else kept.without(off).of_pictures

    def _audited(self, dataset: Dataset, purpose: Purpose, newest: bool) -> _Found | None:
        if not dataset.pictures:
            return None
        asked = (dataset.pixels, purpose.kind, purpose.resolution, purpose.words)
        with self._judging:
            kept = self._audits.get(dataset.root)
            part = kept is not None and (kept.everything.audit.left_out or kept.everything.audit.unread)
            old = kept is None or kept.asked != asked or (newest and part and time.monotonic() - kept.made > STAYS_NEW)
            if kept is None or old:
                audit = self.judge(Question(dataset.root, purpose.kind, purpose.resolution, self.cache, SECONDS_TO_LOOK, purpose.words))
                kept = self._audits[dataset.root] = _KeptAudit(asked, _Found(audit), time.monotonic())
            return kept.without(purpose.off)


def look_holds(took: float) -> float:
    """How many seconds to wait before looking again for changes by other programs, given the CPU seconds that the last look took."""
    return LOOK_HOLDS * max(1.0, took / CHEAP)


def snapshot(root: Path) -> Dataset:
    """A dataset's folder as it is now; only names, sizes and times are looked at. Raises DatasetError where it is not a folder."""
    if not root.is_dir():
        raise DatasetError(
            f"{root} is not a folder: bring pictures in, or give another folder.", code="dataset.no_folder", folder=str(root)
        )
    of_pictures: list[str] = []
    of_captions: list[str] = []
    pictures = []
    for place, names in walk(root, through_links=True):
        inside, here = f"{place}/" if place else "", os.path.join(root, place, "")
        for name in names:
            if is_picture(name):
                pictures.append(inside + name)
                of_pictures.append(f"{inside}{name} {_state(here + name)}")
            elif name.lower().endswith(CAPTION_SUFFIXES):
                of_captions.append(f"{inside}{name} {_state(here + name)}")
    try:
        pixels = hashlib.blake2b("\0".join(of_pictures).encode(), digest_size=12).hexdigest()
    except UnicodeEncodeError:
        raise name_not_utf8(root / next(picture for picture in pictures if not _is_text(picture))) from None
    captions = "\0".join(of_captions).encode(errors="surrogateescape")
    return Dataset(root, hashlib.blake2b(pixels.encode() + captions, digest_size=12).hexdigest(), pixels, tuple(sorted(pictures)))


def _is_text(name: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def _state(path: str) -> str:
    """Size and time of a file's last change; another one, perhaps other bytes."""
    try:
        facts = os.stat(path)
    except OSError:
        return ""
    return f"{facts.st_size} {facts.st_mtime_ns}"
