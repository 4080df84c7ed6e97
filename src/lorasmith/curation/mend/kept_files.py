"""What mending keeps in `.lorasmith`: the originals and their masks by their hash, and the bin for pictures and captions that were taken out."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from lorasmith.atomic import write_all_atomically, write_atomically
from lorasmith.curation.mend.recipes import Recipe, Version
from lorasmith.dataset_folder import BIN, ORIGINALS, WRITTEN_ASIDE, mask_beside
from lorasmith.images.read import content_hash


def kept_at(root: Path, content: str) -> Path:
    """Where the bytes of a picture, or of its mask, are kept as they came."""
    return root / ORIGINALS / content[:2] / content


def keep_originals(root: Path, recipes: Iterable[Recipe]) -> None:
    """Keep the pictures as they came, and their masks."""
    wanted = {kept_at(root, file.content): root / file.path for recipe in recipes for file in recipe.original.files}
    missing = {kept: path for kept, path in wanted.items() if not kept.exists()}
    for folder in {kept.parent for kept in missing}:
        folder.mkdir(parents=True, exist_ok=True)
    write_all_atomically([(kept, path.read_bytes) for kept, path in missing.items()])


def version_at(root: Path, place: str) -> Version:
    """A picture as it is now, with the mask beside it."""
    mask = mask_beside(root / place)
    return Version(path=place, content=content_hash(root / place), mask=content_hash(mask) if mask.is_file() else None)


def bin_of(root: Path, recipe: Recipe) -> Path:
    """The folder for what the recipe takes out of the dataset."""
    return root / BIN / recipe.id


def move_to(folder: Path, path: Path) -> None:
    """Move a file into the bin's folder, under a name that is free there."""
    folder.mkdir(parents=True, exist_ok=True)
    goal, number = folder / path.name, 2
    while goal.exists():
        goal, number = folder / f"{path.stem} ({number}){path.suffix}", number + 1
    os.replace(path, goal)


def write_whole(root: Path, path: Path, data: bytes) -> None:
    """Write a file of the dataset, whole or not at all; what a kill leaves half-written is in `.lorasmith`."""
    aside = root / WRITTEN_ASIDE
    write_atomically(aside, data)
    os.replace(aside, path)


def has_content(path: Path, content: str) -> bool:
    """Whether there is a file with bytes of this hash."""
    return path.is_file() and content_hash(path) == content
