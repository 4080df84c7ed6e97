"""Measure the pictures of a dataset, each of them once for all audits, mends and hold-outs."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2

from lorasmith.images.duplicates import Group
from lorasmith.images.kept_search import near_duplicates
from lorasmith.images.looks import Look, look_at_all, recalled, size_row
from lorasmith.images.measures import VERSION, Measures, measure
from lorasmith.images.picture_cache import PictureCache

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Picture:
    """A picture file with what was measured."""

    name: str
    """Its path below the dataset, with `/`."""
    path: Path
    measures: Measures


def measure_all(root: Path, paths: Sequence[Path], cache: PictureCache, workers: int) -> Iterator[tuple[Picture, bool]]:
    """Each picture below `root` in order with its measures, and whether they were in the cache."""
    with _one_thread_a_call():
        for seen in look_at_all(paths, MEASURES, cache, workers):
            measures = seen.value or Measures("", 0, problem=seen.problem)
            yield Picture(seen.path.relative_to(root).as_posix(), seen.path, measures), seen.was_known


def measure_within(root: Path, paths: Sequence[Path], cache: PictureCache, workers: int, seconds: float) -> list[Picture]:
    """The pictures whose measures are in the cache, and as many others as can be measured in this time; all in the order of `paths`."""
    deadline = time.monotonic() + seconds
    known = {path: seen.value for path in paths if (seen := recalled(path, MEASURES, cache)) is not None}
    found = {path: Picture(path.relative_to(root).as_posix(), path, measures) for path, measures in known.items() if measures is not None}
    for picture, _ in measure_all(root, [path for path in paths if path not in found], cache, workers):
        found[picture.path] = picture
        if time.monotonic() > deadline:
            break
    return [found[path] for path in paths if path in found]


def _measured(path: Path, content: str) -> Measures:
    try:
        return measure(path, content, path.stat().st_size)
    except OSError:
        raise
    except Exception as error:  # a fault of ours, and still no reason to lose what the other pictures say
        log.exception("measuring %s", path)
        return Measures("", 0, problem=f"{path} could not be measured ({type(error).__name__}): please report it with the picture.")


def _rows(measures: Measures) -> dict[str, bytes]:
    """A picture that was measured was decoded whole, too. A problem is not kept, as it may be corrected from outside."""
    return {} if measures.problem else {MEASURES.kind: measures.to_row(), **size_row(measures.size)}


MEASURES: Look[Measures] = Look(f"measures {VERSION}", _measured, _rows, Measures.from_row)
"""All that an audit asks of a picture."""


def copies_among(pictures: Sequence[Picture], cache: PictureCache, place: Path) -> list[Group]:
    """The near duplicates among pictures that could be read, by what was compared before; `place` is the folder that they are in."""
    signatures = [picture.measures.signature for picture in pictures if picture.measures.signature is not None]
    return near_duplicates([picture.measures.content for picture in pictures], signatures, cache, place)


@contextmanager
def _one_thread_a_call() -> Iterator[None]:
    """OpenCV works in the calling thread meanwhile: the pool is the parallelism."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
