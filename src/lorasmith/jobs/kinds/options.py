"""Arguments that several kinds of jobs share."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from lorasmith.images.picture_cache import PICTURES

CACHE: Path = Field(Path("cache"), description="Folder that keeps what was seen of pictures; safe to delete.")


def cache_of_pictures(cache: Path) -> Path:
    """Where it keeps what was seen of pictures."""
    return cache / PICTURES
