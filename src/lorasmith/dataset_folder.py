"""What a dataset's folder is, for every room that reads or changes one.

    anna/
      cat.png  cat.txt               a picture, and its caption beside it under the same name
      cat-masklabel.png              its mask: what is black there does not count in the loss
      10_anna, red hat/...           kohya's folders: 10 repeats of `anna, red hat`
      holdout/1_anna, red hat/...    pictures that judge the LoRA and are never trained on
      regularisation/1_woman/...     pictures that keep the base as it was
      .lorasmith/                    what Lorasmith knows about the dataset

One walk finds the pictures, one lock guards whatever changes files, and every path inside `.lorasmith` is named here.
See docs/decisions/0027-one-dataset-folder.md.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath

from filelock import FileLock, Timeout

from lorasmith.atomic import sync_folder
from lorasmith.cache_folder import TAG
from lorasmith.command_line import quoted
from lorasmith.errors import DatasetError
from lorasmith.lock_holder import holder_of, sign
from lorasmith.stores import url_of

log = logging.getLogger(__name__)

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif", ".apng", ".jfif", ".heic", ".heif", ".jxl")
"""Suffixes of pictures, in lower case."""

CAPTION_SUFFIXES = (".txt", ".caption")
"""Suffixes of captions, in lower case; a picture that has both is captioned by the first."""

HOLDOUT, REGULARISATION = "holdout", "regularisation"
"""Folders of a dataset whose pictures judge the LoRA, or are trained on as `is_reg`."""

SET_ASIDE = (HOLDOUT, REGULARISATION)
"""Folders of a dataset whose pictures are no training images."""

REGULARISATION_NAMES = (REGULARISATION, "regularization", "reg")
"""What people call a folder of regularisation pictures, in lower case."""

SYSTEM_FILES = (
    "thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "system volume information", "lost+found",
    "$recycle.bin", "recycler", "#recycle", "@recycle", "@eadir", "@__thumb", "#snapshot",
    "_latent_cache", "_t_e_cache", "_clip_vision_cache",
)  # fmt: skip
"""Names, in lower case, of what desktops, network drives and other trainers' caches leave in folders."""

MASKS_ARE_BESIDE = "A mask is a PNG beside its picture, under its name: cat-masklabel.png for cat.jpg."

MASK_ENDING = "-masklabel"
"""End of the name of a picture's mask beside it, as OneTrainer names them."""

NOT_PICTURES = (MASK_ENDING, "-condlabel")
"""Ends of the names of what OneTrainer keeps beside pictures: masks, and conditioning pictures."""

# What Lorasmith keeps with a dataset, as paths below its folder

STATE = Path(".lorasmith")
LOCK = STATE / "lock"
CAPTION_HISTORY = STATE / "captions.sqlite"
TAG_PROBABILITIES = STATE / "probabilities.sqlite"
DESCRIPTIONS = STATE / "descriptions.sqlite"
IMPORTED = STATE / "imported.jsonl"
INCOMING = STATE / "incoming"
MOVES = STATE / "moves.json"
MOVED = STATE / "moved.jsonl"
RECIPES = STATE / "mends"
ORIGINALS = STATE / "originals"
BIN = STATE / "bin"
WRITTEN_ASIDE = STATE / "aside"
HOLDOUT_DECISIONS = STATE / "holdout.json"
RIGHTS = STATE / "rights.json"


# The one walk


def walk(
    root: str | Path, *, depth: int | None = None, through_links: bool = False, leave_out: Collection[str] = ()
) -> Iterator[tuple[str, list[str]]]:
    """Each folder of a dataset with the names of its files, both in order: (path below `root` with `/`, names); "" is `root` itself.

    A folder comes before the folders inside it. Hidden files and folders (`.lorasmith` is one) and those that desktops leave behind are
    passed over, and so are caches inside `root` (`cache_folder`). `depth` is how many levels below `root` are read: 0 for `root` alone.
    `through_links` follows links to folders, each folder once. `leave_out` names folders straight in `root` that are not entered, such as `SET_ASIDE`.

    Paths are plain strings, because at 100,000 files making a `Path` of each would take longer than the disk.
    """
    if url_of(root) is not None:
        raise is_no_folder(root)
    waiting, seen = [""], set()
    while waiting:
        place = waiting.pop()
        here = os.path.join(root, place)
        if through_links:
            real = os.path.realpath(here)
            if real in seen:
                continue
            seen.add(real)
        files: list[str] = []
        folders: list[str] = []
        with os.scandir(here) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name.lower() in SYSTEM_FILES:
                    continue
                if _is_file(entry):
                    files.append(entry.name)
                elif _is_folder(entry, through_links) and not (place == "" and entry.name in leave_out):
                    folders.append(entry.name)
        if place and TAG in files:
            continue
        yield place, sorted(files)
        if depth is None or (place.count("/") + 1 if place else 0) < depth:
            waiting += [f"{place}/{name}" if place else name for name in sorted(folders, reverse=True)]


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link to itself
        return False


def _is_folder(entry: os.DirEntry[str], through_links: bool) -> bool:
    try:
        return entry.is_dir(follow_symlinks=through_links)
    except OSError:
        return False


def pictures_below(
    root: str | Path, *, depth: int | None = None, through_links: bool = False, leave_out: Collection[str] = ()
) -> list[Path]:
    """The pictures in a folder and in the folders inside it, by name; the options are those of `walk`."""
    found: list[tuple[str, ...]] = []
    for place, names in walk(root, depth=depth, through_links=through_links, leave_out=leave_out):
        parts = tuple(place.split("/")) if place else ()
        found += [(*parts, name) for name in names if is_picture(name)]
    return [Path(root, *parts) for parts in sorted(found)]


def pictures_in(folder: str | Path) -> list[Path]:
    """The pictures straight in a folder, by name."""
    return pictures_below(folder, depth=0)


def is_picture(name: str | Path) -> bool:
    """Whether a file is a picture by its suffix, and by its name not the mask or conditioning picture of one."""
    path = os.fspath(name)
    if path[path.rfind(".") :].lower() not in PICTURE_SUFFIXES:  # most files that are none, at a third of the time
        return False
    stem, suffix = os.path.splitext(path)
    return suffix.lower() in PICTURE_SUFFIXES and not stem.lower().endswith(NOT_PICTURES)


def is_label(name: str | Path) -> bool:
    """Whether a file is by its name the mask or conditioning picture of one: `cat-masklabel.png`, `cat-condlabel.png`."""
    stem, suffix = os.path.splitext(name)
    return suffix.lower() in PICTURE_SUFFIXES and stem.lower().endswith(NOT_PICTURES)


def mask_beside(picture: Path) -> Path:
    """Where a picture's mask is, if it has one beside it: `cat-masklabel.png` for `cat.jpg`."""
    return picture.with_name(f"{picture.stem}{MASK_ENDING}.png")


def is_regularisation(place: str | PurePath) -> bool:
    """Whether a path below a dataset's folder is a folder of regularisation pictures, or inside one: their captions are not the subject's."""
    return any(part.lower() in REGULARISATION_NAMES for part in os.fspath(place).replace(os.sep, "/").split("/"))


def regularisation_of(root: str | Path) -> Path | None:
    """The folder of regularisation pictures straight in a dataset's folder; None where it has none."""
    folders = (place for place in sorted(Path(root).iterdir()) if place.name.lower() in REGULARISATION_NAMES and place.is_dir())
    return next((place for place in folders if pictures_below(place)), None)


def caption_names(picture: str) -> list[str]:
    """What the captions of a picture may be called, the first counts: `cat.txt` for `cat.png`, or `cat.png.txt`, as downloaders name them."""
    return [name + suffix for suffix in CAPTION_SUFFIXES for name in (os.path.splitext(picture)[0], picture)]


def sidecars(picture: Path) -> list[Path]:
    """The captions beside a picture that exist."""
    return [file for name in caption_names(picture.name) if (file := picture.with_name(name)).is_file()]


def holds_no_pictures(root: str | Path) -> DatasetError:
    """The error for a folder without pictures; it says where further down there are some."""
    below = next((Path(root, place) for place, names in walk(root) if place and any(map(is_picture, names))), None)
    where = (
        "give the folder that holds the pictures."
        if below is None
        else f"{below} holds pictures; open that folder, or the one around it if it is named N_name."
    )
    return DatasetError(f"{root} holds no pictures ({' '.join(PICTURE_SUFFIXES)}): {where}", code="dataset.no_pictures", folder=str(root))


# The one lock

SOON = 1.0
"""Seconds after which it is said that another program is waited for."""


@contextmanager
def locked(root: str | Path, patience: float = 0.0) -> Iterator[None]:
    """No other program changes the dataset's files meanwhile: pictures, captions, or what is kept about them.

    `patience` is how many seconds to wait for another program.

    Raises:
        DatasetError: the folder does not exist, or another program is still using it (`dataset.locked`).
    """
    folder = Path(root)
    if not folder.is_dir():
        raise is_no_folder(root)
    make_state_folder(folder)
    lock = _taken(folder, patience)
    sign(folder / LOCK)
    try:
        yield
    finally:
        now = time.time_ns()  # finer than the clock by which file systems date what is written
        os.utime(folder / LOCK, ns=(now, now))
        lock.release()


def is_no_folder(root: str | Path) -> DatasetError:
    """The error for a dataset that is not a folder of this machine."""
    url = url_of(root)
    what = (
        f"{root} is not a folder: give the dataset's folder, or import pictures into it first."
        if url is None
        else f"{url} is in a store, where nothing is changed: bring it here first with `lorasmith import {quoted(url)} --into FOLDER`, and work on that folder."
    )
    return DatasetError(what, code="dataset.no_folder", folder=str(root))


def _taken(root: Path, patience: float) -> FileLock:
    lock = FileLock(root / LOCK)
    try:
        lock.acquire(timeout=min(patience, SOON))
    except Timeout:
        if patience <= SOON:
            raise _is_locked(root) from None
        log.warning("%s Waiting up to %.0f s.", _is_locked(root), patience)
        try:
            lock.acquire(timeout=patience - SOON)
        except Timeout:
            raise _is_locked(root) from None
    return lock


def _is_locked(root: Path) -> DatasetError:
    holder = holder_of(root / LOCK)
    return DatasetError(
        f"{root} is being changed by another program ({holder or 'an import, mend, layout or caption edit'}): wait until it is done.",
        code="dataset.locked", folder=str(root), program=holder and holder.program, process=holder and holder.process,
    )  # fmt: skip


def last_change(root: str | Path) -> int:
    """Another number whenever a program of ours has changed the dataset's files (`locked`); 0 where none has. What others change is not seen."""
    try:
        return os.stat(os.path.join(root, LOCK)).st_mtime_ns
    except OSError:
        return 0


def make_state_folder(root: Path) -> None:
    """Make the dataset's `.lorasmith`, lasting through a power cut, where there is none."""
    if not (root / STATE).exists():
        (root / STATE).mkdir(exist_ok=True)
        sync_folder(root)
