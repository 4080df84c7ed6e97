"""What mending keeps in `.lorasmith`: the originals by their hash, and the bin for pictures and captions that were taken out."""

from __future__ import annotations

import os
from pathlib import Path

from lorasmith.atomic import write_atomically
from lorasmith.curation.mend.recipes import Recipe
from lorasmith.dataset_folder import BIN, ORIGINALS, WRITTEN_ASIDE
from lorasmith.images.read import content_hash


def original_of(root: Path, recipe: Recipe) -> Path:
    """The file that keeps the bytes of the picture as it came."""
    content = recipe.original.content
    return root / ORIGINALS / content[:2] / content


def keep_original(root: Path, recipe: Recipe) -> None:
    kept = original_of(root, recipe)
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(kept, (root / recipe.original.path).read_bytes())


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
