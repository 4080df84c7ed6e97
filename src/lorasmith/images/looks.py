"""Look at many pictures: in a pool of threads, a few at a time in memory, and at each content once for all commands.

What a look is for is said by a `Look`: `SIZES` decodes a picture whole and keeps its size, the audit's keeps all that it measures. What
was seen is kept by content (`picture_cache`). Decoding and filtering run outside Python's lock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from lorasmith.errors import DatasetError
from lorasmith.images.picture_cache import PictureCache, Row, content_row, file_state, settled_state
from lorasmith.images.read import content_hash, picture_size, read_picture

T = TypeVar("T")

SAVED_AFTER = 200
"""Pictures after which what was seen is written, so that a kill loses little."""


@dataclass(frozen=True)
class Look(Generic[T]):
    """One thing to learn about pictures."""

    kind: str
    """The kind of row that it is kept in, with its version."""
    learn: Callable[[Path, str], T]
    """Of a file and its content. May raise DatasetError or OSError, which is kept by nobody: it may be corrected from outside."""
    kept: Callable[[T], Mapping[str, bytes]]
    """What is kept of it: value by kind, also of other looks; nothing where that would be wrong another time."""
    recalled: Callable[[bytes], T]
    """What was kept as `kind`. Raises ValueError or TypeError where it is not that."""

    def known_of(self, content: str, cache: PictureCache) -> T | None:
        """What is known of a content."""
        value = cache.get(self.kind, content)
        try:
            return None if value is None else self.recalled(value)
        except (ValueError, TypeError):
            return None


@dataclass(frozen=True)
class Seen(Generic[T]):
    """What a look at a file gave."""

    path: Path
    content: str = ""
    """SHA-256 of its bytes; "" where they cannot be read."""
    value: T | None = None
    problem: str = ""
    """Why there is no value."""
    was_known: bool = False


def look_at_all(paths: Iterable[Path], look: Look[T], cache: PictureCache, workers: int) -> Iterator[Seen[T]]:
    """What a look at each picture gives, in order."""
    waiting: deque[Seen[T] | Future[Seen[T]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for number, path in enumerate(paths, 1):
                waiting.append(recalled(path, look, cache) or pool.submit(_look_at_new, path, look, cache))
                while waiting and (len(waiting) > 4 * workers or isinstance(waiting[0], Seen)):
                    yield _seen(waiting.popleft())
                if number % SAVED_AFTER == 0:
                    cache.save()
            while waiting:
                yield _seen(waiting.popleft())
        finally:
            for one in waiting:
                if isinstance(one, Future):
                    one.cancel()
            cache.save()


def look_at(path: Path, look: Look[T], cache: PictureCache) -> Seen[T]:
    """What a look at one picture gives."""
    return recalled(path, look, cache) or _look_at_new(path, look, cache)


def _look_at_new(path: Path, look: Look[T], cache: PictureCache) -> Seen[T]:
    """What a look at a file gives whose state is not known: by its content, or by looking."""
    seen, rows = look_freshly(path, look, lambda content: look.known_of(content, cache))
    cache.put(rows)
    return seen


def look_freshly(path: Path, look: Look[T], known: Callable[[str], T | None] = lambda content: None) -> tuple[Seen[T], list[Row]]:
    """What a look at a file gives, and the rows to keep of it; `known` says what is known of a content."""
    content = ""
    try:
        before = settled_state(path)
        content = content_hash(path)
        value = known(content)
        was_known = value is not None
        if value is None:
            value = look.learn(path, content)
        rows: list[Row] = []
        if before is not None and file_state(path) == before:
            kept = () if was_known else look.kept(value).items()
            rows = [content_row(path, before, content), *((kind, content, row) for kind, row in kept)]
        return Seen(path, content, value, was_known=was_known), rows
    except DatasetError as error:
        return Seen(path, content, problem=str(error)), []
    except OSError as error:
        return Seen(path, content, problem=f"{path} cannot be read ({error.strerror}): check the disk that it is on."), []


def recalled(path: Path, look: Look[T], cache: PictureCache) -> Seen[T] | None:
    """What is known of a file that is as it was; None where it has not been looked at, or has changed since."""
    try:
        content = cache.content_of(path, file_state(path))
    except OSError:  # looking says what is wrong with it
        return None
    value = None if content is None else look.known_of(content, cache)
    return None if content is None or value is None else Seen(path, content, value, was_known=True)


def _seen(one: Seen[T] | Future[Seen[T]]) -> Seen[T]:
    return one if isinstance(one, Seen) else one.result()


# The size of a picture


def size_row(size: tuple[int, int]) -> dict[str, bytes]:
    """The row of a picture that was decoded whole: its width and height, upright, in pixels."""
    return {SIZES.kind: f"{size[0]} {size[1]}".encode()}


def size_of_row(value: bytes) -> tuple[int, int]:
    width, height = map(int, value.split())
    return width, height


SIZES: Look[tuple[int, int]] = Look("size 1", lambda path, content: read_picture(path).size, size_row, size_of_row)
"""Width and height, upright, in pixels, of a picture that can be decoded whole."""

HEADER_SIZES: Look[tuple[int, int]] = Look(
    "header size 1",
    lambda path, content: picture_size(path),
    lambda size: {HEADER_SIZES.kind: f"{size[0]} {size[1]}".encode()},
    size_of_row,
)
"""The same by the header alone, of a picture that may be damaged behind it: for lists."""
