"""Set pictures aside for evaluation: a LoRA is judged on pictures that it has never seen.

Which picture is held out follows from the hash of its bytes, so it does not depend on names, on their order or on the pictures beside
it. Near duplicates stay on one side: a copy of a training picture among the held-out ones would reward memorising. And what was
decided once stays so when pictures are added: the decisions are kept in `.lorasmith/holdout.json`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lorasmith.command_line import quoted
from lorasmith.curation.chosen_pictures import dataset_pictures
from lorasmith.curation.holdout_decisions import decisions_of
from lorasmith.curation.measuring import Picture, copies_among, measure_all
from lorasmith.curation.mend.recipes import origins
from lorasmith.curation.moved import Move
from lorasmith.curation.moves import make_moves
from lorasmith.curation.names import TakenNames, safe_folder
from lorasmith.dataset_folder import HOLDOUT, REGULARISATION
from lorasmith.datasets.folders import concept_in
from lorasmith.draws import seed_of
from lorasmith.errors import DatasetError, SettingsError
from lorasmith.images.picture_cache import PictureCache
from lorasmith.pages.numbers import count
from lorasmith.progress import Progress


def held_out(
    contents: Sequence[str], groups: Sequence[Sequence[int]], share: float, seed: int = 0, earlier: Mapping[str, bool] | None = None
) -> list[bool]:
    """For each picture whether it is held out, about `share` (0-1) of all.

    `contents` are the pictures' hashes, `groups` indices of near duplicates, `earlier` the decisions of before. A picture that is new
    goes where its near duplicates are. Where a new one links pictures of both sides, all of them train: what was trained on cannot be
    held out any more. Of three pictures or more at least one is held out, unless all are decided already.
    """
    if not 0 <= share <= 0.5:
        raise SettingsError(f"The share that is held out is {share}, but must be from 0 to 0.5: 0.1 is usual.")
    before = earlier or {}
    sides = [False] * len(contents)
    undecided: list[tuple[float, list[int]]] = []
    joined = _joined(len(contents), [*groups, *_same(contents)])
    for members in joined:
        known = {before[contents[i]] for i in members if contents[i] in before}
        if not known:
            undecided.append((seed_of("holdout", seed, min(contents[i] for i in members)) / 2**63, members))
        for i in members:
            sides[i] = bool(known) and all(known)
    wanted = math.floor(share * len(contents) + 0.5)
    if share > 0 and len(joined) >= 3:
        wanted = max(1, wanted)
    for lot, members in sorted(undecided):
        room = wanted - sum(sides)
        if lot < share if len(contents) >= COUNTED_BELOW else len(members) <= room or (room > 0 and not any(sides)):
            for i in members:
                sides[i] = True
    return sides


COUNTED_BELOW = 100
"""Pictures below which the number of held-out ones is exact: chance alone would take none of 15, or five."""


@dataclass(frozen=True)
class Split:
    """Which pictures train and which are held out; and what would move."""

    training: tuple[Path, ...]
    held_out: tuple[Path, ...]
    moves: tuple[Move, ...]
    problems: tuple[str, ...]
    """Pictures that cannot be read; they stay where they are."""
    decisions: dict[str, bool]


def plan_holdout(
    root: str | Path, share: float = 0.1, seed: int = 0, progress: Progress | None = None, cache: str | Path | None = None,
    stands_for: str | Path | None = None,
) -> Split:  # fmt: skip
    """How the dataset would be split; nothing moves yet. Held-out pictures go to `holdout/1_name`, after the folder that they are in.

    `cache` is a folder that keeps what is seen of pictures, the same for all commands. `stands_for` is the dataset that a stand-in is of.

    Examples
    --------
    >>> split = ls.plan_holdout("my-set", share=0.2)
    >>> len(split.training), len(split.held_out)
    (4, 1)
    """
    root = Path(root)
    paths = subject_pictures(root)
    if not paths:
        raise DatasetError(
            f"{root} holds no pictures: import some first (lorasmith import SOURCE --into {quoted(root)}).",
            code="dataset.no_pictures",
            folder=str(root),
        )
    seen = looked_at(root, paths, cache, Path(stands_for or root), progress)
    sound, contents = seen.sound, [one.content for one in seen.sound]
    earlier = decisions_of(root)
    sides = held_out(contents, seen.copies, share, seed, earlier)
    return Split(
        tuple(one.path for one, side in zip(sound, sides, strict=True) if not side),
        tuple(one.path for one, side in zip(sound, sides, strict=True) if side),
        _moves(root, sound, sides), seen.problems, {**earlier, **dict(zip(contents, sides, strict=True))},
    )  # fmt: skip


def keep_together(root: str | Path, returned: Collection[Path], cache: str | Path | None = None) -> dict[Path, Path]:
    """Put pictures that came into a dataset, or back, on the side of their near duplicates; gives old and new paths.

    Copies of a held-out picture are held out, too. Where copies are on both sides, all of them train, as in `held_out`. All other
    pictures stay where they are. With the `cache` in which all pictures are known only those that came are decoded.
    """
    root = Path(root)
    inside = root / HOLDOUT
    paths = subject_pictures(root)
    if not returned or not any(inside in path.parents for path in paths):
        return {}
    seen = looked_at(root, paths, cache, root)
    sound, groups, decided = seen.sound, seen.copies, decisions_of(root)
    have_copies = {index for group in groups for index in group}
    known: dict[str, bool] = {}
    for index, one in enumerate(sound):
        here = inside in one.path.parents
        if one.path not in returned or index not in have_copies:
            known[one.content] = here and known.get(one.content, True)
        elif one.content in decided:
            known.setdefault(one.content, decided[one.content])
    for group in groups:  # copies that came back together stay where all of them are
        if all(sound[index].content not in known and inside in sound[index].path.parents for index in group):
            known |= {sound[index].content: True for index in group}
    sides = held_out([one.content for one in sound], groups, 0.0, earlier=known)
    moves = _moves(root, sound, sides)
    moved = {root / old: root / new for old, new in moves}
    changed = {one.content: side for one, side in zip(sound, sides, strict=True) if one.path in returned or one.path in moved}
    make_moves(root, moves, decided=changed)
    return moved


def _moves(root: Path, sound: Sequence[Looked], sides: Sequence[bool]) -> tuple[Move, ...]:
    """What moves so that each picture is on its side."""
    inside = root / HOLDOUT
    taken: dict[Path, TakenNames] = {}
    training: dict[str, Path] = {}
    moves: list[Move] = []
    for path, side in ((one.path, side) for one, side in zip(sound, sides, strict=True)):
        if side == (inside in path.parents):
            continue
        concept = concept_in(path.parent.name)
        name = concept.name if concept is not None and concept.name else safe_folder(root.resolve().name)
        if not side and name not in training:
            training[name] = training_folder(root, name)
        goal = inside / f"1_{name}" if side else training[name]
        if goal not in taken:
            taken[goal] = TakenNames(file.stem for file in goal.iterdir()) if goal.is_dir() else TakenNames()
        new = goal / f"{taken[goal].claim(path.stem)}{path.suffix}"
        moves.append((path.relative_to(root).as_posix(), new.relative_to(root).as_posix()))
    return tuple(moves)


def hold_out(root: str | Path, split: Split) -> None:
    """Move what is held out into `holdout/`, with captions, and keep the decisions.

    Examples
    --------
    >>> _ = ls.import_pictures(["my-set"], "split-set")
    >>> ls.hold_out("split-set", ls.plan_holdout("split-set", share=0.2))
    >>> import pathlib
    >>> len(list(pathlib.Path("split-set/holdout").rglob("*.png")))
    1
    """
    make_moves(Path(root), split.moves, f"hold out {count(len(split.held_out), 'picture')}", split.decisions)


def subject_pictures(root: Path) -> list[Path]:
    """The pictures that train or are held out."""
    reg = root / REGULARISATION
    return [path for path in dataset_pictures(root) if reg not in path.parents]


@dataclass(frozen=True)
class Looked:
    """A picture that can be read."""

    path: Path
    content: str
    """Hash of the bytes of what it was in the beginning: what is mended later stays on its side."""


@dataclass(frozen=True)
class SeenTogether:
    """What is to be seen of pictures together."""

    sound: list[Looked]
    copies: list[tuple[int, ...]]
    """Places in `sound` of near duplicates."""
    problems: tuple[str, ...]
    """What is wrong with those that cannot be read."""


def looked_at(root: Path, paths: Sequence[Path], cache: str | Path | None, dataset: Path, progress: Progress | None = None) -> SeenTogether:
    """What matters of pictures for the side that they are on; `dataset` is the one that `root` is, or stands in for."""
    pictures: list[Picture] = []
    with PictureCache(cache) as known:
        for picture, _ in measure_all(root, paths, known, min(8, os.cpu_count() or 1)):
            pictures.append(picture)
            if progress:
                progress(len(pictures), len(paths))
        sound = [picture for picture in pictures if not picture.measures.problem]
        copies = [group.indices for group in copies_among(sound, known, dataset)]
    made_of = origins(root)
    looked = [Looked(picture.path, made_of.get(picture.name, picture.measures.content)) for picture in sound]
    return SeenTogether(looked, copies, tuple(picture.measures.problem for picture in pictures if picture.measures.problem))


def training_folder(root: Path, name: str) -> Path:
    """Where pictures of a concept train: its `N_name` folder, a new one beside those of others or, in a plain dataset, the dataset's folder."""
    concepts = {
        folder: concept for folder in sorted(root.iterdir()) if folder.is_dir() and (concept := concept_in(folder.name)) is not None
    }
    return next((folder for folder, concept in concepts.items() if concept.name == name), root / f"1_{name}" if concepts else root)


def _same(contents: Sequence[str]) -> list[list[int]]:
    places: dict[str, list[int]] = {}
    for index, content in enumerate(contents):
        places.setdefault(content, []).append(index)
    return list(places.values())


def _joined(number: int, groups: Sequence[Sequence[int]]) -> list[list[int]]:
    """All indices in groups that share none."""
    leader = list(range(number))

    def head(index: int) -> int:
        while leader[index] != index:
            leader[index] = leader[leader[index]]
            index = leader[index]
        return index

    for group in groups:
        for other in group[1:]:
            leader[head(other)] = head(group[0])
    members: dict[int, list[int]] = {}
    for index in range(number):
        members.setdefault(head(index), []).append(index)
    return list(members.values())
