"""What a list shows of picture files: their bytes, content and size. None is opened twice as long as it stays as it is.

files = PictureFiles("cache/pictures")
files.look(["mimi/cat.png", "mimi/dog.jpg"])     # what an import or an audit has seen is not opened at all
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from lorasmith.images.looks import HEADER_SIZES, SIZES, look_at, size_of_row
from lorasmith.images.picture_cache import CONTENT, PictureCache, content_in_row, key_of, state_of


class PictureFile(NamedTuple):
    """What is known of a picture's file."""

    bytes: int
    content: str
    """SHA-256 of its bytes; "" where they cannot be read."""
    size: tuple[int, int] | None
    """Width and height, upright, in pixels; None where it is not a picture."""


class PictureFiles:
    """Files that were looked at; any number of threads may use it."""

    def __init__(self, cache: str | Path):
        """`cache` is a folder that keeps what is seen of pictures."""
        self.cache = Path(cache)
        self._known: dict[str, tuple[str, PictureFile]] = {}
        """Path -> the state that the file was in, and what it was then."""
        self._places: dict[str, str] = {}
        """Content -> a file with it."""

    def look(self, paths: Sequence[str]) -> list[PictureFile]:
        """What each file is now. Raises FileNotFoundError where one is gone."""
        facts = {path: os.stat(path) for path in paths}
        states = {path: state_of(found) for path, found in facts.items()}
        new = {path: state for path, state in states.items() if path not in self._known or self._known[path][0] != state}
        if new:
            with PictureCache(self.cache) as cache:
                kept = _kept(new, cache)
                for path, state in new.items():
                    content, size = kept.get(path) or _seen(path, cache)
                    self._known[path] = state, PictureFile(facts[path].st_size, content, size)
                    self._places[content] = path
        return [self._known[path][1] for path in paths]

    def with_content(self, content: str) -> Path | None:
        """A file that has this content, of those that were looked at."""
        path = self._places.get(content)
        try:
            same = path is not None and self._known[path][0] == state_of(os.stat(path))
        except FileNotFoundError:
            return None
        return Path(path) if path is not None and same else None


def _kept(states: Mapping[str, str], cache: PictureCache) -> dict[str, tuple[str, tuple[int, int]]]:
    """Content and size of the files of which both are kept."""
    rows = cache.get_many(CONTENT, [key_of(path) for path in states])
    contents = {path: content for path, state in states.items() if (content := content_in_row(rows.get(key_of(path)), state))}
    sizes: dict[str, bytes] = {}
    for look in (SIZES, HEADER_SIZES):
        sizes |= cache.get_many(look.kind, [content for content in contents.values() if content not in sizes])
    return {path: (content, size_of_row(sizes[content])) for path, content in contents.items() if content in sizes}


def _seen(path: str, cache: PictureCache) -> tuple[str, tuple[int, int] | None]:
    """Content and size of a file, by opening it."""
    seen = look_at(Path(path), HEADER_SIZES, cache)
    return seen.content, seen.value
