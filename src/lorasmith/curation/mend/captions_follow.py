"""Captions follow their picture: where it becomes several, each gets a copy; undoing brings the first one back."""

from __future__ import annotations

import os
from pathlib import Path

from lorasmith.curation.mend.kept_files import bin_of, has_content, move_to, write_whole
from lorasmith.curation.mend.recipes import Recipe
from lorasmith.dataset_folder import CAPTION_SUFFIXES, sidecars


def let_captions_follow(root: Path, recipe: Recipe) -> None:
    """Put the captions where the recipe's results need them. Can be interrupted anywhere and done again."""
    stem = os.path.splitext(recipe.original.path)[0]
    in_place = [os.path.splitext(result.path)[0] for result in recipe.results] == [stem]
    if in_place:
        _bring_back(root, recipe)
    else:
        _put_aside(root, recipe)


def _put_aside(root: Path, recipe: Recipe) -> None:
    """The original's captions go to the bin, and each of several results gets a copy."""
    aside = bin_of(root, recipe)
    for caption in sidecars(root / recipe.original.path):
        move_to(aside, caption)
    for suffix in CAPTION_SUFFIXES:
        kept = aside / (Path(recipe.original.path).stem + suffix)
        for result in recipe.results:
            copy = (root / result.path).with_name(Path(result.path).stem + suffix)
            if kept.is_file() and not copy.exists():
                write_whole(root, copy, kept.read_bytes())
        for copy in (root / lent.path for lent in recipe.lent if lent.path.endswith(suffix)):
            if kept.is_file() and not copy.exists():
                write_whole(root, copy, kept.read_bytes())


def _bring_back(root: Path, recipe: Recipe) -> None:
    """The original's captions come back from the bin; copies that nobody changed go, changed ones go to the bin."""
    aside = bin_of(root, recipe)
    for lent in recipe.lent:
        if has_content(root / lent.path, lent.content):
            (root / lent.path).unlink()
    for version in recipe.stale:
        if os.path.splitext(version.path)[0] == os.path.splitext(recipe.original.path)[0]:
            continue
        for copy in sidecars(root / version.path):
            kept = aside / (Path(recipe.original.path).stem + copy.suffix)
            if kept.is_file() and kept.read_bytes() == copy.read_bytes():
                copy.unlink()
            else:
                move_to(aside, copy)
    for suffix in CAPTION_SUFFIXES:
        kept = aside / (Path(recipe.original.path).stem + suffix)
        home = (root / recipe.original.path).with_name(kept.name)
        if kept.is_file() and not home.exists():
            os.replace(kept, home)
