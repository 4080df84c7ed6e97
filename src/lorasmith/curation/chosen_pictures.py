"""The pictures of a dataset that a command is for, by patterns such as `cat*.png` and `10_anna/*`."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from pathlib import Path

from lorasmith.curation.mend.recipes import Recipe, recipes
from lorasmith.dataset_folder import pictures_below
from lorasmith.errors import DatasetError


def dataset_pictures(root: str | Path, only: Sequence[str] = ()) -> list[Path]:
    """The pictures of a dataset, in its folder and below, that fit one of the patterns; all without any.

    Raises DatasetError where a name cannot be written down.
    """
    found = pictures_below(root)
    for path in found:
        if any("\ud800" <= character <= "\udfff" for character in path.name):
            raise name_not_utf8(path)
    return [path for path in found if fits(path.relative_to(root).as_posix(), only)]


def name_not_utf8(path: Path) -> DatasetError:
    """The error for a picture whose name is not text."""
    return DatasetError(
        f"{str(path)!a} is not a valid UTF-8 name, and cannot be written down: rename it, or import the folder into a dataset.",
        code="dataset.name_not_utf8", file=ascii(str(path)),
    )  # fmt: skip


def chosen_recipes(root: str | Path, only: Sequence[str] = ()) -> list[Recipe]:
    """What was mended, of the pictures whose name before or after fits one of the patterns; all without any."""
    return [recipe for recipe in recipes(root) if any(fits(place, only) for place in recipe.places)]


def fits(place: str, only: Sequence[str]) -> bool:
    """Whether a place in the dataset, or its name alone, fits one of the patterns, or there are none."""
    return not only or any(fnmatch.fnmatchcase(place, one) or fnmatch.fnmatchcase(place.rsplit("/", 1)[-1], one) for one in only)
