"""What mending would do to each picture, before anything is changed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from lorasmith.curation.measuring import Picture, copies_among, measure_all
from lorasmith.curation.mend.parameters import checked
from lorasmith.curation.mend.recipes import Recipe, recipes_by_result
from lorasmith.curation.mend.steps import Flatten, Remove, Step, Upscalers, in_words
from lorasmith.curation.mend.ways import WAYS, Look
from lorasmith.dataset_folder import sidecars
from lorasmith.errors import DatasetError, InputError
from lorasmith.findings import MendChange
from lorasmith.images.copies import best_copy
from lorasmith.images.measures import Measures, copy_of
from lorasmith.images.picture_cache import PictureCache
from lorasmith.images.read import read_picture
from lorasmith.images.upscale import check_networks
from lorasmith.progress import Progress

THREADS = min(8, os.cpu_count() or 1)

Result = TypeVar("Result")


@dataclass(frozen=True)
class Proposal:
    """What would be done to one picture."""

    path: Path
    steps: tuple[Step, ...]
    """Empty where nothing is to be done."""
    before: tuple[int, int] = (0, 0)
    after: tuple[tuple[int, int], ...] = ()
    """Sizes in pixels."""
    why_not: tuple[str, ...] = ()
    """For each change that does nothing here, the reason."""
    problem: str = ""
    """Why the picture cannot be mended; '' where it can."""

    @property
    def words(self) -> str:
        return in_words(self.steps)


def propose(
    root: str | Path, pictures: Sequence[str | Path], changes: Sequence[MendChange], progress: Progress | None = None,
    cache: str | Path | None = None,
) -> list[Proposal]:  # fmt: skip
    """What the changes would do to each picture of the dataset `root`; nothing is changed.

    `cache` is a folder that keeps what was measured, the same as the audit's.

    Ways of `WAYS` are done in its order; those of `WAYS_OF_THEIR_OWN` go alone.

    Raises
    ------
    InputError
        There is no such way, its parameters are wrong, or one that goes alone was asked for with others.

    Examples
    --------
    >>> (proposal,) = ls.propose_mends("my-set", ["my-set/0.png"], [ls.MendChange("rotate", {"degrees": 90})])
    >>> proposal.path.name, proposal.problem
    ('0.png', '')
    """
    paths = [Path(picture) for picture in pictures]
    check_changes(changes)
    if changes and changes[0].way in WAYS_OF_THEIR_OWN:
        return WAYS_OF_THEIR_OWN[changes[0].way](paths, progress, cache)
    ordered = sorted(changes, key=lambda change: list(WAYS).index(change.way))
    upscalers: Upscalers = {}
    root = Path(root)
    by_result = recipes_by_result(root)

    def look(path: Path) -> Proposal:
        return _propose_one(path, ordered, by_result.get(path.relative_to(root).as_posix()), upscalers)

    return list(_looked_at(paths, look, progress))


def check_changes(changes: Sequence[MendChange]) -> None:
    """Raises InputError where `propose` could not do them."""
    for change in changes:
        if change.way in WAYS_OF_THEIR_OWN:
            if len(changes) > 1 or change.parameters:
                raise InputError(f"{change.way!r} goes alone and without parameters: ask for one thing at a time.", code="mend.goes_alone")
            continue
        if change.way not in WAYS:
            known = ", ".join((*WAYS, *WAYS_OF_THEIR_OWN))
            raise InputError(f"There is no way to mend called {change.way!r}: there are {known}.", code="mend.unknown_way", way=change.way)
        checked(change)
        if change.way == "upscale" and change.parameters.get("network"):
            check_networks()


def _looked_at(pictures: Sequence[Path], look: Callable[[Path], Result], progress: Progress | None) -> Iterator[Result]:
    """What a look at each picture gives, in order; several are looked at beside each other."""
    with ThreadPoolExecutor(THREADS) as pool:
        for done, result in enumerate(pool.map(look, pictures), 1):
            yield result
            if progress:
                progress(done, len(pictures))


def _propose_one(path: Path, changes: Iterable[MendChange], recipe: Recipe | None, upscalers: Upscalers) -> Proposal:
    try:
        picture = read_picture(path)
        look, why_not, after = Look(path, picture, [], upscalers), [], [picture]
        for change in changes:
            if change.way == "flatten" and recipe is not None:
                why_not.append("it is flat since it was mended")
                continue
            step = WAYS[change.way](look, **checked(change))
            if isinstance(step, str):
                why_not.append(step)
                continue
            if isinstance(step, Flatten):
                look.picture = read_picture(path, step.background)
            after = step.apply(look.picture, upscalers)
            look.steps.append(step)
            if len(after) != 1:
                break
            look.picture = after[0]
    except DatasetError as error:
        return Proposal(path, (), problem=str(error))
    return Proposal(path, tuple(look.steps), picture.size, tuple(one.size for one in after), tuple(why_not))


# Ways that no look at a single picture decides


def removal(pictures: Sequence[Path], progress: Progress | None = None, cache: str | Path | None = None) -> list[Proposal]:
    """Each picture would go to the bin, also one that cannot be read."""
    return [Proposal(path, (Remove(why="by hand"),)) for path in pictures]


def removal_of_duplicates(pictures: Sequence[Path], progress: Progress | None = None, cache: str | Path | None = None) -> list[Proposal]:
    """For each group of near duplicates, all but the best copy would go to the bin: the one that the audit names, too.

    Where the best copy has no caption, it gets that of another. Of copies in different folders none goes: there they belong to different
    concepts.
    """
    if not pictures:
        return []
    root = Path(os.path.commonpath([path.parent for path in pictures]))
    found: list[Proposal] = []
    by_folder: dict[Path, list[Picture]] = {}
    with PictureCache(cache) as known:
        for done, (picture, _) in enumerate(measure_all(root, pictures, known, THREADS), 1):
            if picture.measures.problem:
                found.append(Proposal(picture.path, (), problem=picture.measures.problem))
            else:
                by_folder.setdefault(picture.path.parent, []).append(picture)
            if progress:
                progress(done, len(pictures))
        for folder, sound in by_folder.items():
            for group in copies_among(sound, known, folder):
                members = [(sound[index].path, sound[index].measures, index in group.mirrored) for index in group.indices]
                found += _removals(members, members[best_copy([copy_of(*member) for member in members])][0])
    return sorted(found, key=lambda proposal: proposal.path)


def _removals(members: Sequence[tuple[Path, Measures, bool]], best: Path) -> Iterator[Proposal]:
    """All copies but the best would go; each says what becomes of its caption."""
    captions = {path: caption_beside(path) for path, _, _ in members}
    heir_of = None if captions[best] else next((path for path, text in captions.items() if text), None)
    stays = captions[best if heir_of is None else heir_of]
    for path, look, _ in members:
        if path == best:
            continue
        why = f"near duplicate of {best.name}"
        if path == heir_of:
            why += ", which gets its caption"
        elif captions[path] and captions[path] != stays:
            why += f"; its caption differs and goes with it: {captions[path][:80]}"
        yield Proposal(path, (Remove(why=why, captions_to=best.name if path == heir_of else ""),), look.size)


def caption_beside(picture: Path) -> str:
    """What the caption beside a picture says, without line breaks at its ends; "" where there is none."""
    return next((file.read_bytes().decode("utf-8", "replace").strip() for file in sidecars(picture)), "")


WAYS_OF_THEIR_OWN: Mapping[str, Callable[[Sequence[Path], Progress | None, str | Path | None], list[Proposal]]] = {
    "duplicates": removal_of_duplicates,
    "remove": removal,
}
