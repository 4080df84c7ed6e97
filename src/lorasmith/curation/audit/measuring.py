"""Measure many pictures: in a pool of threads, a few at a time in memory, each of them once for all audits.

Decoding and filtering run outside Python's lock. What was measured is kept by content (`measure_cache`).
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2

from lorasmith.curation.audit.measure_cache import MeasureCache, file_state
from lorasmith.errors import DatasetError
from lorasmith.images.measures import Measures, measure
from lorasmith.images.read import content_hash

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Picture:
    """A picture file with what was measured."""

    name: str
    """Its path below the dataset, with `/`."""
    path: Path
    measures: Measures


@dataclass(frozen=True)
class _Waiting:
    """A file whose measures were asked for: they are known, or come later."""

    path: Path
    state: str
    known: Measures | None
    future: Future[Measures | str] | None


def measure_all(root: Path, paths: Sequence[Path], cache: MeasureCache | None, workers: int) -> Iterator[tuple[Picture, bool]]:
    """Each picture in order with its measures, and whether they were in the cache."""
    in_cache = cache.known() if cache else set()
    waiting: deque[_Waiting] = deque()
    with _one_thread_a_call(), ThreadPoolExecutor(workers) as pool:
        try:
            for number, path in enumerate(paths):
                state, known = _known(path, cache)
                future = None if known else pool.submit(_hash_and_measure, path, in_cache)
                waiting.append(_Waiting(path, state, known, future))
                while waiting and (len(waiting) > 4 * workers or waiting[0].known is not None):
                    yield _finished(root, waiting.popleft(), cache)
                if cache and number % 200 == 199:
                    cache.save()
            while waiting:
                yield _finished(root, waiting.popleft(), cache)
        finally:
            for one in waiting:
                if one.future:
                    one.future.cancel()


def _known(path: Path, cache: MeasureCache | None) -> tuple[str, Measures | None]:
    """The state of a file, and its measures if the cache has them for that state."""
    if cache is None:
        return "", None
    try:
        state = file_state(path)
    except OSError:  # measuring says what is wrong with it
        return "", None
    content = cache.content_of(path, state)
    return state, cache.measures_of(content) if content else None


def _hash_and_measure(path: Path, known: set[str]) -> Measures | str:
    """The measures of a file, or the hash of its bytes if those are known."""
    try:
        content = content_hash(path)
        return content if content in known else measure(path, content, path.stat().st_size)
    except DatasetError as error:
        return Measures("", 0, problem=str(error))
    except OSError as error:
        return Measures("", 0, problem=f"{path} cannot be read ({error.strerror}): check the disk that it is on.")
    except Exception as error:  # a fault of ours, and still no reason to lose what the other pictures say
        log.exception("measuring %s", path)
        return Measures("", 0, problem=f"{path} could not be measured ({type(error).__name__}): please report it with the picture.")


def _finished(root: Path, one: _Waiting, cache: MeasureCache | None) -> tuple[Picture, bool]:
    name = one.path.relative_to(root).as_posix()
    if one.known is not None:
        return Picture(name, one.path, one.known), True
    assert one.future is not None
    result = one.future.result()
    was_known = isinstance(result, str)
    if isinstance(result, str):
        assert cache is not None
        result = cache.measures_of(result) or measure(one.path, result, one.path.stat().st_size)
    if cache:
        cache.put(one.path, one.state, result)
    return Picture(name, one.path, result), was_known


@contextmanager
def _one_thread_a_call() -> Iterator[None]:
    """OpenCV works in the calling thread meanwhile: the pool is the parallelism."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
