"""The measures of pictures, taken on the nodes of a Ray cluster; an audit that follows finds them in its cache, and opens no picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from lorasmith.curation.measuring import MEASURES
from lorasmith.images.looks import SAVED_AFTER, look_freshly, recalled
from lorasmith.images.picture_cache import PictureCache, Row
from lorasmith.jobs.cluster.ray_map import map_on_ray
from lorasmith.progress import Cancelled, Progress


def measure_on_ray(
    paths: Sequence[Path], cache: Path, address: str, progress: Progress | None = None, cancelled: Cancelled | None = None
) -> int:
    """Measure the pictures that were not measured before, and keep that in the cache's folder; gives how many were measured.

    The pictures are on storage that all nodes see under the same paths; the cache is written by this process alone, as measures come. A
    picture that cannot be read is left to the audit, which says so.

    Raises InputError where there is no such cluster.
    """
    measured = 0
    with PictureCache(cache) as kept:
        missing = [path for path in paths if recalled(path, MEASURES, kept) is None]
        known = len(paths) - len(missing)
        for rows in map_on_ray(_measurer, missing, address):
            kept.put(rows)
            measured += 1
            if measured % SAVED_AFTER == 0:
                kept.save()
            if progress:
                progress(known + measured, len(paths))
            if cancelled and cancelled():
                break
    return measured


def _measurer() -> Callable[[Path], list[Row]]:
    """In a worker: the function that measures a picture, and gives what is kept of it."""
    import cv2

    cv2.setNumThreads(1)
    return lambda path: look_freshly(path, MEASURES)[1]
