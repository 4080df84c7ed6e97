"""One undo for everything that is done to a dataset: edits of captions, mends of pictures, and moves by layout, hold-out or hand.

    operations("anna")[0].words      what was done last
    undo_newest("anna")
    redo_next("anna")

Each of the three keeps what it did where it always has (`captions.history`, the recipes of `mend`, `moved`); this lists them by time and
takes the newest back. Because the newest goes first, each finds the dataset as it left it. What was undone can be redone until
something else is done. Mends from before steps had a time are not listed: `undo_mends` takes them back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from lorasmith.captions.history import PATIENCE, History
from lorasmith.command_line import quoted
from lorasmith.curation.mend.mend import redo_what_was_done_at
from lorasmith.curation.mend.recipes import Recipe, kept_recipes
from lorasmith.curation.mend.steps import Step, Upscale, in_words
from lorasmith.curation.moved import Moved, read_moved
from lorasmith.curation.moves import take_again, take_back
from lorasmith.curation.undo import undo_mends_done_at
from lorasmith.dataset_folder import is_no_folder
from lorasmith.errors import DatasetError, InputError
from lorasmith.pages.numbers import count

What = Literal["captions", "mends", "moves"]

State = Literal["done", "undone", "set aside"]
"""`set aside`: undone, and then something else was done, so that it cannot be redone."""


@dataclass(frozen=True)
class DatasetOperation:
    """Something that was done to a dataset."""

    what: What
    words: str
    at: float
    """When, in seconds since 1970."""
    count: int
    """How many captions or pictures it changed."""
    state: State
    undone: float = 0.0
    """When it was undone, in seconds since 1970."""
    networks: bool = False
    """Whether undoing or redoing it makes pictures again that were enlarged with a network, which takes torch."""
    note: str = ""
    """What whoever edited captions keeps with that, to be undone with it."""

    @property
    def as_data(self) -> dict[str, Any]:
        """For `--json`."""
        at = datetime.fromtimestamp(self.at, UTC).isoformat(timespec="seconds")
        return {"what": self.what, "words": self.words, "at": at, "count": self.count, "state": self.state}


def operations(root: str | Path) -> list[DatasetOperation]:
    """What was done to a dataset, newest first. Raises DatasetError if the folder does not exist or a history is damaged."""
    root = Path(root)
    if not root.is_dir():
        raise is_no_folder(root)
    found = [*_of_captions(root), *_of_mends(root), *_of_moves(root)]
    newest = max((one.at for one in found), default=0.0)
    found = [replace(one, state="set aside") if one.state == "undone" and one.undone < newest else one for one in found]
    return sorted(found, key=lambda one: one.at, reverse=True)


def to_undo(listed: Iterable[DatasetOperation]) -> DatasetOperation | None:
    """The operation that is undone next."""
    return next((one for one in listed if one.state == "done"), None)


def to_redo(listed: Iterable[DatasetOperation]) -> DatasetOperation | None:
    """The operation that is redone next."""
    return max((one for one in listed if one.state == "undone"), key=lambda one: one.undone, default=None)


def undo_newest(
    root: str | Path, cache: str | Path | None = None, *, networks: bool = True, patience: float = PATIENCE
) -> DatasetOperation:  # fmt: skip
    """Undo the newest operation that was not undone; gives it as it is now.

    `cache` is a folder that keeps what is seen of pictures. Without `networks` none is opened. `patience` is how many seconds an edit of
    captions waits for another program.

    Raises:
        DatasetError: there is none, something else changed the files since, or the dataset is in use; then nothing is changed.
        InputError: it takes a network, and may not.
    """
    ways: _Ways = {
        "captions": lambda root, one: History(root, patience).undo(),
        "mends": lambda root, one: undo_mends_done_at(root, one.at, cache),
        "moves": lambda root, one: take_back(root, _moved_at(root, one.at)),
    }
    return _change("undo", Path(root), to_undo, ways, "undone", networks)


def redo_next(root: str | Path, *, networks: bool = True, patience: float = PATIENCE) -> DatasetOperation:
    """Redo the operation that was undone last; gives it as it is now. Raises as `undo_newest` does."""
    ways: _Ways = {
        "captions": lambda root, one: History(root, patience).redo(),
        "mends": lambda root, one: redo_what_was_done_at(root, one.at),
        "moves": lambda root, one: take_again(root, _moved_at(root, one.at)),
    }
    return _change("redo", Path(root), to_redo, ways, "done", networks)


_Ways = Mapping[What, Callable[[Path, DatasetOperation], object]]


def _change(
    verb: str,
    root: Path,
    choose: Callable[[Iterable[DatasetOperation]], DatasetOperation | None],
    ways: _Ways,
    state: State,
    networks: bool,
) -> DatasetOperation:
    """Undo or redo the operation that is next, each kind in its way."""
    operation = choose(operations(root))
    if operation is None:
        raise DatasetError(
            f"There is nothing to {verb} in {root}: see `lorasmith undo {quoted(root)} --list`.", code="dataset.nothing_to_undo", verb=verb
        )
    if operation.networks and not networks:
        raise InputError(
            f"{count(operation.count, 'picture')} must be enlarged with a network again for this. Use `lorasmith undo`.",
            code="dataset.undo_takes_a_network",
        )  # fmt: skip
    ways[operation.what](root, operation)
    return replace(operation, state=state)


def _moved_at(root: Path, at: float) -> Moved:
    return next(moved for moved in read_moved(root) if moved.at == at)


def _of_captions(root: Path) -> Iterator[DatasetOperation]:
    states: dict[str, State] = {"undone": "undone", "undoing": "undone", "set aside": "set aside"}
    for one in History(root).operations():
        state, at, began = states.get(one.state, "done"), one.at.timestamp(), one.began.timestamp()
        yield DatasetOperation("captions", one.summary, at, one.files, state, began, note=one.note)


def _of_mends(root: Path) -> Iterator[DatasetOperation]:
    done: dict[float, list[tuple[Recipe, list[Step]]]] = {}
    undone: dict[float, list[tuple[Recipe, list[Step]]]] = {}
    for recipe in kept_recipes(root):
        for steps, by_time in ((recipe.steps, done), (recipe.undone, undone)):
            for at in dict.fromkeys(step.at for step in steps if step.at is not None):
                by_time.setdefault(at, []).append((recipe, [step for step in steps if step.at == at]))
    for at, changed in done.items():
        networks = any(isinstance(step, Upscale) and step.at != at for recipe, _ in changed for step in recipe.steps)
        yield DatasetOperation("mends", _words(changed), at, len(changed), "done", networks=networks)
    for at, changed in undone.items():
        networks = any(isinstance(step, Upscale) for recipe, _ in changed for step in (*recipe.steps, *recipe.undone_at(at)))
        undone_at = max(step.undone or 0.0 for _, steps in changed for step in steps)
        yield DatasetOperation("mends", _words(changed), at, len(changed), "undone", undone_at, networks)


def _words(changed: list[tuple[Recipe, list[Step]]]) -> str:
    """`0.png and 41 more: mirrored`, and what kinds of things were done where that was not the same for all."""
    said = {in_words(tuple(steps)) for _, steps in changed}
    what = said.pop() if len(said) == 1 else ", ".join(dict.fromkeys(step.do for _, steps in changed for step in steps))
    first = PurePosixPath(changed[0][0].original.path).name
    return f"{first if len(changed) == 1 else f'{first} and {len(changed) - 1} more'}: {what}"


def _of_moves(root: Path) -> Iterator[DatasetOperation]:
    for moved in read_moved(root):
        yield DatasetOperation(
            "moves", moved.words, moved.at, moved.pictures, "done" if moved.undone is None else "undone", moved.undone or 0.0
        )
