"""Mend pictures so that every change can be listed, undone and made again.

    proposals = propose(root, pictures, [MendChange("bars"), MendChange("max", {"pixels": 3000})])
    mend(root, proposals)
    undo(root, recipes(root))

A dataset's folder always shows the current pictures, so training and every other tool see what was mended without knowing of it. What
was there before is kept beside them, in the dataset's folder `.lorasmith`:

    originals/ab/ab12...      the bytes of each mended picture, and of its mask, as they came, under their SHA-256
    mends/<id>.json           a recipe: the original, the steps that were taken, the hash of each result
    bin/<id>/                 pictures taken out and captions put aside, under their own names

`ways` are looks at a picture that give `steps`; `proposals` collects them; `carry_out` makes recipes true. What a kill interrupts, the
next call that opens the dataset finishes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lorasmith.curation.mend.carry_out import TakenStems, change, change_together, finish_interrupted, forget_if_undone
from lorasmith.curation.mend.kept_files import has_content, version_at
from lorasmith.curation.mend.proposals import Proposal
from lorasmith.curation.mend.recipes import KnownRecipes, Recipe, kept_recipes, new_recipe, recipes, recipes_by_result
from lorasmith.curation.mend.steps import Remove, Step, Upscalers, check_steps, in_words
from lorasmith.dataset_folder import locked
from lorasmith.errors import DatasetError, InputError
from lorasmith.progress import Progress

MOST_TOGETHER, MOST_BACK = 256, 32
"""Pictures that are removed together, and that come back together: a kill lets the next call do so many more, and no more. Those that come
back are in memory at the same time."""


@dataclass(frozen=True)
class Mended:
    """What became of a picture: its path before, and the paths now."""

    before: Path
    after: tuple[Path, ...]
    words: str
    problem: str = ""
    """Why it could not be done; '' where it was."""


def mend(root: str | Path, proposals: Sequence[Proposal], progress: Progress | None = None) -> list[Mended]:
    """Do what was proposed for pictures of the dataset `root`. What cannot be mended comes back with its problem.

    Examples
    --------
    >>> _ = ls.import_pictures(["my-set"], "mended-set")
    >>> proposals = ls.propose_mends("mended-set", ["mended-set/0.png"], [ls.MendChange("rotate", {"degrees": 90})])
    >>> [mended.problem for mended in ls.mend("mended-set", proposals)]
    ['']
    >>> [mended.before.name for mended in ls.undo_mends("mended-set")]
    ['0.png']
    """
    root = Path(root)
    to_do = [proposal for proposal in proposals if proposal.steps]
    check_steps(step for proposal in to_do for step in proposal.steps)
    upscalers: Upscalers = {}
    taken, at = TakenStems(), time.time()
    mended: list[Mended] = []
    with alone_in(root):
        by_result = recipes_by_result(root)
        removals: dict[str, tuple[Proposal, Recipe, tuple[Step, ...]]] = {}

        def report(*done: Mended) -> None:
            for one in done:
                mended.append(one)
                if progress:
                    progress(len(mended), len(to_do))

        def remove() -> None:
            waiting = list(removals.values())
            removals.clear()
            shown = change_together(root, [(recipe, steps, ()) for _, recipe, steps in waiting])
            report(*(Mended(one.path, _paths(root, recipe), one.words) for (one, *_), recipe in zip(waiting, shown, strict=True)))

        for proposal in to_do:
            place = proposal.path.relative_to(root).as_posix()
            together = _is_gone_alone(proposal.steps)
            if removals and (not together or place in removals or len(removals) == MOST_TOGETHER):
                remove()
            try:
                recipe = by_result.get(place)
                now = version_at(root, place)
                if recipe is None or recipe.closed or recipe.results[0] != now:  # a view, or changed since: that is a new original
                    recipe = new_recipe(root, now, recipe.id if recipe else None)
                steps = (*recipe.steps, *(step.model_copy(update={"at": at}) for step in proposal.steps))
                if together:
                    removals[place] = (proposal, recipe, steps)
                    continue
                recipe = change(root, recipe, steps, upscalers, taken)
                report(Mended(proposal.path, _paths(root, recipe), proposal.words))
            except InputError as error:
                report(Mended(proposal.path, (proposal.path,), proposal.words, str(error)))
        if removals:
            remove()
    return mended + [Mended(one.path, (one.path,), "", one.problem) for one in proposals if one.problem]


def _is_gone_alone(steps: Sequence[Step]) -> bool:
    """Whether the picture goes to the bin and leaves nothing to another one."""
    last = steps[-1]
    return isinstance(last, Remove) and not last.captions_to


def undo(root: str | Path, chosen: Iterable[Recipe] | None = None, steps: int | None = None) -> list[Mended]:
    """Take back the last `steps` steps of each recipe (by default of every one), or all steps; then the originals are back, byte for byte.

    Pictures and captions that were changed by hand since are not lost: they go to the bin.

    Raises:
        DatasetError: another picture is in an original's place now.
    """
    root = Path(root)
    with alone_in(root):
        known = KnownRecipes(recipes(root))
        return _undo_all(root, [(one.id, steps) for one in (known.all if chosen is None else chosen)], known)


def _undo_all(root: Path, wanted: Iterable[tuple[str, int | None]], known: KnownRecipes) -> list[Mended]:
    """Take back the last steps of each recipe, or all (None). Pictures that were removed and are as they came come back together."""
    undone: list[Mended] = []
    taken = TakenStems()
    removed: dict[str, Recipe] = {}

    def bring_back() -> None:
        waiting = list(removed.values())
        removed.clear()
        shown = change_together(root, [(recipe, (), (*_taken_back(recipe.steps), *recipe.undone)) for recipe in waiting])
        for before, after in zip(waiting, shown, strict=True):
            forget_if_undone(root, after, known)
            undone.append(Mended(root / before.original.path, _paths(root, after), _undone_words(before.steps)))

    for recipe_id, steps in wanted:
        recipe = known.by_id.get(recipe_id)
        if recipe is None:  # it went with the sheet that it was cut from
            continue
        name = os.path.splitext(recipe.original.path)[0].casefold()
        together = len(recipe.steps) == 1 and _is_gone_alone(recipe.steps) and not known.upon(recipe_id)
        if removed and (not together or name in removed or len(removed) == MOST_BACK):
            bring_back()
        if together:
            removed[name] = recipe
        else:
            undone += _undo(root, recipe_id, steps, known, taken)
    if removed:
        bring_back()
    return undone


def _taken_back(steps: Sequence[Step]) -> tuple[Step, ...]:
    return tuple(step.model_copy(update={"undone": time.time()}) for step in steps)


def _undone_words(steps: Sequence[Step]) -> str:
    return f"undone: {in_words(tuple(steps))}"


def _undo(root: Path, recipe_id: str, steps: int | None, known: KnownRecipes, taken: TakenStems) -> list[Mended]:
    recipe = known.by_id.get(recipe_id)
    if recipe is None:  # it went with the sheet that it was cut from
        return []
    undone: list[Mended] = []
    for piece in known.upon(recipe_id):
        undone += _undo(root, piece.id, None, known, taken)
    words = _undone_words(recipe.steps if steps is None else recipe.steps[-steps:])
    before = _paths(root, recipe)
    keep = 0 if steps is None else max(0, len(recipe.steps) - steps)
    recipe = change(root, recipe, recipe.steps[:keep], {}, taken, (*_taken_back(recipe.steps[keep:]), *recipe.undone))
    forget_if_undone(root, recipe, known)
    return [*undone, Mended(before[0] if before else root / recipe.original.path, _paths(root, recipe), words)]


def undo_what_was_done_at(root: str | Path, at: float) -> list[Mended]:
    """Take back the steps that were taken together at this time, where they are the last ones of a picture. Raises as `undo` does."""
    root = Path(root)
    with alone_in(root):
        known = KnownRecipes(recipes(root))
        return _undo_all(root, [(one.id, len(last)) for one in known.all if (last := one.done_at(at))], known)


def redo_what_was_done_at(root: str | Path, at: float) -> list[Mended]:
    """Take steps again that were taken together at this time and taken back since.

    Raises:
        DatasetError: a picture is not what it was when they were taken back (`mend.changed`); then none is taken.
    """
    root = Path(root)
    redone: list[Mended] = []
    upscalers: Upscalers = {}
    taken = TakenStems()
    with alone_in(root):
        waiting = [recipe for recipe in kept_recipes(root) if recipe.undone_at(at)]
        check_steps(step for recipe in waiting for step in recipe.undone_at(at))
        for recipe in waiting:
            _refuse_another_picture(root, recipe)
        for recipe in waiting:
            again = tuple(step.model_copy(update={"undone": None}) for step in recipe.undone_at(at))
            before = root / recipe.results[0].path
            recipe = change(root, recipe, (*recipe.steps, *again), upscalers, taken, recipe.undone[len(again) :])
            redone.append(Mended(before, _paths(root, recipe), in_words(again)))
    return redone


def _refuse_another_picture(root: Path, recipe: Recipe) -> None:
    now = recipe.results[0]
    if not has_content(root / now.path, now.content) or version_at(root, now.path).mask != now.mask:
        raise DatasetError(
            f"{root / now.path} or its mask is not what it was when that was taken back, so it cannot be done again.", code="mend.changed", picture=now.path
        )  # fmt: skip


def replay(root: str | Path, chosen: Iterable[Recipe]) -> list[Mended]:
    """Make each result again from its original; those that are as the recipe says are left alone. Gives those that were not."""
    root = Path(root)
    again: list[Mended] = []
    taken = TakenStems()
    with alone_in(root):
        unsound = [recipe for recipe in chosen if not recipe.closed and not _is_sound(root, recipe)]
        check_steps(step for recipe in unsound for step in recipe.steps)
        for recipe in unsound:
            recipe = change(root, recipe, recipe.steps, {}, taken, recipe.undone)
            again.append(Mended(root / recipe.original.path, _paths(root, recipe), recipe.words))
    return again


def _is_sound(root: Path, recipe: Recipe) -> bool:
    """Whether its results are as it says."""
    return all(has_content(root / file.path, file.content) for result in recipe.results for file in result.files)


@contextmanager
def alone_in(root: str | Path) -> Iterator[None]:
    """Nobody else changes the dataset meanwhile, and a mend that was interrupted is finished first.

    Raises:
        DatasetError: there is no such folder, or another program is changing the dataset.
    """
    with locked(root):
        finish_interrupted(Path(root))
        yield


def _paths(root: Path, recipe: Recipe) -> tuple[Path, ...]:
    return tuple(root / result.path for result in recipe.results)
