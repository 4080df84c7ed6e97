"""What a LoRA file records of the pictures and the base that it was trained with: hashes by which they can be found again, and no names.

    {"order": 2, "base": {"unet": "...", ...}, "datasets": [[["<picture>", "<caption>", 10], ...], ...], "versions": {"torch": "2.9.0", ...}}

Pictures are in the order in which they were trained on, since every draw depends on it. Hashes are cut short: 32 digits tell pictures
apart, 16 what is said about them. The caption's is taken with the picture's whole hash, so that nobody without the picture can guess it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

from lorasmith.datasets.masks import masks_content
from lorasmith.datasets.order import ORDER
from lorasmith.datasets.training_set import TrainingPicture, TrainingSet

KEY = "lorasmith_inputs"
"""The metadata entry."""
PACKAGES = ("lorasmith", "torch", "diffusers", "transformers", "safetensors", "numpy", "pillow")
Continued = Sequence[tuple[int, Sequence[str]]]
"""The steps after which a run went on with other settings, and these changes in words."""
PICTURE_DIGITS, CAPTION_DIGITS = 32, 16


@dataclass(frozen=True)
class RecordedPicture:
    """A picture as a file records it."""

    content: str
    """The first digits of its bytes' sha256."""
    said: str
    """The same of its caption and its mask."""
    repeats: int


def versions() -> dict[str, str]:
    """Package -> version, of those that a training's numbers depend on."""
    return {name: _version(name) for name in PACKAGES}


@cache
def _version(package: str) -> str:
    """The version that is installed; a package's metadata is parsed once, not for each checkpoint."""
    return version(package)


def recorded_pictures(training_set: TrainingSet) -> list[list[RecordedPicture]]:
    """The pictures of each dataset, in order; of a manifest or shards one entry for all of them, with the hash of their index."""
    datasets = [item.dataset for item in training_set.listed] + [rows.number for rows in training_set.rows]
    found: list[list[RecordedPicture]] = [[] for _ in range(1 + max(datasets, default=-1))]
    for item in training_set.listed:
        found[item.dataset].append(_recorded(item))
    for rows in training_set.rows:
        found[rows.number].append(RecordedPicture(rows.row_index.digest[:PICTURE_DIGITS], rows.row_index.digest[-CAPTION_DIGITS:], 1))
    return found


def _recorded(item: TrainingPicture) -> RecordedPicture:
    picture = item.picture
    said = f"{picture.content} {picture.caption!r} {masks_content(item.masks)}"
    return RecordedPicture(picture.content[:PICTURE_DIGITS], hashlib.sha256(said.encode()).hexdigest()[:CAPTION_DIGITS], item.repeats)


def inputs_entry(training_set: TrainingSet, base: Mapping[str, str], continued: Continued = ()) -> dict[str, Any]:
    """What is written; `base` has the hashes of the base's parts."""
    rows = [[[each.content, each.said, each.repeats] for each in pictures] for pictures in recorded_pictures(training_set)]
    return {"order": ORDER, "base": dict(base), "datasets": rows, "versions": versions(), **({"continued": continued} if continued else {})}
