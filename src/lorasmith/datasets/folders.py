"""A folder of pictures with captions beside them, checked whole before anything is trained on it.

Two layouts are read. A plain folder holds pictures, and beside `cat.png` its caption `cat.txt`. A kohya folder holds subfolders
named `N_name`: each of their pictures counts N times in an epoch, and `name` stands in for captions that are missing.

Nothing is skipped in silence: what is left out of training, and what looks like a mistake, comes back as a `Problem`.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lorasmith.captions.caption import read_caption
from lorasmith.dataset_folder import (
    CAPTION_SUFFIXES,
    PICTURE_SUFFIXES,
    SET_ASIDE,
    STATE,
    holds_no_pictures,
    is_picture,
    walk,
)
from lorasmith.errors import DatasetError, SettingsError
from lorasmith.images.read import content_hash, picture_size, read_picture

SMALLEST_SIDE = 8
"""Pixels. One latent cell covers 8 x 8 pixels: a thinner picture has none."""

WIDEST_RATIO = 4.0
"""Long side over short side. Buckets end about here; what a picture has beyond is cropped away."""

DECODERS = 2
"""Threads that decode pictures in the check."""

ProblemKind = Literal[
    "unreadable picture",
    "too small",
    "extreme aspect",
    "caption missing",
    "caption empty",
    "caption unreadable",
    "caption without picture",
    "caption not used",
    "caption shared",
    "unknown file",
    "duplicate",
    "folder not read",
    "picture beside folders",
    "mask missing",
    "mask unfit",
    "mask empty",
    "mask without picture",
    "regularisation not needed",
]


@dataclass(frozen=True)
class Picture:
    """A picture to train on, with what is said about it."""

    path: Path
    caption: str | None
    """As the caption file has it, all lines; None where nothing says anything about the picture."""
    size: tuple[int, int]
    """Width and height in pixels, upright."""
    folder: str
    """The folder it lies in, seen from the opened folder: `10_anna`; for pictures in the opened folder itself, that one's name."""
    repeats: int
    """How often it is shown in one epoch."""
    is_reg: bool = False
    """Whether it belongs to a regularisation set: it keeps the base model as it was."""
    content: str = ""
    """Hash of its bytes (sha256, hex); empty where the folder was opened without `verify`."""


@dataclass(frozen=True)
class Problem:
    """Something about a dataset that its owner should know."""

    path: Path
    kind: ProblemKind
    sentence: str
    """Which file, what is wrong, what to do."""
    fatal: bool
    """Whether the picture (or the folder) is left out of training for it."""


@dataclass(frozen=True)
class FolderContents:
    """The pictures of a folder that can be trained on, and the problems found; both in a fixed order."""

    pictures: tuple[Picture, ...]
    problems: tuple[Problem, ...]


def open_folder(
    path: Path | str,
    *,
    repeats: int | None = None,
    is_reg: bool = False,
    caption_extension: str | Sequence[str] = CAPTION_SUFFIXES,
    recursive: bool = False,
    missing_caption: str | None = None,
    verify: bool = True,
) -> FolderContents:
    """The pictures in a folder with their captions, sorted by folder and name.

    `repeats` overrides the N of folders named `N_name` (the opened folder may be one itself); without either it is 1.
    `caption_extension` are the endings of caption files; the first that a picture has counts. `recursive` reads all folders below, too.
    `missing_caption` is said of pictures without a caption file; without it, the name of an `N_name` folder is.
    `verify` decodes every picture, so that damage is found now and not in the night; without it only headers are read, and equal files
    go unseen. Files and folders whose name begins with a dot, and those that desktops leave behind, are passed over, and so
    are the folders for evaluation and regularisation that `lorasmith layout` made.

    Raises:
        DatasetError: there is no such folder, it is a file, or no picture in it can be used.
        SettingsError: `repeats` is below 1.
    """
    root = Path(path)
    _refuse_what_is_no_folder(root)
    if repeats is not None and repeats < 1:
        raise SettingsError(f"repeats is {repeats} for {root}, but must be at least 1: to leave the folder out, take it off the list.")
    given = (caption_extension,) if isinstance(caption_extension, str) else caption_extension
    endings = tuple("." + ending.lower().removeprefix(".") for ending in given)
    problems: list[Problem] = []

    found = [
        _Found(picture, caption, Concept(repeats or concept.repeats, concept.name))
        for files, concept in _folders(root, recursive, problems)
        for picture, caption in _captioned_files(files, endings, problems)
    ]
    if not recursive:
        found = _without_loose_ones(found, root, problems)
    pictures: list[Picture] = []
    with ThreadPoolExecutor(DECODERS) as pool:
        looks = pool.map(lambda one: _look(one.path, verify), found)
        for one, look in zip(found, looks, strict=True):
            size = _sound_size(one.path, look, problems)
            if size is None:
                continue
            try:
                caption = _caption(one, missing_caption, problems)
            except DatasetError as error:
                problems.append(Problem(one.path, "caption unreadable", str(error), fatal=True))
                continue
            folder = one.path.parent.relative_to(root).as_posix()
            name = _name(root) if folder == "." else folder
            pictures.append(Picture(one.path, caption, size, name, one.concept.repeats, is_reg, look.content_hash))
    if verify:
        problems += _duplicates({picture.path: picture.content for picture in pictures})

    problems.sort(key=lambda problem: (problem.path, problem.kind))
    if not pictures:
        raise _nothing_usable(root, problems)
    return FolderContents(tuple(pictures), tuple(problems))


# Which files belong together


@dataclass(frozen=True)
class Concept:
    """What a folder's name says of its pictures."""

    repeats: int = 1
    name: str | None = None


@dataclass(frozen=True)
class _Found:
    path: Path
    caption: Path | None
    concept: Concept


def _folders(root: Path, recursive: bool, problems: list[Problem]) -> Iterator[tuple[list[Path], Concept]]:
    """The files of each folder to read, in order, with its own name's concept or, if it has none, that of the folder around it."""
    concepts: dict[str, Concept] = {}
    set_aside = SET_ASIDE if (root / STATE).is_dir() else ()  # `lorasmith layout` made them: not even a recursive reading takes them
    for place, names in walk(root, depth=None if recursive else 2, through_links=True, leave_out=set_aside):
        folder = root / place
        around, _, name = place.rpartition("/")
        own = concept_in(name if place else _name(root))
        if recursive or not place or (own is not None and not around):
            concepts[place] = own or concepts.get(around) or Concept()
            yield [folder / name for name in names], concepts[place]
        elif around in concepts and any(map(is_picture, names)):
            sentence = f"{folder} holds pictures and is left out: open it by itself, name it N_name for N repeats, or read recursively."
            problems.append(Problem(folder, "folder not read", sentence, fatal=True))


def concept_in(folder_name: str) -> Concept | None:
    """`10_anna` says 10 repeats of anna. Four digits are a year rather than repeats: `2024_holiday` is no concept."""
    match = re.fullmatch(r"([1-9]\d{0,2})_\s*(\S.*?)\s*", folder_name, re.ASCII)
    return Concept(int(match[1]), match[2]) if match else None


def _captioned_files(files: Sequence[Path], endings: tuple[str, ...], problems: list[Problem]) -> Iterator[tuple[Path, Path | None]]:
    """Each picture among the files of a folder with its caption file, by name; every other file is reported."""
    pictures = [file for file in files if is_picture(file)]
    stems = {picture.stem for picture in pictures}
    captions: dict[str, Path] = {}
    texts = [file for file in files if file.suffix.lower() in endings]
    for text in sorted(texts, key=lambda text: endings.index(text.suffix.lower())):
        if text.stem not in stems:
            sentence = f"{text} has no picture beside it: name it as its picture is named, or delete it."
            problems.append(Problem(text, "caption without picture", sentence, fatal=False))
        elif (first := captions.setdefault(text.stem, text)) != text:
            sentence = f"{text} is not used because {first.name} captions the same picture: keep one of the two."
            problems.append(Problem(text, "caption not used", sentence, fatal=False))
    for file in files:
        if not is_picture(file) and file not in texts:
            sentence = (
                f"{file} is neither a picture ({' '.join(PICTURE_SUFFIXES)}) nor a caption ({' '.join(endings)}) and is passed over: "
                "convert it if it is a picture, or move it elsewhere."
            )
            problems.append(Problem(file, "unknown file", sentence, fatal=False))
    first_of: dict[str, Path] = {}
    for picture in pictures:
        caption = captions.get(picture.stem)
        twin = first_of.setdefault(picture.stem, picture)
        if twin != picture and caption is not None:
            sentence = (
                f"{caption} captions both {twin.name} and {picture.name}: if they differ, give one another name and a caption of its own."
            )
            problems.append(Problem(picture, "caption shared", sentence, fatal=False))
        yield picture, caption


def _without_loose_ones(found: list[_Found], root: Path, problems: list[Problem]) -> list[_Found]:
    """What lies in `N_name` folders, if there are any: pictures beside such folders have no number of repeats."""
    inside = [one for one in found if one.path.parent != root]
    if not inside:
        return found
    for one in found:
        if one.path.parent == root:
            sentence = f"{one.path} lies beside folders named N_name and is left out: move it into one of them."
            problems.append(Problem(one.path, "picture beside folders", sentence, fatal=True))
    return inside


def _name(root: Path) -> str:
    return root.resolve().name  # "." has a name, too


# Whether they can be used


@dataclass(frozen=True)
class _Look:
    """What looking at a picture gave: its size, or what is wrong with it."""

    size: tuple[int, int] = (0, 0)
    content_hash: str = ""
    error: str | None = None


def _look(picture: Path, verify: bool) -> _Look:
    try:
        if not verify:
            return _Look(picture_size(picture))
        return _Look(read_picture(picture).size, content_hash(picture))
    except DatasetError as error:
        return _Look(error=str(error))


def _sound_size(picture: Path, look: _Look, problems: list[Problem]) -> tuple[int, int] | None:
    """Width and height in pixels, or None if the picture cannot be trained on."""
    if look.error is not None:
        problems.append(Problem(picture, "unreadable picture", look.error, fatal=True))
        return None
    width, height = look.size
    ratio = max(look.size) / min(look.size)
    if min(look.size) < SMALLEST_SIDE:
        sentence = (
            f"{picture} is {width} x {height} pixels, but needs {SMALLEST_SIDE} on each side: take a larger copy of it, or delete it."
        )
        problems.append(Problem(picture, "too small", sentence, fatal=True))
        return None
    if ratio > WIDEST_RATIO:
        sentence = (
            f"{picture} is {width} x {height} pixels, {ratio:.1f} times as long as wide, and about {1 - WIDEST_RATIO / ratio:.0%} of it "
            "will be cropped away: crop it yourself to what matters."
        )
        problems.append(Problem(picture, "extreme aspect", sentence, fatal=False))
    return look.size


def _caption(one: _Found, missing_caption: str | None, problems: list[Problem]) -> str | None:
    """What is said about a picture: its caption file, else what the caller gave, else the name of its folder."""
    if one.caption is not None:
        caption = read_caption(one.caption)
        if not caption.strip():
            sentence = f"{one.caption} is empty, and its picture will be trained without words: write what the picture shows."
            problems.append(Problem(one.caption, "caption empty", sentence, fatal=False))
        return caption
    if missing_caption is not None:
        return missing_caption
    name = one.concept.name
    stand_in = "will be trained without words" if name is None else f"will be called {name!r} after its folder"
    sentence = f"{one.path} has no caption and {stand_in}: write {one.path.with_suffix('.txt').name} beside it."
    problems.append(Problem(one.path, "caption missing", sentence, fatal=False))
    return name


def _duplicates(hashes: dict[Path, str]) -> Iterable[Problem]:
    first: dict[str, Path] = {}
    for picture, digest in hashes.items():
        twin = first.setdefault(digest, picture)
        if twin != picture:
            sentence = f"{picture} is the same file as {twin}: delete one of them, or give that folder more repeats if it shall weigh more."
            yield Problem(picture, "duplicate", sentence, fatal=False)


# Whether there is anything at all


def _refuse_what_is_no_folder(root: Path) -> None:
    if root.is_dir():
        return
    if not root.exists():
        raise DatasetError(f"{root} does not exist: give the folder that holds the pictures.")
    if zipfile.is_zipfile(root) or root.suffix.lower() in (".zip", ".rar", ".7z", ".tar", ".gz", ".tgz"):
        raise DatasetError(f"{root} is an archive: bring it in with `lorasmith import {root.name} --into FOLDER` and give that folder.")
    raise DatasetError(f"{root} is a file: give the folder that holds the pictures.")


def _nothing_usable(root: Path, problems: list[Problem]) -> DatasetError:
    """Names up to three of the reasons."""
    reasons = [problem.sentence.removesuffix(".") for problem in problems if problem.fatal]
    if not reasons:
        return holds_no_pictures(root)
    more = f"; and {len(reasons) - 3} more" if len(reasons) > 3 else ""
    return DatasetError(f"{root} holds no picture that can be used: {'; '.join(reasons[:3])}{more}.")
