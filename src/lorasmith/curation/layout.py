"""Lay a dataset out in `N_name` folders: N repeats of each picture, `name` the concept, which is used for missing captions.

Loose pictures and plain folders become concepts, the repeats of several concepts are balanced (see `balance`), a folder is marked as
regularisation pictures by moving it into `regularisation/`, and pictures held out for evaluation move into `holdout/`. Nothing but
names changes. All moves are written down before the first is made; if the work is interrupted, the next call finishes it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from lorasmith.command_line import quoted
from lorasmith.curation.moved import Move
from lorasmith.curation.moves import make_moves
from lorasmith.curation.names import TakenNames, safe_folder
from lorasmith.dataset_folder import CAPTION_SUFFIXES, LOCK, REGULARISATION, SET_ASIDE, is_no_folder, is_picture, pictures_in
from lorasmith.datasets.balance import USUAL_EPOCHS, Share, balanced_repeats, findings_of
from lorasmith.datasets.folders import concept_in
from lorasmith.errors import DatasetError, InputError
from lorasmith.findings import Finding
from lorasmith.pages.numbers import count


@dataclass(frozen=True)
class Concept:
    """One folder of the layout."""

    folder: str
    """Its place in the dataset: `5_anna, red hat`, `regularisation/1_woman`."""
    name: str
    share: Share
    is_reg: bool = False


@dataclass(frozen=True)
class Layout:
    """How a dataset would be laid out."""

    concepts: tuple[Concept, ...]
    moves: tuple[Move, ...]
    findings: tuple[Finding, ...]
    """Concepts that would over-bake."""

    @property
    def samples_per_epoch(self) -> int:
        """Samples in one epoch, without regularisation pictures."""
        return sum(concept.share.samples for concept in self.concepts if not concept.is_reg)


def plan_layout(
    root: str | Path,
    *,
    concept: str | None = None,
    names: Mapping[str, str] | None = None,
    repeats: Mapping[str, int] | None = None,
    regularisation: Sequence[str] = (),
    base_repeats: int = 1,
    epochs: int = USUAL_EPOCHS,
) -> Layout:
    """How the dataset would be laid out; nothing is changed.

    `concept` is the name for the loose pictures. `names` gives folders other names, `repeats` sets those of some concepts by hand, and
    `regularisation` lists folders to mark; all by the folder's name or, of an `N_name` folder, its name alone. All other repeats are
    balanced, with `base_repeats` for the concept with the most pictures.

    Raises:
        DatasetError: there are no pictures, or loose ones without a `concept`.
        InputError: a folder that is named here does not exist.
    """
    root = Path(root)
    names, repeats = dict(names or {}), dict(repeats or {})
    found = _FoundFolders.of(root)
    _check_request(found, concept, (*names, *repeats, *regularisation), names.values())

    counts: dict[str, int] = {}
    sources: dict[str, list[Path]] = {}
    reg: dict[str, list[Path]] = {}
    for folder in (*found.folders, *found.marked):
        name = _concept_name(folder.name)
        called = safe_folder(names.get(folder.name, names.get(name, name)))
        is_reg = folder.parent != root or folder.name in regularisation or name in regularisation
        (reg if is_reg else sources).setdefault(called, []).append(folder)
        if not is_reg:
            counts[called] = counts.get(called, 0) + len(_pictures(folder))
    if found.loose and concept is not None:
        called = safe_folder(concept)
        counts[called] = counts.get(called, 0) + len(found.loose)
        sources.setdefault(called, [])
    shares = balanced_repeats(counts, base_repeats, epochs)
    for asked, times in repeats.items():
        called = safe_folder(names.get(asked, _concept_name(asked)))
        if called in shares:
            shares[called] = replace(shares[called], repeats=times)

    concepts, moves = [], []
    for called, share in shares.items():
        goal = f"{min(999, share.repeats)}_{called}"
        concepts.append(Concept(goal, called, share))
        moves += _moves_into(root, sources[called], goal)
    if found.loose and concept is not None:
        goal = f"{min(999, shares[safe_folder(concept)].repeats)}_{safe_folder(concept)}"
        moves += [(picture.name, f"{goal}/{picture.name}") for picture in found.loose]
    for called, marked in reg.items():
        times = next((times for asked, times in repeats.items() if asked in (called, *(one.name for one in marked))), 1)
        goal = f"{REGULARISATION}/{times}_{called}"
        concepts.append(Concept(goal, called, Share(sum(len(_pictures(one)) for one in marked), times, epochs), is_reg=True))
        moves += _moves_into(root, marked, goal)
    return Layout(tuple(concepts), tuple(_without_clashes(root, moves)), tuple(findings_of(shares)))


@dataclass(frozen=True)
class _FoundFolders:
    """What is there before a layout."""

    root: Path
    loose: list[Path]
    """Pictures straight in the dataset's folder."""
    folders: list[Path]
    """Folders of pictures in it."""
    marked: list[Path]
    """Folders of regularisation pictures."""

    @classmethod
    def of(cls, root: Path) -> _FoundFolders:
        if not root.is_dir():
            raise is_no_folder(root)
        names = sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and not entry.name.startswith("."))
        folders = [folder for folder in (root / name for name in names) if _pictures(folder)]
        marked = [folder for folder in sorted((root / REGULARISATION).glob("*")) if folder.is_dir() and _pictures(folder)]
        return cls(root, _pictures(root), folders, marked)


def _check_request(found: _FoundFolders, concept: str | None, asked: Iterable[str], new_names: Iterable[str]) -> None:
    """Raises InputError where a folder that is `asked` for does not exist, DatasetError where there is nothing to lay out."""
    root = found.root
    known = {name for folder in (*found.folders, *found.marked) for name in (folder.name, _concept_name(folder.name))}
    known |= {concept} if concept else set()
    for name in asked:
        if name not in known | set(new_names):
            there = ", ".join(sorted(filter(None, known))) or "none"
            raise InputError(f"{root} has no folder {name!r}: there are {there}.", code="layout.no_such_folder", folder=name)
    if found.loose and concept is None:
        raise DatasetError(
            f"{root} holds {count(len(found.loose), 'picture')} in no folder: say what {'it is' if len(found.loose) == 1 else 'they are'} called (--concept NAME).",
            code="layout.no_concept", folder=str(root),
        )  # fmt: skip
    if not found.loose and not found.folders:
        raise DatasetError(
            f"{root} holds no pictures: import some first (lorasmith import SOURCE --into {quoted(root)}).",
            code="dataset.no_pictures",
            folder=str(root),
        )


def lay_out(root: str | Path, layout: Layout) -> None:
    """Make the moves of a layout; captions, records and mends follow. Raises DatasetError where something is in the way."""
    make_moves(Path(root), layout.moves, f"lay out {', '.join(concept.folder for concept in layout.concepts)}")


@contextmanager
def rehearsal(root: Path) -> Iterator[Path]:
    """A stand-in for the dataset, with links in place of its pictures: what is moved there shows what would be moved here."""

    def stand_in(old: str, new: str) -> None:
        if Path(old).suffix in (".json", ".jsonl", *CAPTION_SUFFIXES):
            shutil.copy2(old, new)  # what may be written to
        else:
            _link_or_copy(Path(old).resolve(), new)

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / root.resolve().name
        shutil.copytree(root, place, copy_function=stand_in, ignore=lambda _, names: {LOCK.name} & set(names))
        yield place


def _link_or_copy(old: Path, new: str) -> None:
    """Windows makes symbolic links only for users with rights of their own, and no system links files of two disks otherwise."""
    for link in (os.symlink, os.link):
        with contextlib.suppress(OSError):
            link(old, new)
            return
    shutil.copy2(old, new)


def _moves_into(root: Path, folders: Sequence[Path], goal: str) -> list[Move]:
    """A folder is renamed; where several become one, the pictures of the others move into it."""
    moves: list[Move] = []
    ordered = sorted(folders, key=lambda folder: folder.relative_to(root).as_posix() != goal)
    for folder in ordered:
        place = folder.relative_to(root).as_posix()
        if folder is ordered[0]:
            moves += [] if place == goal else [(place, goal)]
        else:
            moves += [(f"{place}/{picture.name}", f"{goal}/{picture.name}") for picture in _pictures(folder)]
    return moves


def _without_clashes(root: Path, moves: Sequence[Move]) -> list[Move]:
    """The moves with new names where two pictures would share one."""
    back = {new: old for old, new in moves}
    taken: dict[str, TakenNames] = {}
    clear = []
    for old, new in moves:
        path = PurePosixPath(new)
        if not is_picture(new) or (root / old).is_dir():
            clear.append((old, new))
            continue
        goal = path.parent.as_posix()
        if goal not in taken:
            now = root / back.get(goal, goal)
            taken[goal] = TakenNames(file.stem for file in now.iterdir()) if now.is_dir() else TakenNames()
        clear.append((old, f"{goal}/{taken[goal].claim(path.stem)}{path.suffix}"))
    return clear


def _concept_name(folder: str) -> str:
    concept = concept_in(folder)
    return concept.name if concept is not None and concept.name is not None else folder


def _pictures(folder: Path) -> list[Path]:
    return [] if folder.name in SET_ASIDE or not folder.is_dir() else pictures_in(folder)


def settings_for(root: str | Path) -> str:
    """The `[[datasets]]` of a run's settings that train on the dataset as it is laid out."""
    root = Path(root)
    lines = [f"[[datasets]]\npath = {json.dumps(str(root), ensure_ascii=False)}\n"]
    if (root / REGULARISATION).is_dir():
        lines.append(f"[[datasets]]\npath = {json.dumps(str(root / REGULARISATION), ensure_ascii=False)}\nis_reg = true\n")
    return "\n".join(lines)
