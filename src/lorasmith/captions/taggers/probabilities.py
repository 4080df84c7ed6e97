"""What taggers saw, kept beside the dataset, so that thresholds can be moved later without running a tagger again.

One SQLite file, `.lorasmith/probabilities.sqlite`. A row belongs to a picture's content (sha256 of its bytes) and to a tagger's
identity (its network, table and descriptor): a picture that was changed, and a tagger that was exchanged, are simply others.
Kept are the tags above `FLOOR`, each as a position in the tagger's table (4 bytes) and a probability in steps of 1/65535 (2 bytes):
the 10,861 tags of a WD v3 tagger come to about a kilobyte a picture. Every batch is committed, so a killed job goes on where it was.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lorasmith.captions.taggers.tag_choice import Scored, spaced
from lorasmith.captions.taggers.tagger import Tagger
from lorasmith.dataset_folder import TAG_PROBABILITIES
from lorasmith.errors import DatasetError, InputError
from lorasmith.images.read import content_hash, read_picture

FLOOR = 0.01
"""Probabilities up to this are not kept; no threshold that makes sense lies below."""

STEPS = 65535

_SCHEMA = """
CREATE TABLE IF NOT EXISTS taggers (id INTEGER PRIMARY KEY, identity TEXT UNIQUE NOT NULL, source TEXT NOT NULL, tags BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS seen (
    tagger INTEGER NOT NULL REFERENCES taggers(id), content TEXT NOT NULL, places BLOB NOT NULL, probabilities BLOB NOT NULL,
    PRIMARY KEY (tagger, content)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

_log = logging.getLogger(__name__)


class ProbabilityStore:
    """The stored probabilities of a dataset. Open it with `with`; several processes may."""

    def __init__(self, dataset: Path | str):
        self.path = Path(dataset) / TAG_PROBABILITIES
        try:
            self.path.parent.mkdir(exist_ok=True)
            self._database = sqlite3.connect(self.path, timeout=30)
            self._database.executescript(_SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise DatasetError(
                f"{self.path} cannot be used for tagger probabilities ({error}): mend the folder's permissions, or delete the file, "
                "which costs another run of the tagger."
            ) from error

    def __enter__(self) -> ProbabilityStore:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def register(self, tagger: Tagger) -> None:
        """Make the tagger known, so that rows can be stored for it; it counts as the last one used."""
        start = (tagger.descriptor.general_threshold, tagger.descriptor.character_threshold)
        listed = zlib.compress(json.dumps([tagger.names, tagger.categories, start]).encode())
        with self._database as database:
            database.execute(
                "INSERT INTO taggers (identity, source, tags) VALUES (?, ?, ?) ON CONFLICT (identity) DO UPDATE SET source = excluded.source, tags = excluded.tags",
                (tagger.identity, tagger.folder.name, listed),
            )
            database.execute("INSERT OR REPLACE INTO facts VALUES ('last tagger', ?)", (tagger.identity,))

    def taggers(self) -> list[str]:
        """Identities of all taggers with stored probabilities, the last one used first."""
        last = self._database.execute("SELECT value FROM facts WHERE name = 'last tagger'").fetchone()
        known = [identity for (identity,) in self._database.execute("SELECT identity FROM taggers ORDER BY id DESC")]
        return sorted(known, key=lambda identity: identity != (last[0] if last else None))

    def add(self, identity: str, contents: Sequence[str], rows: np.ndarray) -> None:
        """Store the probabilities (n, tags), 0-1, of pictures by their content hashes; all of them or none."""
        found = []
        for content, row in zip(contents, rows, strict=True):
            places = np.flatnonzero(row > FLOOR)
            kept = np.rint(row[places] * STEPS)
            found.append((self._number(identity), content, places.astype("<u4").tobytes(), kept.astype("<u2").tobytes()))
        with self._database as database:
            database.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?)", found)

    def contents(self, identity: str) -> set[str]:
        """Content hashes of the pictures that this tagger has seen."""
        query = "SELECT content FROM seen JOIN taggers ON taggers.id = seen.tagger WHERE identity = ?"
        return {content for (content,) in self._database.execute(query, (identity,))}

    def scored(self, identity: str, contents: Iterable[str]) -> Iterator[tuple[str, list[Scored]]]:
        """Content hash and stored tags, the most probable first, of those `contents` that this tagger has seen."""
        number = self._number(identity)
        names, categories, _ = self._listed(number)
        for content in contents:
            row = self._database.execute(
                "SELECT places, probabilities FROM seen WHERE tagger = ? AND content = ?", (number, content)
            ).fetchone()
            if row is None:
                continue
            places = np.frombuffer(row[0], "<u4").tolist()
            values = (np.frombuffer(row[1], "<u2") / STEPS).tolist()
            tags = [Scored(names[place], categories[place], value) for place, value in zip(places, values, strict=True)]
            yield content, sorted(tags, key=lambda one: -one.probability)

    def thresholds(self, identity: str) -> tuple[float, float]:
        """Where to begin with a tagger's general tags and characters."""
        general, character = self._listed(self._number(identity))[2]
        return general, character

    def _listed(self, number: int) -> tuple[list[str], list[str], tuple[float, float]]:
        (listed,) = self._database.execute("SELECT tags FROM taggers WHERE id = ?", (number,)).fetchone()
        names, categories, start = json.loads(zlib.decompress(listed))
        return names, categories, start

    def _number(self, identity: str) -> int:
        row = self._database.execute("SELECT id FROM taggers WHERE identity = ?", (identity,)).fetchone()
        if row is None:
            raise InputError(f"No tagger {identity[:12]} has looked at {self.path.parent.parent} yet: run `lorasmith captions tag` first.")
        return int(row[0])


@dataclass
class Tagged:
    """What came of a tagging job."""

    contents: dict[Path, str] = field(default_factory=dict)
    """Content hash of each picture whose probabilities are stored now."""
    looked_at: int = 0
    """Pictures that the tagger was run on."""
    known: int = 0
    """Pictures whose probabilities were there already."""
    failures: dict[Path, str] = field(default_factory=dict)
    """What is wrong with each picture that could not be read."""
    stopped: bool = False
    """Whether it was cancelled before the end."""


def store_probabilities(
    store: ProbabilityStore,
    tagger: Tagger,
    pictures: Sequence[Path],
    *,
    batch_size: int = 8,
    again: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Tagged:
    """Run the tagger over the pictures that it has not seen yet (`again`: over all) and store what it says.

    A picture that cannot be read is reported and left out. `progress` hears (done, total) after each batch; `cancelled` is asked before
    each. Whatever ends the job early, what was stored stays, and the next call goes on from there.
    """
    store.register(tagger)
    result = Tagged()
    seen = set() if again else store.contents(tagger.identity)
    for first in range(0, len(pictures), batch_size):
        if cancelled():
            result.stopped = True
            break
        waiting, contents = [], []
        for path in pictures[first : first + batch_size]:
            try:
                content = content_hash(path)
                if content not in seen:
                    waiting.append(read_picture(path))
                    contents.append(content)
                    seen.add(content)
                else:
                    result.known += 1
            except DatasetError as error:
                result.failures[path] = str(error)
                continue
            result.contents[path] = content
        if waiting:
            store.add(tagger.identity, contents, tagger.probabilities(waiting, batch_size))
            result.looked_at += len(waiting)
        progress(min(first + batch_size, len(pictures)), len(pictures))
    return result


def stored_tags(dataset: Path | str, pictures: Mapping[str, Path]) -> dict[str, dict[str, float]]:
    """Name -> tag (with spaces) -> probability, of the pictures that the last used tagger has seen; empty where none has.

    Nothing is written, and no picture is decoded.
    """
    if not (Path(dataset) / TAG_PROBABILITIES).is_file():
        return {}
    with ProbabilityStore(dataset) as store:
        known = store.taggers()
        if not known:
            return {}
        contents: dict[str, list[str]] = {}
        for name, path in pictures.items():
            try:
                contents.setdefault(content_hash(path), []).append(name)
            except DatasetError as error:
                _log.warning("%s", error)
        found = store.scored(known[0], contents)
        return {name: {spaced(one.name): one.probability for one in tags} for content, tags in found for name in contents[content]}
