"""A folder of pictures with captions beside them, checked whole before anything is trained on it.

Two layouts are read. A plain folder holds pictures, and beside `cat.png` its caption `cat.txt`. A kohya folder holds subfolders
named `N_name`: each of their pictures counts N times in an epoch, and `name` is used for captions that are missing.

Nothing is skipped silently: what is left out of training, and what looks like a mistake, comes back as a finding.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePath

from lorasmith.captions.caption import read_caption
from lorasmith.command_line import quoted
from lorasmith.dataset_folder import (
    CAPTION_SUFFIXES,
    HOLDOUT,
    MASKS_ARE_BESIDE,
    PICTURE_SUFFIXES,
    SET_ASIDE,
    STATE,
    holds_no_pictures,
    is_label,
    is_picture,
    mask_beside,
    walk,
)
from lorasmith.errors import DatasetError, SettingsError
from lorasmith.findings import About, Change, Evidence, Finding, Fix, MendChange, Severity
from lorasmith.images.file_part import FilePart
from lorasmith.images.looks import SIZES, Seen, look_at_all
from lorasmith.images.picture_cache import PictureCache
from lorasmith.images.read import picture_size
from lorasmith.stores import here

SMALLEST_SIDE = 8
"""Pixels. One latent cell covers 8 x 8 pixels: a thinner picture has none."""

NOT_READ = "folder_not_read"
"""The rule that names a folder inside the dataset whose pictures are left out."""

WIDEST_RATIO = 4.0
"""Long side over short side. Buckets end about here; what a picture has beyond is cropped away."""

DECODERS = 2
"""Threads that decode pictures in the check."""


@dataclass(frozen=True)
class Picture:
    """A picture to train on, with what is said about it."""

    path: Path
    caption: str | None
    """As the caption file has it, all lines; None where nothing says anything about the picture."""
    size: tuple[int, int]
    """Width and height in pixels, upright."""
    folder: str
    """Its folder, as a path below the opened folder: `10_anna`; for pictures in the opened folder itself, that one's name."""
    repeats: int
    """How often it is trained on in one epoch."""
    is_reg: bool = False
    """Whether it belongs to a regularisation set: it keeps the base model as it was."""
    content: str = ""
    """Hash of its bytes (sha256, hex); empty where the folder was opened without `verify`."""
    part: FilePart | None = None
    """Where its bytes are if it is a member of a shard; `path` then is the shard's with the member's name behind it."""


@dataclass(frozen=True)
class FolderContents:
    """The pictures of a folder that can be trained on, and what is wrong with the folder; both in a fixed order."""

    pictures: tuple[Picture, ...]
    findings: tuple[Finding, ...]
    """Codes begin with `folder.`; an error means that the picture, or the folder, is left out of training."""

    def __repr__(self) -> str:
        return f"FolderContents({len(self.pictures)} pictures, {len(self.findings)} findings)"


def folder_finding(
    rule: str, root: Path, path: Path, message: str, fix: str, *, about: About = "picture", left_out: bool = False,
    evidence: Evidence | None = None, changes: tuple[Change, ...] = (), of_many: str = "",
) -> Finding:  # fmt: skip
    """Something wrong with the file or folder `path` of the dataset `root`; `left_out` where it keeps a picture out of training."""
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    severity: Severity = "error" if left_out else "warning"
    return Finding(f"folder.{rule}", severity, message, about, (name,), evidence, fix=Fix(fix, changes), of_many=of_many)


def open_folder(
    path: Path | str,
    *,
    repeats: int | None = None,
    is_reg: bool = False,
    caption_extension: str | Sequence[str] = CAPTION_SUFFIXES,
    recursive: bool = False,
    missing_caption: str | None = None,
    verify: bool = True,
    cache: str | Path | None = None,
) -> FolderContents:
    """The pictures in a folder, or at its URL in a store, with their captions, sorted by folder and name.

    `repeats` overrides the N of folders named `N_name` (the opened folder may be one itself); without either it is 1.
    `caption_extension` are the suffixes of caption files; the first that a picture has counts. `recursive` reads all folders below, too.
    `missing_caption` is said of pictures without a caption file; without it, the name of an `N_name` folder is.
    `verify` decodes every picture, so that damage is found now and not in the night; without it only headers are read, and equal files
    go unseen; `cache` is a folder that keeps what was decoded, by all commands, so that only what is new or changed is decoded again.
    Files and folders whose name begins with a dot, and those that desktops leave behind, are ignored, and so
    are the folders for evaluation and regularisation that `lorasmith layout` made.

    Raises
    ------
    DatasetError
        There is no such folder, it is a file, or no picture in it can be used.
    SettingsError
        `repeats` is below 1.

    Examples
    --------
    >>> contents = ls.open_dataset("my-set")
    >>> [picture.path.name for picture in contents.pictures]
    ['0.png', '1.png', '2.png', '3.png', '4.png']
    """
    root = here(path)
    _refuse_what_is_no_folder(root)
    if repeats is not None and repeats < 1:
        raise SettingsError(f"repeats is {repeats} for {root}, but must be at least 1: to leave the folder out, take it off the list.")
    given = (caption_extension,) if isinstance(caption_extension, str) else caption_extension
    suffixes = tuple("." + suffix.lower().removeprefix(".") for suffix in given)
    findings: list[Finding] = []

    found = [
        _Found(picture, caption, Concept(repeats or concept.repeats, concept.name))
        for files, concept in _folders(root, recursive, findings)
        for picture, caption in _captioned_files(root, files, suffixes, findings)
    ]
    if not recursive:
        found = _without_loose_ones(found, root, findings)
    pictures: list[Picture] = []
    root_name = _name(root)
    looks = _verified([one.path for one in found], cache) if verify else _read_headers([one.path for one in found])
    for one, look in zip(found, looks, strict=True):
        size = _sound_size(root, one.path, look, findings)
        if size is None:
            continue
        try:
            caption = _caption(root, one, missing_caption, len(found), findings)
        except DatasetError as error:
            findings.append(
                folder_finding(
                    "caption_unreadable",
                    root,
                    one.path,
                    str(error),
                    "Until then its picture is left out.",
                    about="caption",
                    left_out=True,
                )
            )
            continue
        folder = one.path.parent.relative_to(root).as_posix()
        name = root_name if folder == "." else folder
        pictures.append(Picture(one.path, caption, size, name, one.concept.repeats, is_reg, look.content))
    if verify:
        findings += _duplicates(root, {picture.path: picture.content for picture in pictures})

    findings.sort(key=lambda finding: (PurePath(finding.subjects[0]), finding.code))
    if not pictures:
        raise _nothing_usable(root, findings)
    return FolderContents(tuple(pictures), tuple(findings))


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


def _folders(root: Path, recursive: bool, findings: list[Finding]) -> Iterator[tuple[list[Path], Concept]]:
    """The files of each folder to read, in order, with its own name's concept or, if it has none, that of the folder around it."""
    concepts: dict[str, Concept] = {}
    # Those that `lorasmith layout` made are never entered; any hold-out is validation's, by its name.
    set_aside = SET_ASIDE if (root / STATE).is_dir() else () if recursive else (HOLDOUT,)
    for place, names in walk(root, depth=None if recursive else 2, through_links=True, leave_out=set_aside):
        folder = root / place
        around, _, name = place.rpartition("/")
        own = concept_in(name if place else _name(root))
        if recursive or not place or (own is not None and not around):
            concepts[place] = own or concepts.get(around) or Concept()
            yield [folder / name for name in names], concepts[place]
        elif around in concepts and any(map(is_picture, names)):
            message, fix = (
                f"{folder} holds pictures and is left out.",
                "Open it by itself, name it N_name for N repeats, or read recursively.",
            )
            findings.append(folder_finding(NOT_READ, root, folder, message, fix, about="folder", left_out=True))


def concept_in(folder_name: str) -> Concept | None:
    """`10_anna` says 10 repeats of anna. Four digits are a year rather than repeats: `2024_holiday` is not a concept."""
    match = re.fullmatch(r"([1-9]\d{0,2})_\s*(\S.*?)\s*", folder_name, re.ASCII)
    return Concept(int(match[1]), match[2]) if match else None


def _captioned_files(
    root: Path, files: Sequence[Path], suffixes: tuple[str, ...], findings: list[Finding]
) -> Iterator[tuple[Path, Path | None]]:
    """Each picture among the files of a folder with its caption file (`cat.txt`, or `cat.png.txt`); every other file is reported."""
    pictures = [file for file in files if is_picture(file)]
    stems = {picture.stem for picture in pictures}
    names = {picture.name for picture in pictures} - stems
    masks = {mask_beside(picture) for picture in pictures}
    captions: dict[str, Path] = {}
    texts = [file for file in files if file.suffix.lower() in suffixes]
    for text in sorted(texts, key=lambda text: suffixes.index(text.suffix.lower())):
        if text.stem not in stems and text.stem not in names:
            message = f"{text} has no picture beside it."
            findings.append(
                folder_finding(
                    "caption_without_picture", root, text, message, "Give it the name of its picture, or delete it.", about="caption"
                )
            )
        elif (first := captions.setdefault(text.stem, text)) != text:
            findings.append(_not_used(root, text, first))
    for file in files:
        if not is_picture(file) and file.suffix.lower() not in suffixes:
            if is_label(file):
                if file not in masks:
                    message = f"{file} is by its name a mask or conditioning picture, and no picture here has it as its mask."
                    findings.append(folder_finding("mask_without_picture", root, file, message, MASKS_ARE_BESIDE, about="file"))
                continue
            message = f"{file} is neither a picture ({' '.join(PICTURE_SUFFIXES)}) nor a caption ({' '.join(suffixes)}) and is ignored."
            findings.append(
                folder_finding("unknown_file", root, file, message, "Convert it if it is a picture, or move it elsewhere.", about="file")
            )
    first_of: dict[str, Path] = {}
    for picture in pictures:
        own = [captions[name] for name in (picture.stem, picture.name if picture.name in names else None) if name in captions]
        own.sort(key=lambda text: suffixes.index(text.suffix.lower()))
        findings += [_not_used(root, text, own[0]) for text in own[1:]]
        caption = own[0] if own else None
        twin = first_of.setdefault(picture.stem, picture)
        if twin != picture and caption is not None and caption.stem == picture.stem:
            message = f"{caption} captions both {twin.name} and {picture.name}."
            fix = "If they differ, rename one and give it a caption of its own."
            findings.append(folder_finding("caption_shared", root, picture, message, fix))
        yield picture, caption


def _not_used(root: Path, text: Path, first: Path) -> Finding:
    message = f"{text} is not used, because {first.name} captions the same picture."
    return folder_finding("caption_not_used", root, text, message, "Keep one of the two.", about="caption")


def _without_loose_ones(found: list[_Found], root: Path, findings: list[Finding]) -> list[_Found]:
    """The pictures in `N_name` folders, if there are any: pictures beside such folders have no number of repeats."""
    inside = [one for one in found if one.path.parent != root]
    if not inside:
        return found
    for one in found:
        if one.path.parent == root:
            message = f"{one.path} is beside folders named N_name and is left out."
            findings.append(folder_finding("picture_beside_folders", root, one.path, message, "Move it into one of them.", left_out=True))
    return inside


def _name(root: Path) -> str:
    return root.resolve().name  # "." has a name, too


# Whether they can be used


Look = Seen[tuple[int, int]]
"""What looking at a picture gave: width and height in pixels, or what is wrong with it."""


def _verified(paths: Sequence[Path], cache: str | Path | None) -> Iterator[Look]:
    """Every picture decoded whole, unless the cache knows it."""
    with PictureCache(cache) as known:
        yield from look_at_all(paths, SIZES, known, DECODERS)


def _read_headers(paths: Sequence[Path]) -> Iterator[Look]:
    with ThreadPoolExecutor(DECODERS) as pool:
        yield from pool.map(_read_header, paths)


def _read_header(path: Path) -> Look:
    try:
        return Seen(path, value=picture_size(path))
    except DatasetError as error:
        return Seen(path, problem=str(error))


def _sound_size(root: Path, picture: Path, look: Look, findings: list[Finding]) -> tuple[int, int] | None:
    """Width and height in pixels, or None if the picture cannot be trained on."""
    if look.value is None:
        fix, take_out = "Until then it is left out.", (MendChange("remove"),)
        findings.append(folder_finding("unreadable", root, picture, look.problem, fix, left_out=True, changes=take_out))
        return None
    width, height = look.value
    ratio = max(look.value) / min(look.value)
    if min(look.value) < SMALLEST_SIDE:
        message = f"{picture} is {width} x {height} pixels, but needs {SMALLEST_SIDE} on each side."
        evidence, take_out = Evidence(min(look.value), "pixels"), (MendChange("remove"),)
        fix = "Take a larger copy of it, or delete it."
        findings.append(folder_finding("too_small", root, picture, message, fix, left_out=True, evidence=evidence, changes=take_out))
        return None
    if ratio > WIDEST_RATIO:
        message = (
            f"{picture} is {width} x {height} pixels, {ratio:.1f} times as long as wide, and about {1 - WIDEST_RATIO / ratio:.0%} of it "
            "will be cropped away."
        )
        evidence, fix = Evidence(round(ratio, 3), "to 1"), "Crop it yourself to what matters."
        findings.append(folder_finding("extreme_aspect", root, picture, message, fix, evidence=evidence))
    return look.value


def _caption(root: Path, one: _Found, missing_caption: str | None, pictures: int, findings: list[Finding]) -> str | None:
    """A picture's caption: from its file, else what the caller gave, else its folder's name. `pictures` is how many there are."""
    remedy = f"tag them (`lorasmith captions tag {quoted(root)}`), or write what they show."
    if one.caption is not None:
        caption = read_caption(one.caption)
        if not caption.strip():
            message = f"{one.caption} is empty: the trigger alone is said of its picture, if one is set."
            fix, of_many = "Write what the picture shows.", f"{{}} of {pictures} pictures have empty captions: {remedy}"
            findings.append(folder_finding("caption_empty", root, one.caption, message, fix, about="caption", of_many=of_many))
        return caption
    if missing_caption is not None:
        return missing_caption
    name = one.concept.name
    stand_in = "the trigger alone is said of it, if one is set" if name is None else f"will be captioned {name!r} after its folder"
    message = f"{one.path} has no caption{':' if name is None else ' and'} {stand_in}."
    of_many = f"{{}} of {pictures} pictures have no caption{'' if name is None else f' but the name {name!r} of their folder'}: {remedy}"
    fix = f"Write {one.path.with_suffix('.txt').name} beside it."
    findings.append(folder_finding("caption_missing", root, one.path, message, fix, of_many=of_many))
    return name


def _duplicates(root: Path, hashes: dict[Path, str]) -> Iterable[Finding]:
    first: dict[str, Path] = {}
    for picture, digest in hashes.items():
        twin = first.setdefault(digest, picture)
        if twin != picture:
            message = f"{picture} is the same file as {twin}."
            fix = "Take it out, or give that folder more repeats."
            yield folder_finding("duplicate", root, picture, message, fix, changes=(MendChange("remove"),))


# Whether there is anything at all


def _refuse_what_is_no_folder(root: Path) -> None:
    if root.is_dir():
        return
    if not root.exists():
        raise DatasetError(f"{root} does not exist: give the folder that holds the pictures.", code="dataset.no_folder", folder=str(root))
    if zipfile.is_zipfile(root) or root.suffix.lower() in (".zip", ".rar", ".7z", ".tar", ".gz", ".tgz"):
        raise DatasetError(
            f"{root} is an archive: bring it in with `lorasmith import {quoted(root.name)} --into FOLDER` and give that folder.",
            code="dataset.is_archive", file=str(root),
        )  # fmt: skip
    raise DatasetError(f"{root} is a file: give the folder that holds the pictures.", code="dataset.no_folder", folder=str(root))


def _nothing_usable(root: Path, findings: list[Finding]) -> DatasetError:
    """Names up to three of the reasons."""
    reasons = [finding.message.removesuffix(".") for finding in findings if finding.severity == "error"]
    if not reasons:
        return holds_no_pictures(root)
    more = f"; and {len(reasons) - 3} more" if len(reasons) > 3 else ""
    return DatasetError(
        f"{root} holds no picture that can be used: {'; '.join(reasons[:3])}{more}.", code="dataset.no_usable_pictures", folder=str(root)
    )
