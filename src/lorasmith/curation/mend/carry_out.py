"""Make a dataset show what a recipe says; whatever is interrupted can be done again to the same end.

A result is always made from the original by all steps of the recipe, so nothing is decoded and compressed twice, and undoing a step
means making the others again. The recipe is written before the pictures are touched.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from lorasmith.curation.mend.captions_follow import let_captions_follow
from lorasmith.curation.mend.kept_files import bin_of, has_content, keep_originals, kept_at, move_to, write_whole
from lorasmith.curation.mend.masks_follow import masks_after, refuse_shared_mask
from lorasmith.curation.mend.recipes import KnownRecipes, Recipe, Version, recipe_file, recipes, save_recipe, save_recipes
from lorasmith.curation.mend.steps import Convert, Cut, Remove, Step, Upscalers, apply_all, background_of
from lorasmith.dataset_folder import sidecars
from lorasmith.errors import DatasetError
from lorasmith.images.read import content_hash, read_picture


class Made(NamedTuple):
    """The bytes of a result."""

    picture: bytes
    mask: bytes | None

    def version(self, path: str) -> Version:
        """It as the file at this place of the dataset."""
        mask = None if self.mask is None else hashlib.sha256(self.mask).hexdigest()
        return Version(path=path, content=hashlib.sha256(self.picture).hexdigest(), mask=mask)


class TakenStems:
    """The names in the folders of a dataset, without suffixes; each folder is listed once, when its first sheet is cut."""

    def __init__(self) -> None:
        self._stems: dict[Path, set[str]] = {}

    def of(self, folder: Path) -> set[str]:
        """Those of one folder, in lower case; names that are given out are added by the caller."""
        if folder not in self._stems:
            self._stems[folder] = {file.stem.casefold() for file in folder.iterdir()}
        return self._stems[folder]


def change(
    root: Path, recipe: Recipe, steps: tuple[Step, ...], upscalers: Upscalers, taken: TakenStems, undone: tuple[Step, ...] = ()
) -> Recipe:
    """Let the dataset show the recipe with these steps; `undone` are those that could be taken again. `taken` is that of the whole command.

    Raises DatasetError where a picture cannot be made, or somebody's file is where a result has to go.
    """
    keep_originals(root, [recipe])
    changed, made = _planned(root, recipe, steps, upscalers, taken, undone)
    save_recipe(root, changed)
    _carry_out(root, changed, made)
    return changed.model_copy(update={"done": True})


def change_together(root: Path, wanted: Sequence[tuple[Recipe, tuple[Step, ...], tuple[Step, ...]]]) -> list[Recipe]:
    """As `change` for each recipe with its `steps` and `undone`; of pictures of different names, none of which leaves its caption to another.

    Whatever has to last through a power cut is written side by side: first all originals are kept, then all recipes say what is to be done,
    then it is done, then they say that. Where that is interrupted, the next call finishes it. All results are held in memory.
    """
    keep_originals(root, [recipe for recipe, *_ in wanted])
    planned = [_planned(root, recipe, steps, {}, TakenStems(), undone) for recipe, steps, undone in wanted]
    save_recipes(root, [changed for changed, _ in planned])
    for changed, made in planned:
        _show(root, changed, made)
    shown = [_as_shown(changed) for changed, _ in planned]
    save_recipes(root, shown)
    return shown


def _planned(
    root: Path, recipe: Recipe, steps: tuple[Step, ...], upscalers: Upscalers, taken: TakenStems, undone: tuple[Step, ...]
) -> tuple[Recipe, list[Made]]:
    """The recipe with these steps, which the dataset does not show yet, and its results. What somebody else made of a result is in the bin then."""
    made = _make(root, recipe, steps, upscalers)
    results = tuple(one.version(path) for path, one in zip(_places(root, recipe, steps, len(made), taken), made, strict=True))
    stays = {file.path for result in results for file in result.files}
    stale = tuple(file for version in recipe.results for file in version.files if file.path not in stays)
    _refuse_to_overwrite(root, recipe, results)
    for result in results if steps else ():
        if result.mask is not None:
            refuse_shared_mask(root / result.path, {root / version.path for version in recipe.results})
    for version in recipe.results:
        _bin_if_changed(root, recipe, version)
    changed = recipe.model_copy(
        update={"steps": steps, "undone": undone, "results": results, "stale": stale, "lent": _lent(root, recipe, steps), "done": False}
    )
    return changed, made


def _lent(root: Path, recipe: Recipe, steps: tuple[Step, ...]) -> tuple[Version, ...]:
    """The captions that another picture gets, or has got, from this one."""
    last = steps[-1] if steps else None
    if not isinstance(last, Remove) or not last.captions_to:
        return recipe.lent
    heir = (root / recipe.original.path).with_name(last.captions_to)
    if not heir.is_file() or sidecars(heir):
        return recipe.lent
    return tuple(
        Version(path=heir.with_suffix(caption.suffix).relative_to(root).as_posix(), content=content_hash(caption))
        for caption in sidecars(root / recipe.original.path)
    )


def finish_interrupted(root: Path) -> None:
    """Carry out the recipes that a kill interrupted."""
    known = KnownRecipes(recipes(root))
    for recipe in known.all:
        if not recipe.done:
            made = _make(root, recipe, recipe.steps, {})
            # another version of a decoder may give other bytes than were foreseen
            results = tuple(one.version(result.path) for result, one in zip(recipe.results, made, strict=True))
            _carry_out(root, recipe.model_copy(update={"results": results}), made)
            forget_if_undone(root, recipe, known)


def forget_if_undone(root: Path, recipe: Recipe, known: KnownRecipes) -> None:
    """Where no steps are left the picture is its original, which goes from where originals are kept, unless another recipe has the same."""
    if not recipe.steps:
        known.remove(recipe)
        for file in recipe.original.files:
            if not known.kept[file.content]:
                kept_at(root, file.content).unlink(missing_ok=True)


def _make(root: Path, recipe: Recipe, steps: tuple[Step, ...], upscalers: Upscalers) -> list[Made]:
    """What the steps make of the original."""
    original = kept_at(root, recipe.original.content)
    mask = None if recipe.original.mask is None else kept_at(root, recipe.original.mask)
    if not steps:
        return [Made(original.read_bytes(), None if mask is None else mask.read_bytes())]
    if isinstance(steps[-1], Remove):
        return []
    picture = read_picture(original, background_of(steps))
    masks = masks_after(root / recipe.original.path, picture.size, mask, steps)
    kind = next((step for step in reversed(steps) if isinstance(step, Convert)), Convert(to="png"))
    return [Made(_encoded(one, kind), its) for one, its in zip(apply_all(picture, steps, upscalers), masks, strict=True)]


def _encoded(picture: Image.Image, kind: Convert) -> bytes:
    buffer = io.BytesIO()
    if kind.to == "png":
        picture.save(buffer, "PNG")
    elif kind.to == "jpg":
        picture.save(buffer, "JPEG", quality=kind.quality, subsampling=0)
    else:
        picture.save(buffer, "WEBP", quality=kind.quality, method=4)
    return buffer.getvalue()


def _places(root: Path, recipe: Recipe, steps: tuple[Step, ...], count: int, taken: TakenStems) -> list[str]:
    """Where the results go: the original's name with another suffix; for several, numbered names that nobody has."""
    if not steps:
        return [recipe.original.path]
    kind = next((step.to for step in reversed(steps) if isinstance(step, Convert)), "png")
    stem = os.path.splitext(recipe.original.path)[0]
    if not isinstance(steps[-1], Cut):
        return [f"{stem}.{kind}"] * count
    stems, own = taken.of((root / stem).parent), {Path(result.path).stem.casefold() for result in recipe.results}
    places: list[str] = []
    number = 1
    while len(places) < count:
        name = f"{Path(stem).name}_{number}".casefold()
        if name in own or name not in stems:
            places.append(f"{stem}_{number}.{kind}")
            stems.add(name)
        number += 1
    return places


def _carry_out(root: Path, recipe: Recipe, made: list[Made]) -> None:
    """Make the dataset show what the recipe says, and the recipe say so; `made` are its results. Can be interrupted anywhere and done again."""
    _show(root, recipe, made)
    if recipe.steps or recipe.undone:
        save_recipe(root, _as_shown(recipe))
        return
    recipe_file(root, recipe.id).unlink(missing_ok=True)


def _as_shown(recipe: Recipe) -> Recipe:
    return recipe.model_copy(update={"done": True, "stale": ()})


def _show(root: Path, recipe: Recipe, made: list[Made]) -> None:
    aside = bin_of(root, recipe)
    for result, one in zip(recipe.results, made, strict=True):
        for file, data in zip(result.files, filter(None, one), strict=True):
            if has_content(root / file.path, file.content):
                continue
            if has_content(binned := aside / Path(file.path).name, file.content):
                os.replace(binned, root / file.path)
            else:
                write_whole(root, root / file.path, data)
    let_captions_follow(root, recipe)
    removed = bool(recipe.steps) and isinstance(recipe.steps[-1], Remove)
    for version in recipe.stale:
        path = root / version.path
        if not path.is_file():
            continue
        if has_content(path, version.content) and not removed:
            path.unlink()
        else:
            move_to(aside, path)
    for file in (file for result in recipe.results for file in result.files):  # back from the bin
        if has_content(binned := aside / Path(file.path).name, file.content):
            binned.unlink()
    if aside.is_dir() and not any(aside.iterdir()):
        aside.rmdir()


def _refuse_to_overwrite(root: Path, recipe: Recipe, results: tuple[Version, ...]) -> None:
    """A picture or mask that somebody put where a result has to go stays."""
    ours = {file.path for version in recipe.results for file in version.files}
    for file in (file for result in results for file in result.files):
        path = root / file.path
        if file.path in ours or not path.exists() or has_content(path, file.content):
            continue
        raise DatasetError(
            f"{path} is in the way of what {recipe.original.path} becomes: rename it, then try again.",
            code="mend.in_the_way",
            file=str(path),
        )


def _bin_if_changed(root: Path, recipe: Recipe, version: Version) -> None:
    """What somebody else made of a result, or of its mask, goes to the bin before it is replaced."""
    for file in version.files:
        path = root / file.path
        if path.is_file() and not has_content(path, file.content):
            move_to(bin_of(root, recipe), path)
