"""Which latent a picture needs; known long before it is computed, and without torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lorasmith.datasets.augment import ColourChange
from lorasmith.datasets.buckets import Fit
from lorasmith.images.file_part import FilePart


@dataclass(frozen=True)
class LatentRequest:
    """One picture in its bucket; `content` is the hash of its bytes."""

    path: Path | FilePart
    content: str
    fit: Fit
    mirrored: bool = False
    colour: ColourChange | None = None
