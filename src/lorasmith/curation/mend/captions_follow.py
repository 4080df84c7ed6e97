"""Captions follow their picture: where it becomes several, each gets a copy; undoing brings the first one back."""

from __future__ import annotations

import os
from pathlib import Path

from lorasmith.curation.mend.kept_files import bin_of, has_content, move_to, write_whole
from lorasmith.curation.mend.recipes import Recipe
from lorasmith.dataset_folder import caption_names, sidecars


def let_captions_follow(root: Path, recipe: Recipe) -> None:
    """Put the captions where the recipe's results need them. Can be interrupted anywhere and done again."""
    stem = os.path.splitext(recipe.original.path)[0]
    in_place = [os.path.splitext(result.path)[0] for result in recipe.results] == [stem]
    if in_place:
        _bring_back(root, recipe)
        _name_by_stem(root, recipe)
    else:
        _put_aside(root, recipe)


def _put_aside(root: Path, recipe: Recipe) -> None:
    """The original's captions go to the bin, and each of several results gets a copy."""
    aside = bin_of(root, recipe)
    for caption in sidecars(root / recipe.original.path):
        move_to(aside, caption)
    for kept in _kept(aside, recipe):
        copies = [(root / result.path).with_suffix(kept.suffix) for result in recipe.results]
        for copy in (*copies, *(root / lent.path for lent in recipe.lent if lent.path.endswith(kept.suffix))):
            if not copy.exists():
                write_whole(root, copy, kept.read_bytes())


def _kept(aside: Path, recipe: Recipe) -> list[Path]:
    """The original's captions in the bin."""
    return [kept for name in caption_names(Path(recipe.original.path).name) if (kept := aside / name).is_file()]


def _name_by_stem(root: Path, recipe: Recipe) -> None:
    """`cat.png.txt` becomes `cat.txt` where `cat.png` became another kind of file, whose caption it would not be by its name."""
    original = root / recipe.original.path
    for caption in sidecars(original):
        by_stem = original.with_suffix(caption.suffix)
        if caption.stem == original.name != Path(recipe.results[0].path).name and not by_stem.exists():
            os.replace(caption, by_stem)


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
            if any(kept.suffix == copy.suffix and kept.read_bytes() == copy.read_bytes() for kept in _kept(aside, recipe)):
                copy.unlink()
            else:
                move_to(aside, copy)
    for kept in _kept(aside, recipe):
        home = (root / recipe.original.path).with_name(kept.name)
        if not home.exists():
            os.replace(kept, home)
