"""Small pictures for pages, kept under the hash of what they were made of: never stale, shared by projects, safe to delete.

    thumbs/ab/ab12...-256.webp

10,000 JPEGs of 1024 pixels take 55 s of one core and 89 MB: WebP, quality 78, method 2, each JPEG decoded no larger than is needed.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from lorasmith.atomic import write_atomically
from lorasmith.cache_folder import make_cache_folder
from lorasmith.errors import DatasetError
from lorasmith.images.looks import HEADER_SIZES, SAVED_AFTER, look_at
from lorasmith.images.picture_cache import PictureCache, content_row, file_state, settled_state
from lorasmith.images.read import content_hash, read_small
from lorasmith.progress import Progress

SIDES = (256, 1024)
"""Pixels of the longer side: on a tile, in a viewer."""

QUALITY, METHOD = 78, 2
"""Of WebP. Method 4 takes half as long again, and the files are no smaller to speak of."""


class Thumbnails:
    """The kept thumbnails in a folder; any number of threads and processes may use it."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)

    def kept(self, content: str, side: int) -> bytes | None:
        """The thumbnail of a content, as WebP, where there is one."""
        try:
            return self.place(content, side).read_bytes()
        except FileNotFoundError:
            return None

    def make(self, picture: Path, content: str, side: int) -> bytes:
        """Make and keep the thumbnail of a picture, which has this content. Raises DatasetError where it cannot be read."""
        written = io.BytesIO()
        read_small(picture, side).save(written, "WEBP", quality=QUALITY, method=METHOD)
        make_cache_folder(self.folder)
        place = self.place(content, side)
        place.parent.mkdir(exist_ok=True)
        write_atomically(place, written.getvalue())
        return written.getvalue()

    def has(self, content: str, side: int) -> bool:
        """Whether the thumbnail of a content is kept."""
        return self.place(content, side).is_file()

    def place(self, content: str, side: int) -> Path:
        """Where the thumbnail of a content is kept."""
        return self.folder / content[:2] / f"{content}-{side}.webp"


def make_thumbnails(pictures: Sequence[Path], thumbnails: Thumbnails, cache: PictureCache, workers: int, progress: Progress) -> None:
    """Make the thumbnails for tiles that are not kept yet, and keep the pictures' sizes, so that showing them opens no picture.

    A picture that cannot be read is passed over. `progress` may raise: what was made is kept.
    """

    def prepare(picture: Path) -> None:
        seen = look_at(picture, HEADER_SIZES, cache)
        if seen.value is not None and not thumbnails.has(seen.content, SIDES[0]):
            with suppress(DatasetError):  # damaged behind its header, as an audit says
                thumbnails.make(picture, seen.content, SIDES[0])

    with ThreadPoolExecutor(workers) as pool:
        try:
            for done, _ in enumerate(pool.map(prepare, pictures), 1):
                progress(done, len(pictures))
                if done % SAVED_AFTER == 0:
                    cache.save()
        finally:
            pool.shutdown(cancel_futures=True)
            cache.save()


def content_of(picture: Path, cache: PictureCache) -> str:
    """The hash of a picture's bytes, read again only where the file has changed. Raises DatasetError where it cannot be opened."""
    known = cache.content_of(picture, file_state(picture))
    if known is not None:
        return known
    before = settled_state(picture)
    content = content_hash(picture)
    if before is not None and file_state(picture) == before:
        cache.put([content_row(picture, before, content)])
    return content
