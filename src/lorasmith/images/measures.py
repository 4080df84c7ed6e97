"""What an audit keeps of one picture: numbers and two small prints, never the pixels.

`measure` decodes a file once. The result depends on the file's bytes alone, so that it can be kept by their hash; what it means for a
training (resolution, kind) is judged afterwards, each time. Whatever is wrong with a file ends up in `problem`, never as an exception.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import numpy as np

from lorasmith.dataset_folder import sidecars
from lorasmith.errors import DatasetError
from lorasmith.images import adversarial, lettering, signs
from lorasmith.images.copies import Copy
from lorasmith.images.duplicates import Signature, signature_of_pixels
from lorasmith.images.read import read_with_facts
from lorasmith.images.sheets import views_on_sheet

VERSION = 4
"""Raise it when a measure changes: what was kept before is then measured again."""


@dataclass(frozen=True)
class Measures:
    """One picture in numbers; lengths in pixels, shares 0-1. Where `problem` says something, the rest is 0."""

    content: str
    """SHA-256 of the file's bytes."""
    file_bytes: int
    problem: str = ""
    """Why it cannot be read; names the file as it was called when it was measured."""
    format: str = ""
    size: tuple[int, int] = (0, 0)
    animated: bool = False
    clear: float = 0.0
    quality: float | None = None
    """Of a JPEG, by its tables."""
    blocking: float = 1.0
    edge_width: float = 0.0
    fineness: tuple[float, float] = (0.5, 0.5)
    detail: float = 1.0
    dark: float = 0.0
    bright: float = 255.0
    clipped: float = 0.0
    rest: float = 0.0
    deepest: float = 0.0
    fading: float = 0.0
    rim: float = 0.0
    white: float = 0.0
    thick: float = 0.0
    flat: float = 0.0
    coloured: float = 0.0
    margins: float = 0.0
    bars: float = 0.0
    frame: float = 0.0
    views: int = 1
    noise: float = 0.0
    signature: Signature | None = field(default=None, compare=False)
    corners: np.ndarray | None = field(default=None, compare=False)
    """Fine strokes in the four corners; see `lettering.corner_prints`."""

    def to_row(self) -> bytes:
        """The numbers as JSON, a zero byte, and the prints."""
        numbers = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("signature", "corners")}
        prints = b"" if self.signature is None or self.corners is None else self.signature.to_bytes() + self.corners.tobytes()
        return json.dumps(numbers).encode() + b"\0" + prints

    @classmethod
    def from_row(cls, row: bytes) -> Measures:
        """What `to_row` gave. Raises ValueError or TypeError if it is not that."""
        numbers, _, prints = row.partition(b"\0")
        known = json.loads(numbers)
        known["size"], known["fineness"] = tuple(known["size"]), tuple(known["fineness"])
        if not prints:
            return cls(**known)
        signature = Signature.from_bytes(prints[: -lettering.PRINT_BYTES])
        return cls(**known, signature=signature, corners=lettering.prints_from(prints[-lettering.PRINT_BYTES :]))


def measure(path: Path, content: str, file_bytes: int) -> Measures:
    """All measures of one file; `content` is the hash of its bytes."""
    try:
        reading = read_with_facts(path)
        pixels = np.asarray(reading.picture)
        view = signs.view_of(pixels)
        grey = signs.grey_of(view)
        patches = signs.patches(pixels)
        grey_patches = [signs.grey_of(patch) for patch in patches]
        # 0 where a picture is too thin for a measure
        return Measures(
            content,
            file_bytes,
            format=reading.format,
            size=reading.picture.size,
            animated=reading.animated,
            clear=round(reading.clear, 4),
            quality=signs.jpeg_quality(reading.tables),
            blocking=round(signs.blocking(grey_patches), 3),
            edge_width=signs.edge_width(grey),
            fineness=signs.fineness(grey_patches),
            detail=round(signs.detail_share(grey), 4),
            **{name: round(value, 3) for name, value in asdict(signs.light(view)).items()},
            margins=round(signs.margin_share(view), 4),
            bars=round(signs.bar_share(view), 4),
            frame=round(signs.frame_share(view), 4),
            views=max(1, len(views_on_sheet(view))),
            noise=adversarial.noise_strength(patches),
            signature=signature_of_pixels(view),
            corners=lettering.corner_prints(grey),
        )
    except DatasetError as error:
        return Measures(content, file_bytes, problem=str(error))
    except MemoryError:
        return Measures(content, file_bytes, problem=f"{path} does not fit into memory: scale it down in an editor.")


def copy_of(path: Path, m: Measures, mirrored: bool) -> Copy:
    """A picture as one of several copies."""
    return Copy(
        m.size, 100.0 if m.quality is None else m.quality, m.file_bytes, path.name, fineness=m.fineness, blocking=m.blocking,
        captioned=bool(sidecars(path)), animated=m.animated, mirrored=mirrored,
    )  # fmt: skip
