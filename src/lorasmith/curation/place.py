"""Put single pictures where a person wants them: into another concept, with other repeats, among those held out, among those of
regularisation, or back.

Where a picture is says all of this (`N_name`, `holdout/1_name`, `regularisation/1_name`), so it is a move. Near duplicates go to the side of training or hold-out
together: a copy of a training picture among the held-out ones would reward memorising.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lorasmith.curation.holdout import looked_at, subject_pictures, training_folder
from lorasmith.curation.moved import Move
from lorasmith.curation.moves import make_moves
from lorasmith.curation.names import TakenNames, safe_folder
from lorasmith.dataset_folder import HOLDOUT, REGULARISATION, is_regularisation, pictures_in
from lorasmith.datasets.folders import concept_in
from lorasmith.errors import DatasetError, InputError
from lorasmith.pages.numbers import count


@dataclass(frozen=True)
class Place:
    """Where pictures belong; None leaves that as it is."""

    concept: str | None = None
    repeats: int | None = None
    """How often each is trained on in an epoch, 1-999."""
    held_out: bool | None = None
    regularisation: bool | None = None
    """Whether they keep the base as it was, and do not show the subject."""


def put(root: str | Path, pictures: Sequence[str | Path], place: Place, cache: str | Path | None = None) -> dict[Path, Path]:
    """Move pictures of a dataset to their place, captions with them, near duplicates too where the side changes; gives old and new paths.

    `cache` is a folder that keeps what is seen of pictures.

    Raises:
        InputError: held-out pictures were given repeats, or regularisation pictures were to be held out.
        DatasetError: a picture cannot be read, loose pictures would be left out of training, or the dataset is in use.
    """
    root, chosen = Path(root), [Path(picture) for picture in pictures]
    if place == Place():
        return {}
    _check(root, chosen, place)
    together, contents = chosen, dict[str, bool]()
    if place.held_out is not None:
        together, contents = _with_copies(root, chosen, place.held_out, cache)
    moves = _moves(root, together, set(chosen), place)
    _refuse_what_leaves_others_out(root, moves)
    make_moves(root, moves, f"{_named(chosen)}: {_words(place)}", contents)
    return {root / old: root / new for old, new in moves}


def _check(root: Path, chosen: Sequence[Path], place: Place) -> None:
    for path in chosen:
        stays_aside = place.regularisation is None and is_regularisation(_top(root, path))
        if place.held_out and (place.regularisation or stays_aside):
            raise InputError(
                f"{path} is a regularisation picture, and only pictures of the subject judge a LoRA. Choose one of those.",
                code="place.regularisation", picture=path.relative_to(root).as_posix(),
            )  # fmt: skip
        stays_held_out = place.held_out is None and not place.regularisation and _top(root, path) == HOLDOUT
        if place.repeats is not None and (place.held_out or stays_held_out):
            raise InputError(
                f"{path} is held out, so it is never trained on and has no repeats. Take it back into training first.",
                code="place.held_out", picture=path.relative_to(root).as_posix(),
            )  # fmt: skip


def _with_copies(root: Path, chosen: Sequence[Path], held_out: bool, cache: str | Path | None) -> tuple[list[Path], dict[str, bool]]:
    """The pictures and their near duplicates, and what is decided for their contents. Raises DatasetError where one cannot be read."""
    seen = looked_at(root, subject_pictures(root), cache, root)
    paths = [one.path for one in seen.sound]
    unreadable = set(chosen) - set(paths) - {path for path in chosen if is_regularisation(_top(root, path))}
    if unreadable:
        raise DatasetError(f"{min(unreadable)} cannot be read, so it stays where it is: mend or remove it.", code="place.unreadable")
    asked = {index for index, path in enumerate(paths) if path in set(chosen)}
    together = asked.union(*(group for group in seen.copies if asked & set(group)))
    reg = [path for path in chosen if is_regularisation(_top(root, path))]
    return [paths[index] for index in sorted(together)] + reg, {seen.sound[index].content: held_out for index in together}


def _moves(root: Path, together: Sequence[Path], chosen: set[Path], place: Place) -> list[Move]:
    taken: dict[str, TakenNames] = {}
    moves: list[Move] = []
    for path in together:
        goal = _goal(root, path, place if path in chosen else Place(held_out=place.held_out))
        old = path.relative_to(root)
        if goal == old.parent.as_posix():
            continue
        if goal not in taken:
            there = root / goal
            taken[goal] = TakenNames(file.stem for file in there.iterdir()) if there.is_dir() else TakenNames()
        moves.append((old.as_posix(), (PurePosixPath(goal) / f"{taken[goal].claim(path.stem)}{path.suffix}").as_posix()))
    return moves


def _goal(root: Path, path: Path, place: Place) -> str:
    """The folder that a picture belongs in."""
    here = path.parent.relative_to(root).as_posix()
    now, top = concept_in(path.parent.name), _top(root, path)
    name = safe_folder(place.concept or (now and now.name) or root.resolve().name)
    aside = is_regularisation(top)
    if place.regularisation or (aside and place.regularisation is None):
        repeats = place.repeats or (now.repeats if now and aside else 1)
        return f"{top if aside else REGULARISATION}/{repeats}_{name}"
    if place.held_out or (place.held_out is None and top == HOLDOUT):
        return f"{HOLDOUT}/1_{name}"
    if place.repeats is not None:
        return f"{place.repeats}_{name}"
    if top != HOLDOUT and not aside and (place.concept is None or (now is not None and now.name == name)):
        return here
    folder = training_folder(root, name)
    return folder.relative_to(root).as_posix() if folder != root or place.concept is None else f"1_{name}"


def _refuse_what_leaves_others_out(root: Path, moves: Sequence[Move]) -> None:
    """Pictures straight in a dataset are not trained on beside `N_name` folders."""
    goals = {PurePosixPath(new).parent for _, new in moves}
    if not any(len(goal.parts) == 1 for goal in goals):
        return
    moved = {root / old for old, _ in moves}
    if left := [path for path in pictures_in(root) if path not in moved]:
        raise DatasetError(
            f"{left[0]} is in no folder of a concept, and would be left out of training beside one: lay the dataset out first.",
            code="place.not_laid_out", pictures=len(left),
        )  # fmt: skip


def _named(chosen: Sequence[Path]) -> str:
    return chosen[0].name if len(chosen) == 1 else f"{chosen[0].name} and {len(chosen) - 1} more"


def _words(place: Place) -> str:
    """As a person says it: `into mimi, 5 repeats, held out`."""
    said = [f"into {place.concept}"] if place.concept is not None else []
    said += [count(place.repeats, "repeat")] if place.repeats is not None else []
    said += ["held out" if place.held_out else "back into training"] if place.held_out is not None else []
    said += ["as regularisation" if place.regularisation else "as the subject"] if place.regularisation is not None else []
    return ", ".join(said)


def _top(root: Path, path: Path) -> str:
    """The first folder of the dataset that a picture is in; "" for a loose one."""
    parts = path.relative_to(root).parts
    return parts[0] if len(parts) > 1 else ""
