"""Recipes: how each mended picture was made, a JSON file each in `.lorasmith/mends`."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from itertools import takewhile
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from lorasmith.atomic import write_all_atomically
from lorasmith.curation.mend.steps import Cut, Remove, Step, in_words
from lorasmith.dataset_folder import RECIPES, mask_beside
from lorasmith.errors import DatasetError


class Version(BaseModel):
    """A picture file: its place in the dataset (with `/`) and the hash of its bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    path: str
    content: str
    mask: str | None = None
    """The hash of the mask beside it; None where it has none."""

    @property
    def files(self) -> tuple[Version, ...]:
        """The picture alone and, where it has one, its mask as a file of its own."""
        picture = Version(path=self.path, content=self.content)
        if self.mask is None:
            return (picture,)
        return picture, Version(path=mask_beside(Path(self.path)).as_posix(), content=self.mask)


class Recipe(BaseModel):
    """How one picture was mended."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    version: Literal[1] = 1
    id: str
    original: Version
    upon: str | None = None
    """The recipe whose result is the original here: of a view cut from a sheet, or of a picture changed by hand in between."""
    steps: tuple[Step, ...] = ()
    undone: tuple[Step, ...] = ()
    """Steps that were taken back and could be taken again, after `steps` and in this order."""
    results: tuple[Version, ...] = ()
    stale: tuple[Version, ...] = ()
    """Pictures and masks of before, which go once the new ones are there."""
    lent: tuple[Version, ...] = ()
    """Captions that another picture has got from this one."""
    done: bool = False
    """Whether the dataset shows the results."""

    @property
    def closed(self) -> bool:
        """Whether further steps begin a new recipe, because this one has not exactly one result."""
        return bool(self.steps) and isinstance(self.steps[-1], Cut | Remove)

    def done_at(self, at: float) -> tuple[Step, ...]:
        """The last steps, where they were taken at this time."""
        return tuple(takewhile(lambda step: step.at == at, reversed(self.steps)))[::-1]

    def undone_at(self, at: float) -> tuple[Step, ...]:
        """The steps that come next, where they were taken at this time and taken back since."""
        return tuple(takewhile(lambda step: step.at == at, self.undone))

    @property
    def places(self) -> tuple[str, ...]:
        """Where the original was, and where the results are."""
        return (self.original.path, *(result.path for result in self.results))

    @property
    def words(self) -> str:
        """What was done, in one sentence."""
        return f"{self.original.path}: {in_words(self.steps) or 'as it came'}"


_RECIPE: TypeAdapter[Recipe] = TypeAdapter(Recipe)


def recipes(root: str | Path) -> list[Recipe]:
    """The recipes of a dataset's mended pictures, by the original's name. Raises DatasetError where one cannot be read."""
    return [recipe for recipe in kept_recipes(root) if recipe.steps or not recipe.done]


def kept_recipes(root: str | Path) -> list[Recipe]:
    """The same with those of pictures that are as they came, because all steps were taken back."""
    try:
        with os.scandir(Path(root) / RECIPES) as entries:
            files = [(entry.path, entry.stat()) for entry in entries if entry.name.endswith(".json")]
    except FileNotFoundError:
        return []
    found = [_read(path, (state.st_ino, state.st_size, state.st_mtime_ns)) for path, state in files]
    return sorted(found, key=lambda recipe: (recipe.original.path, recipe.id))


@lru_cache(maxsize=16_384)
def _read(path: str, state: tuple[int, int, int]) -> Recipe:
    """The recipe in a file, read once in each state: each is written as a new file."""
    try:
        return _RECIPE.validate_json(Path(path).read_bytes())
    except ValidationError as error:
        raise DatasetError(
            f"{path} is not a recipe of this version: put it back as it was, or move it elsewhere to forget that mend.",
            code="mend.recipe_damaged", file=path,
        ) from error  # fmt: skip


class KnownRecipes:
    """All recipes of a dataset, read once, while some of them go."""

    def __init__(self, all_of_them: Sequence[Recipe]):
        self.all = all_of_them
        self.by_id = {recipe.id: recipe for recipe in all_of_them}
        self.kept = Counter(file.content for recipe in all_of_them for file in recipe.original.files)
        """Content of an original picture or mask -> how many recipes have it."""
        self._upon: dict[str, list[str]] = {}
        for recipe in all_of_them:
            if recipe.upon is not None:
                self._upon.setdefault(recipe.upon, []).append(recipe.id)

    def upon(self, recipe_id: str) -> list[Recipe]:
        """Those whose original is a result of this one."""
        return [self.by_id[one] for one in self._upon.get(recipe_id, ()) if one in self.by_id]

    def remove(self, recipe: Recipe) -> None:
        """The picture is as it came."""
        del self.by_id[recipe.id]
        self.kept.subtract(file.content for file in recipe.original.files)


def recipe_file(root: Path, recipe_id: str) -> Path:
    return root / RECIPES / f"{recipe_id}.json"


def save_recipes(root: Path, recipes: Sequence[Recipe]) -> None:
    """Write them, in no order."""
    (root / RECIPES).mkdir(parents=True, exist_ok=True)
    write_all_atomically([(recipe_file(root, recipe.id), partial(_json, recipe)) for recipe in recipes])


def save_recipe(root: Path, recipe: Recipe) -> None:
    """Write one."""
    save_recipes(root, [recipe])


def _json(recipe: Recipe) -> bytes:
    return (recipe.model_dump_json(indent=2) + "\n").encode()


def new_recipe(root: Path, original: Version, upon: str | None) -> Recipe:
    """A recipe without steps, under an id that no other has."""
    number = 0
    while True:
        name = hashlib.sha256(f"{original.content} {original.path} {number}".encode()).hexdigest()[:16]
        if not recipe_file(root, name).exists():
            return Recipe(id=name, original=original, upon=upon, results=(original,))
        number += 1


def recipes_by_result(root: Path) -> dict[str, Recipe]:
    """Place of a picture -> the last recipe that it came out of."""
    return _by_result(recipes(root))


def _by_result(all_of_them: Sequence[Recipe]) -> dict[str, Recipe]:
    built_upon = {(recipe.upon, recipe.original.path) for recipe in all_of_them}
    return {result.path: recipe for recipe in all_of_them for result in recipe.results if (recipe.id, result.path) not in built_upon}


def recipes_to(root: Path, place: str) -> list[Recipe]:
    """The recipes that made the picture at this place, the first one first."""
    all_of_them = recipes(root)
    by_name = {recipe.id: recipe for recipe in all_of_them}
    recipe = _by_result(all_of_them).get(place)
    found: list[Recipe] = []
    while recipe is not None:
        found.insert(0, recipe)
        recipe = by_name.get(recipe.upon or "")
    return found


def origins(root: Path) -> dict[str, str]:
    """Place of each mended picture -> the hash of what it was made of in the beginning: of a view, of the sheet."""
    by_name = {recipe.id: recipe for recipe in recipes(root)}
    found = {}
    for place, recipe in recipes_by_result(root).items():
        while recipe.upon in by_name:
            recipe = by_name[recipe.upon]
        found[place] = recipe.original.content
    return found


def follow_moves(root: Path, after: Callable[[str], str]) -> None:
    """Let the recipes know the new places of files that were moved; `after` gives the place of each."""

    def moved(version: Version) -> Version:
        return version.model_copy(update={"path": after(version.path)})

    for recipe in recipes(root):
        changed = recipe.model_copy(
            update={
                "original": moved(recipe.original),
                "results": tuple(map(moved, recipe.results)),
                "stale": tuple(map(moved, recipe.stale)),
                "lent": tuple(map(moved, recipe.lent)),
            }
        )
        if changed != recipe:
            save_recipe(root, changed)
