"""The probabilities that taggers gave, stored with the dataset, so that thresholds can be changed later without running a tagger again.

One SQLite file, `.lorasmith/probabilities.sqlite`. A row belongs to a picture's content (sha256 of its bytes) and to a tagger's
identity (its network, table and descriptor), so a picture that was changed, or a tagger that was exchanged, is a new one.
Stored are the tags above `FLOOR`, each as an index into the tagger's table (4 bytes) and a probability in steps of 1/65535 (2 bytes):
the 10,861 tags of a WD v3 tagger come to about a kilobyte per picture. Every batch is committed, so a killed job resumes where it was.
"""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from lorasmith.captions.caption import plain_tag
from lorasmith.captions.store import open_store
from lorasmith.captions.taggers.tag_choice import TagProbability
from lorasmith.captions.taggers.tagger import Tagger
from lorasmith.dataset_folder import TAG_PROBABILITIES
from lorasmith.errors import DatasetError, InputError
from lorasmith.images.read import content_hash

FLOOR = 0.01
"""Probabilities up to this are not stored; no sensible threshold is below it."""

STEPS = 65535

_SCHEMA = """
CREATE TABLE IF NOT EXISTS taggers (id INTEGER PRIMARY KEY, identity TEXT UNIQUE NOT NULL, source TEXT NOT NULL, tags BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS probabilities (
    tagger INTEGER NOT NULL REFERENCES taggers(id), content TEXT NOT NULL, indices BLOB NOT NULL, probabilities BLOB NOT NULL,
    PRIMARY KEY (tagger, content)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS properties (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

_log = logging.getLogger(__name__)

StoredRow = tuple[bytes, bytes]
"""A picture's tags above `FLOOR`: their indices (uint32) and their probabilities in steps (uint16), little-endian."""


def stored_row(row: np.ndarray) -> StoredRow:
    """What is stored of a picture's probabilities (tags), 0-1."""
    indices = np.flatnonzero(row > FLOOR)
    steps = np.rint(row[indices] * STEPS)
    return indices.astype("<u4").tobytes(), steps.astype("<u2").tobytes()


class ProbabilityStore:
    """The stored probabilities of a dataset; a context manager. Several processes may use one at the same time."""

    def __init__(self, dataset: Path | str):
        self.dataset = Path(dataset)
        self._database = open_store(self.dataset, TAG_PROBABILITIES, _SCHEMA, "another run of the tagger")

    def __repr__(self) -> str:
        return f"ProbabilityStore({str(self.dataset)!r})"

    def __enter__(self) -> ProbabilityStore:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def register(self, tagger: Tagger) -> None:
        """Enter the tagger, so that rows can be stored for it; it counts as the last one used."""
        thresholds = (tagger.descriptor.general_threshold, tagger.descriptor.character_threshold)
        table = zlib.compress(json.dumps([tagger.names, tagger.categories, thresholds]).encode())
        with self._database as database:
            database.execute(
                "INSERT INTO taggers (identity, source, tags) VALUES (?, ?, ?) ON CONFLICT (identity) DO UPDATE SET source = excluded.source, tags = excluded.tags",
                (tagger.identity, tagger.folder.name, table),
            )
            database.execute("INSERT OR REPLACE INTO properties VALUES ('last tagger', ?)", (tagger.identity,))

    def taggers(self) -> list[str]:
        """Identities of all taggers with stored probabilities, the last one used first."""
        last = self._database.execute("SELECT value FROM properties WHERE name = 'last tagger'").fetchone()
        known = [identity for (identity,) in self._database.execute("SELECT identity FROM taggers ORDER BY id DESC")]
        return sorted(known, key=lambda identity: identity != (last[0] if last else None))

    def add(self, identity: str, contents: Sequence[str], rows: np.ndarray) -> None:
        """Store the probabilities (n, tags), 0-1, of pictures by their content hashes; all of them or none."""
        self.put(identity, {content: stored_row(row) for content, row in zip(contents, rows, strict=True)})

    def put(self, identity: str, rows: Mapping[str, StoredRow]) -> None:
        """Store rows as `stored_row` makes them, by the pictures' content hashes; all of them or none."""
        number = self._number(identity)
        with self._database as database:
            database.executemany(
                "INSERT OR REPLACE INTO probabilities VALUES (?, ?, ?, ?)", [(number, content, *row) for content, row in rows.items()]
            )

    def contents(self, identity: str) -> set[str]:
        """Content hashes of the pictures that this tagger was run on."""
        query = "SELECT content FROM probabilities JOIN taggers ON taggers.id = probabilities.tagger WHERE identity = ?"
        return {content for (content,) in self._database.execute(query, (identity,))}

    def tags(self, identity: str, contents: Iterable[str]) -> Iterator[tuple[str, list[TagProbability]]]:
        """Content hash and stored tags, the most probable first, of those `contents` that this tagger was run on."""
        number = self._number(identity)
        names, categories, _ = self._table(number)
        for content in contents:
            row = self._database.execute(
                "SELECT indices, probabilities FROM probabilities WHERE tagger = ? AND content = ?", (number, content)
            ).fetchone()
            if row is None:
                continue
            indices = np.frombuffer(row[0], "<u4").tolist()
            values = (np.frombuffer(row[1], "<u2") / STEPS).tolist()
            tags = [TagProbability(names[index], categories[index], value) for index, value in zip(indices, values, strict=True)]
            yield content, sorted(tags, key=lambda tag: -tag.probability)

    def thresholds(self, identity: str) -> tuple[float, float]:
        """The tagger's own thresholds for general tags and characters."""
        general, character = self._table(self._number(identity))[2]
        return general, character

    def _table(self, number: int) -> tuple[list[str], list[str], tuple[float, float]]:
        """A tagger's tags, their categories, and its thresholds."""
        (table,) = self._database.execute("SELECT tags FROM taggers WHERE id = ?", (number,)).fetchone()
        names, categories, thresholds = json.loads(zlib.decompress(table))
        return names, categories, thresholds

    def _number(self, identity: str) -> int:
        row = self._database.execute("SELECT id FROM taggers WHERE identity = ?", (identity,)).fetchone()
        if row is None:
            raise InputError(
                f"The tagger {identity[:12]} was not run on {self.dataset} yet: run `lorasmith captions tag` first.",
                code="captions.no_probabilities",
            )
        return int(row[0])


def stored_tags(dataset: Path | str, pictures: Mapping[str, Path]) -> dict[str, dict[str, float]]:
    """Name -> tag (with spaces) -> probability, for the pictures that the last used tagger was run on; empty where none was.

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
        stored = store.tags(known[0], contents)
        return {name: {plain_tag(tag.name): tag.probability for tag in tags} for content, tags in stored for name in contents[content]}
