"""Bring any pile of pictures into a dataset: files, folders, archives, and datasets made for other trainers.

A dataset is a folder that every trainer can read, pictures with captions beside them, plain or in kohya's `N_name` folders:

    anna/                          anna/
      cat.png  cat.txt               10_anna, red hat/cat.png  cat.txt
      dog.jpg                        5_anna, blue coat/...
      .lorasmith/                    regularisation/1_woman/...
                                     holdout/1_anna, red hat/...

`.lorasmith/imported.jsonl` holds a line for each picture that came in: the hash of its bytes, its place, and where it came from. By
that, importing a pile again adds nothing, also after pictures were renamed, mended or laid out anew.

Sources are only read. Each picture is written aside and renamed into its place, its caption before it, so that the dataset is valid at
every moment; where an import is cut short, the next one goes on. What is left out comes back as a `LeftOut` with its reason.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal

from lorasmith.atomic import write_atomically
from lorasmith.curation.imports.archives import Archive, Limits, is_archive, open_archive
from lorasmith.curation.mend.mend import Progress, alone_in, follow_moves, places_after, recipes
from lorasmith.curation.names import TakenNames, printable, safe_folder, safe_stem
from lorasmith.dataset_folder import (
    CAPTION_SUFFIXES,
    HOLDOUT,
    IMPORTED,
    INCOMING,
    MOVES,
    PICTURE_SUFFIXES,
    REGULARISATION,
    STATE,
    SYSTEM_FILES,
    pictures_below,
    pictures_in,
    sidecars,
)
from lorasmith.datasets.folders import concept_in
from lorasmith.errors import DatasetError, InputError
from lorasmith.images.read import content_hash, picture_size, read_picture

BATCH = 32
"""Pictures that come into the dataset together."""

LARGEST_CAPTION = 2**20
"""Bytes."""

Why = Literal[
    "already there",
    "same picture",
    "unreadable picture",
    "system file",
    "unknown file",
    "caption without picture",
    "caption not used",
    "refused",
    "archive inside",
    "missing",
    "setting of another trainer",
]


@dataclass(frozen=True)
class Added:
    """A picture that came in."""

    path: Path
    source: str
    """Where it came from: `pile.zip/more/cat.png`."""
    captions: tuple[Path, ...]
    renamed: str = ""
    """Why it has another name than in its source; '' where it has not."""


@dataclass(frozen=True)
class LeftOut:
    """Something in a source that did not come in, or not whole."""

    source: str
    why: Why
    sentence: str


@dataclass
class Imported:
    """What an import did."""

    into: Path
    added: list[Added] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    captions_added: list[Path] = field(default_factory=list)
    """Captions of pictures that were there already without one."""
    notes: list[str] = field(default_factory=list)
    stopped: bool = False
    """Whether it was stopped before the end; the same import goes on from there."""


@dataclass
class _Found:
    """A picture in a source, before it is read."""

    name: str
    """Its path in the source, with `/`."""
    source: str
    """The same for a person, with the name of the source."""
    open: Callable[[], IO[bytes]]
    path: Path | None = None
    """Where it is a file."""
    section: str = ""
    concept: str | None = None
    repeats: int = 1
    suffix: str = ""
    captions: dict[str, bytes] = field(default_factory=dict)
    """Ending -> bytes."""


def import_pictures(
    sources: Sequence[Path],
    into: Path,
    *,
    concept: str | None = None,
    repeats: int = 1,
    link: bool = False,
    verify: bool = False,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    limits: Limits | None = None,
) -> Imported:
    """Bring the pictures of the sources with their captions into the dataset `into`, which is made if need be.

    A source is a picture, a folder, a ZIP or TAR archive, the TOML of an sd-scripts dataset, or a JSON with captions (sd-scripts'
    fine-tuning metadata, or a `metadata.jsonl`). `concept` and `repeats` say where pictures go that lie in no `N_name` folder; without
    it they lie in the dataset's folder itself or, if there are `N_name` folders, in one named after the dataset. `link` makes hard
    links instead of copies where the disk can. `verify` decodes each picture whole instead of its header alone.
    `cancelled` is asked before each picture.

    Raises:
        DatasetError: a source does not exist, or is an archive that cannot be read or would do harm; or the dataset is in use.
        InputError: a source is the dataset itself.
    """
    report = Imported(into)
    if into.exists() and not into.is_dir():
        raise DatasetError(f"{into} is a file: name a folder for the dataset.")
    for source in sources:
        _refuse_source(source, into)
    with ExitStack() as open_archives:
        found = [one for source in sources for one in _survey(source, into, report, open_archives, limits)]
        if concept is not None:
            for one in found:
                if one.concept is None:
                    one.concept, one.repeats = safe_folder(concept), repeats
        into.mkdir(parents=True, exist_ok=True)
        with alone_in(into):
            finish_moves(into)
            place = _Place(into, report, link, verify)
            place.choose_layout(found)
            for number, one in enumerate(found):
                if cancelled():
                    report.stopped = True
                    break
                place.take_in(one)
                if progress:
                    progress(number + 1, len(found))
            place.close()
    return report


# What a source holds


def _refuse_source(source: Path, into: Path) -> None:
    if not source.exists():
        raise DatasetError(f"{source} does not exist: give a picture, a folder, an archive, or another trainer's dataset file.")
    if into.exists() and (source.resolve() == into.resolve() or into.resolve() in source.resolve().parents):
        raise InputError(
            f"{source} is the dataset itself, or lies in it: give what is to be brought in, or another dataset to bring it into."
        )


def _survey(source: Path, into: Path, report: Imported, open_archives: ExitStack, limits: Limits | None) -> list[_Found]:
    """The pictures in a source, in order; no picture is opened."""
    if source.is_dir():
        return _sort_out(source.name or source.resolve().name, _folder_files(source, into, report), report)
    suffix = source.suffix.lower()
    if suffix == ".toml":
        return _from_toml(source, into, report)
    if suffix in (".json", ".jsonl"):
        return _from_captions_file(source, report)
    if suffix in PICTURE_SUFFIXES or not (is_archive(source) or _might_be_archive(source)):
        beside = [source, *sidecars(source)]
        files = [_File(file.name, partial(_opened, file), file) for file in beside]
        return _sort_out("", files, report, folder=source.resolve().parent.name)
    archive = open_archives.enter_context(open_archive(source, limits))
    report.left_out += [LeftOut(f"{source.name}/{one.name}", "refused", one.sentence) for one in archive.refused]
    return _sort_out(source.name, _archive_files(archive), report)


@dataclass(frozen=True)
class _File:
    """A file in a source."""

    name: str
    open: Callable[[], IO[bytes]]
    path: Path | None = None


def _folder_files(source: Path, into: Path, report: Imported) -> Iterator[_File]:
    """All files in a folder and below, by name; links to folders are not followed."""
    dataset = into.resolve()
    for folder, below, names in os.walk(source):
        here = Path(folder)
        for name in sorted(below):
            child = here / name
            label = f"{source.name}/{child.relative_to(source).as_posix()}"
            if child.is_symlink():
                report.left_out.append(
                    LeftOut(label, "refused", f"{child} is a link to a folder and is not followed: import that folder itself.")
                )
            elif name.startswith(".") and name != STATE.name:
                report.left_out.append(LeftOut(label, "system file", f"{child} is hidden and was not looked into."))
            elif name != STATE.name and child.resolve() != dataset:
                continue
            below.remove(name)
        below.sort()
        for name in sorted(names):
            path = here / name
            inside = path.relative_to(source).as_posix()
            try:
                plain = stat.S_ISREG(path.stat().st_mode)
            except OSError:
                plain = False
            if plain:
                yield _File(inside, partial(_opened, path), path)
            else:
                sentence = f"{path} is no plain file, or a link to nothing: put the file itself there."
                report.left_out.append(LeftOut(f"{source.name}/{inside}", "refused", sentence))


def _archive_files(archive: Archive) -> list[_File]:
    return [_File(member.name, partial(archive.open, member)) for member in archive.members]


def _sort_out(root: str, files: Iterable[_File], report: Imported, folder: str | None = None) -> list[_Found]:
    """Pictures with their captions; whatever else there is, is left out with a reason. `root` is the source's name, '' for a single file.

    `folder` is the name of the folder around the source, where that is not `root`.
    """
    pictures: list[_Found] = []
    texts: dict[str, _File] = {}
    said: dict[str, bytes] = {}
    around = folder if folder is not None else root

    def leave(file: _File, why: Why, words: str) -> None:
        label = _label(root, file.name)
        report.left_out.append(LeftOut(label, why, f"{label} {words}"))

    for file in files:
        place = PurePosixPath(file.name)
        suffix = place.suffix.lower()
        if any(part.startswith(".") or part.lower() in SYSTEM_FILES for part in place.parts):
            leave(file, "system file", "was left behind by a system or is hidden.")
        elif suffix in CAPTION_SUFFIXES:
            texts[file.name] = file
        elif place.name.lower() == "metadata.jsonl":
            said |= _read_metadata(file, root, report)
        elif kind := suffix if suffix in PICTURE_SUFFIXES else _kind_by_content(file):
            section, concept, repeats = _where((around, *place.parts[:-1]))
            pictures.append(_Found(file.name, _label(root, file.name), file.open, file.path, section, concept, repeats, kind))
        elif is_archive(Path(place.name)):
            leave(file, "archive inside", "is an archive inside a folder or an archive: import it by itself if it is wanted.")
        elif suffix in (".toml", ".json", ".jsonl"):
            leave(file, "setting of another trainer", "may belong to another trainer: import it by itself if it describes a dataset.")
        else:
            leave(
                file, "unknown file", f"is neither a picture ({' '.join(PICTURE_SUFFIXES)}) nor a caption: convert it if it is a picture."
            )
    used: set[str] = set()
    for picture in pictures:
        stem = str(PurePosixPath(picture.name).with_suffix(""))
        for suffix in CAPTION_SUFFIXES:
            for name in (stem + suffix, picture.name + suffix, stem + suffix.upper()):
                if name in texts and suffix not in picture.captions:
                    used.add(name)
                    if (data := _caption_bytes(texts[name], root, report)) is not None:
                        picture.captions[suffix] = data
        if not picture.captions and picture.name in said:
            picture.captions[".txt"] = said[picture.name]
    for name in sorted(set(texts) - used):
        leave(texts[name], "caption without picture", "has no picture of its name beside it.")
    return pictures


def _where(parts: Sequence[str]) -> tuple[str, str | None, int]:
    """What the folders around a picture say: its section, its concept, its repeats. The nearest `N_name` counts."""
    section = ""
    for part in parts:
        section = _SECTIONS.get(part.casefold(), section)
    for part in reversed(parts):
        if (concept := concept_in(part)) is not None and concept.name is not None:
            return section, safe_folder(concept.name), concept.repeats
    return section, None, 1


_SECTIONS = {"reg": REGULARISATION, "regularisation": REGULARISATION, "regularization": REGULARISATION, "holdout": HOLDOUT}


def _opened(path: Path) -> IO[bytes]:
    return open(path, "rb")


def _label(root: str, name: str) -> str:
    return printable(f"{root}/{name}" if root else name)


def _might_be_archive(path: Path) -> bool:
    with open(path, "rb") as file:
        start = file.read(512)
    return start[257:262] == b"ustar" or start.startswith((b"PK\3\4", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"Rar!", b"7z\xbc\xaf"))


def _kind_by_content(file: _File) -> str:
    """The ending that a file without a picture's ending should have by its first bytes; '' if it is no picture."""
    if PurePosixPath(file.name).suffix.lower() in (".json", ".jsonl", ".toml", ".zip", ".tar", ".npz", ".safetensors"):
        return ""
    try:
        with file.open() as stream:
            start = stream.read(16)
    except (DatasetError, OSError):
        return ""
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return ".webp"
    if start[4:12] in (b"ftypavif", b"ftypavis"):
        return ".avif"
    kinds = {b"\xff\xd8\xff": ".jpg", b"\x89PNG\r\n\x1a\n": ".png", b"GIF8": ".gif", b"II*\0": ".tif", b"MM\0*": ".tif"}
    return next((suffix for mark, suffix in kinds.items() if start.startswith(mark)), "")


def _caption_bytes(file: _File, root: str, report: Imported) -> bytes | None:
    label = _label(root, file.name)
    try:
        with file.open() as stream:
            data = stream.read(LARGEST_CAPTION + 1)
    except (DatasetError, OSError) as error:
        report.left_out.append(LeftOut(label, "caption not used", f"{label} cannot be read: {error}"))
        return None
    if len(data) > LARGEST_CAPTION:
        report.left_out.append(
            LeftOut(label, "caption not used", f"{label} is over {LARGEST_CAPTION:,} bytes and is taken for no caption.")
        )
        return None
    return data


# What other trainers write


def _read_metadata(file: _File, root: str, report: Imported) -> dict[str, bytes]:
    """Captions by picture from the `metadata.jsonl` of a diffusers image folder, as paths in the source."""
    folder = PurePosixPath(file.name).parent
    label = _label(root, file.name)
    captions: dict[str, bytes] = {}
    try:
        with file.open() as stream:
            text = stream.read().decode("utf-8-sig")
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                name, words = _line_of_metadata(line, f"{label}, line {number}")
                captions[str(PurePosixPath(os.path.normpath(folder / name)).as_posix())] = words.encode()
    except (UnicodeDecodeError, DatasetError, OSError) as error:
        report.left_out.append(LeftOut(label, "caption not used", f"{label} is not used from here on: {error}"))
    return captions


def _line_of_metadata(line: str, where: str) -> tuple[str, str]:
    """(picture, caption) of one line of JSON."""
    try:
        row = json.loads(line)
    except ValueError as error:
        raise DatasetError(f"{where} is no JSON.") from error
    if not isinstance(row, dict):
        raise DatasetError(f"{where} is not an object with file_name and text.")
    name = next((row[key] for key in ("file_name", "image_path", "image", "path") if isinstance(row.get(key), str)), None)
    words = next((row[key] for key in ("text", "caption", "prompt", "tags") if isinstance(row.get(key), str)), None)
    if name is None or words is None:
        raise DatasetError(f"{where} names no picture (file_name) or says nothing about it (text).")
    return name, words


def _from_captions_file(source: Path, report: Imported) -> list[_Found]:
    """The pictures that a JSON names: sd-scripts' fine-tuning metadata, or lines with a picture and its caption each."""
    try:
        text = source.read_text(encoding="utf-8-sig")
        if source.suffix.lower() == ".jsonl":
            lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
            captions = dict(_line_of_metadata(line, f"{source}, line {number}") for number, line in lines)
        else:
            captions = _captions_of_metadata(json.loads(text), source)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{source} is no JSON in UTF-8 with a caption for each picture ({error}): give the pictures' folder.") from error
    found = []
    for name, words in captions.items():
        path = _named_picture(source.parent, name)
        if path is None:
            report.left_out.append(LeftOut(f"{source.name}/{name}", "missing", f"{source} names {name}, and there is no such picture."))
            continue
        section, concept, repeats = _where(path.resolve().parts[:-1][-2:])
        found.append(_picture_at(path, section, concept, repeats, {".txt": words.encode()} if words else {}))
    return found


def _captions_of_metadata(tree: Any, source: Path) -> dict[str, str]:
    """Picture -> caption, put together from `caption` and `tags` as sd-scripts does."""
    if not isinstance(tree, dict) or not all(isinstance(said, dict) for said in tree.values()):
        raise DatasetError(
            f"{source} is not the fine-tuning metadata of sd-scripts (a picture -> caption and tags): give the pictures' folder."
        )
    captions = {}
    for name, said in tree.items():
        parts = [part for key in ("caption", "tags") if isinstance(part := said.get(key), str) and part]
        captions[name] = ", ".join(parts)
    return captions


def _named_picture(folder: Path, name: str) -> Path | None:
    """The picture that a file names: from its own folder or from where the program runs, with or without its ending."""
    for start in (folder, Path.cwd()):
        path = start / name
        if path.is_file():
            return path
        for suffix in PICTURE_SUFFIXES:
            if (whole := path.with_name(path.name + suffix)).is_file():
                return whole
    return None


def _picture_at(path: Path, section: str, concept: str | None, repeats: int, captions: dict[str, bytes]) -> _Found:
    label = f"{path.parent.name}/{path.name}"
    return _Found(label, label, partial(_opened, path), path, section, concept, repeats, path.suffix.lower(), captions)


def _from_toml(source: Path, into: Path, report: Imported) -> list[_Found]:
    """The pictures of an sd-scripts dataset: its subsets' folders, with their repeats; a subset's value counts before the dataset's."""
    try:
        tree = tomllib.loads(source.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise DatasetError(f"{source} is no TOML ({error}): mend it, or give the pictures' folder.") from error
    datasets = tree.get("datasets")
    if not isinstance(datasets, list) or not all(isinstance(dataset, dict) for dataset in datasets):
        raise DatasetError(f"{source} has no [[datasets]] and so is no dataset of sd-scripts: give the pictures' folder.")
    general = tree.get("general", {})
    found: list[_Found] = []
    not_taken: set[str] = set(general)
    for dataset in datasets:
        not_taken |= set(dataset) - {"subsets"}
        for subset in dataset.get("subsets", []):
            options = {**general, **dataset, **subset}
            not_taken |= set(subset)
            found += _from_subset(source, options, into, report)
    for name in sorted(not_taken - {"image_dir", "num_repeats", "class_tokens", "is_reg", "metadata_file", "caption_extension"}):
        words = f"{source} sets {name}, which is no matter of the dataset: say it in the settings of a run."
        report.left_out.append(LeftOut(source.name, "setting of another trainer", words))
    return found


def _from_subset(source: Path, options: dict[str, Any], into: Path, report: Imported) -> list[_Found]:
    given = options.get("image_dir") or options.get("metadata_file")
    folder = next((path for start in (source.parent, Path.cwd()) if given and (path := start / str(given)).exists()), None)
    if folder is None:
        words = f"{source} names {given or 'no image_dir'}, which does not exist: put the path right, or import the folder itself."
        report.left_out.append(LeftOut(f"{source.name}/{given}", "missing", words))
        return []
    if options.get("metadata_file") and not options.get("image_dir"):
        return _from_captions_file(folder, report)
    named = concept_in(folder.resolve().name)
    concept = options.get("class_tokens") or (named.name if named else None) or folder.resolve().name
    section = REGULARISATION if options.get("is_reg") else ""
    ending = str(options.get("caption_extension", "")).lower()
    files = [file for file in _folder_files(folder, into, report) if "/" not in file.name]  # sd-scripts does not look further down
    found = _sort_out(folder.name, files, report)
    for one in found:
        one.section, one.concept, one.repeats = section, safe_folder(str(concept)), int(options.get("num_repeats") or 1)
        if ending in one.captions:
            one.captions = {ending: one.captions[ending]}
    return found


# What the dataset holds, and where the new ones go


@dataclass
class _Line:
    """A line of the record: one picture that came in."""

    content: str
    path: str
    source: str
    concept: str | None
    size: int
    changed: int
    """Time of the last change of the file, in nanoseconds."""


class _Place:
    """The dataset that pictures come into."""

    def __init__(self, root: Path, report: Imported, link: bool, verify: bool):
        self.root, self.report, self.link, self.verify = root, report, link, verify
        self.incoming = root / INCOMING
        shutil.rmtree(self.incoming, ignore_errors=True)  # of an import that was cut short
        self.incoming.mkdir(parents=True)
        self.number = 0
        self.pool = ThreadPoolExecutor(8)
        self.coming: list[tuple[list[tuple[Path, Path]], _Line]] = []
        """Pictures that lie aside: (file, where it goes), the captions first, and the line of the record."""
        self.new: set[Path] = set()
        self.names: dict[str, TakenNames] = {}
        self.loose: str | None = None
        """The concept of pictures that lie in no `N_name` folder; None where they lie in the dataset's folder itself."""
        self.present: dict[str, dict[str | None, str]] = defaultdict(dict)
        """Content -> concept (as it was imported, and as it is now) -> place."""
        lines = read_record(root)
        self._learn(lines)
        self.record = open(root / IMPORTED, "a", encoding="utf-8")  # noqa: SIM115  # closed by `close`

    def _learn(self, lines: list[_Line]) -> None:
        """What is there: by the record where files are as it says, by their own bytes elsewhere, by the recipes what was mended."""
        mended = {(recipe.original.path, recipe.original.content) for recipe in recipes(self.root)}
        self.originals = [recipe.original.path for recipe in recipes(self.root)]
        recorded = {line.path: line for line in lines}
        for path in pictures_below(self.root):
            place = path.relative_to(self.root).as_posix()
            facts, line = path.stat(), recorded.get(place)
            known = line is not None and (line.size, line.changed) == (facts.st_size, facts.st_mtime_ns)
            content = line.content if line is not None and known else content_hash(path)
            self._remember(content, place, (line.concept,) if line is not None and line.content == content else ())
        for place, content in mended:
            line = recorded.get(place)
            self._remember(content, place, (line.concept,) if line is not None else ())

    def _remember(self, content: str, place: str, concepts: Iterable[str | None] = ()) -> None:
        parts = PurePosixPath(place).parts
        for concept in (*concepts, _where(parts[:-1])[1]):
            self.present[content].setdefault(concept, place)

    def choose_layout(self, found: list[_Found]) -> None:
        """Whether there will be `N_name` folders, and what pictures without one are called then."""
        folders = [folder.name for folder in self.root.iterdir() if folder.is_dir() and concept_in(folder.name) and pictures_in(folder)]
        named = [one for one in found if one.concept is not None and not one.section]
        if named and pictures_in(self.root) and not folders:
            raise DatasetError(
                f"{self.root} holds pictures that lie in no N_name folder, but {named[0].source} brings one ({named[0].repeats}_{named[0].concept}): "
                f"lay out what is there first (lorasmith layout {self.root} --concept NAME), or import into another dataset."
            )
        if named or folders:
            self.loose = safe_folder(self.root.resolve().name)

    def take_in(self, found: _Found) -> None:
        """Bring one picture in, or say why not."""
        try:
            file, content = self._read(found)
        except DatasetError as error:
            rest = " Its caption stays out with it." if found.captions else ""
            self._leave(found, "unreadable picture", f"{error}{rest}")
            return
        there = self.present.get(content, {})
        place = there.get(found.concept) if found.concept is not None else next(iter(there.values()), None)
        if place is None:
            self._put(found, file, content)
            return
        if file != found.path:
            file.unlink()
        self._leave_known(found, place)

    def _read(self, found: _Found) -> tuple[Path, str]:
        """A file with the picture's bytes and their hash; for a picture from an archive, a file aside."""
        if found.path is not None:
            self._check(found.path, found)
            return found.path, content_hash(found.path)
        aside = self._aside(found.suffix)
        digest = hashlib.sha256()
        with found.open() as stream, aside.open("wb") as out:
            while data := stream.read(2**20):
                digest.update(data)
                out.write(data)
        self._check(aside, found)
        return aside, digest.hexdigest()

    def _aside(self, suffix: str) -> Path:
        """A name for a file on its way in."""
        self.number += 1
        return self.incoming / f"{self.number}{suffix}"

    def _check(self, path: Path, found: _Found) -> None:
        try:
            if self.verify:
                read_picture(path)
            else:
                picture_size(path)
        except DatasetError as error:
            if path != found.path:
                path.unlink(missing_ok=True)
            raise DatasetError(str(error).replace(str(path), found.source, 1)) from error

    def _put(self, found: _Found, file: Path, content: str) -> None:
        folder, names = self._folder_for(found)
        parts = PurePosixPath(found.name).parts
        wish = safe_stem(PurePosixPath(found.name).stem)
        wishes = [wish, safe_stem(f"{parts[-2]}_{PurePosixPath(found.name).stem}")] if len(parts) > 1 else [wish]
        stem = names.claim(*wishes, free=lambda one: self._only_our_captions(folder / one, found))
        goal = folder / f"{stem}{found.suffix}"
        files = []
        for suffix, data in found.captions.items():
            if not (caption := folder / f"{stem}{suffix}").exists():
                aside = self._aside(suffix)
                aside.write_bytes(data)
                files.append((aside, caption))
        goal = folder / f"{stem}{found.suffix}"
        files.append((self._copy(file, found), goal))
        place = goal.relative_to(self.root).as_posix()
        self.coming.append((files, _Line(content, place, found.source, found.concept, 0, 0)))
        self._remember(content, place, (found.concept,))
        self.new.add(goal)
        before = PurePosixPath(found.name).stem
        renamed = "" if stem == before else ("its name is made safe" if stem == wish else "another picture has its name")
        if not stem.isascii():
            self.report.notes.append(f"{goal} has letters outside ASCII, which some trainers cannot open: rename it if yours is one.")
        self.report.added.append(Added(goal, found.source, tuple(folder / f"{stem}{suffix}" for suffix in found.captions), renamed))
        if len(self.coming) >= BATCH:
            self._arrive()

    def _arrive(self) -> None:
        """Let those that lie aside into the dataset, each at one stroke and its captions before it; then the record.

        The disk is asked to hold them all at once, which is many times faster than one after the other.
        """
        asides = [aside for files, _ in self.coming for aside, _ in files]
        list(self.pool.map(_hold_fast, asides))
        for files, line in self.coming:
            for aside, goal in files:
                os.replace(aside, goal)
            facts = (self.root / line.path).stat()
            line.size, line.changed = facts.st_size, facts.st_mtime_ns
            self.record.write(json.dumps(vars(line), ensure_ascii=True) + "\n")
        self.record.flush()
        self.coming.clear()

    def _copy(self, file: Path, found: _Found) -> Path:
        """The picture aside: the file itself where it is there already, else a copy or a link."""
        if found.path is None:
            return file
        aside = self._aside(found.suffix)
        if self.link:
            try:
                os.link(file.resolve(), aside)
                return aside
            except OSError:
                if not any("could not be linked" in note for note in self.report.notes):
                    self.report.notes.append(f"{file} could not be linked and was copied, as may be others: links work within one disk.")
        shutil.copyfile(file, aside)
        return aside

    def _folder_for(self, found: _Found) -> tuple[Path, TakenNames]:
        concept = (
            found.concept if found.concept is not None else (self.loose if not found.section else safe_folder(self.root.resolve().name))
        )
        base = self.root / found.section if found.section else self.root
        if concept is None:
            folder = base
        else:
            same = [
                path for path in sorted(base.glob("*_*")) if (named := concept_in(path.name)) and named.name == concept and path.is_dir()
            ]
            folder = same[0] if same else base / f"{min(999, max(1, found.repeats))}_{concept}"
        folder.mkdir(parents=True, exist_ok=True)
        place = folder.relative_to(self.root).as_posix()
        if place not in self.names:
            kept = [PurePosixPath(path).stem for path in self.originals if PurePosixPath(path).parent.as_posix() == place]
            self.names[place] = TakenNames([*(file.stem for file in folder.iterdir() if file.is_file()), *kept])
        return folder, self.names[place]

    def _only_our_captions(self, stem: Path, found: _Found) -> bool:
        """Whether a name is taken by nothing but this picture's captions: an import was cut short just before the picture."""
        there = [file for file in stem.parent.glob(_literal(stem.name) + ".*") if file.stem == stem.name]
        return bool(there) and all(found.captions.get(file.suffix) == file.read_bytes() for file in there if file.is_file())

    def _leave_known(self, found: _Found, place: str) -> None:
        path = self.root / place
        if path in self.new:
            self._arrive()
        captions = {file.suffix: file.read_bytes() for file in sidecars(path)} if path.is_file() else {}
        if found.captions and not captions and path.is_file():
            for suffix, data in found.captions.items():
                (aside := self._aside(suffix)).write_bytes(data)
                _hold_fast(aside)
                os.replace(aside, path.with_name(path.stem + suffix))
                self.report.captions_added.append(path.with_name(path.stem + suffix))
        other = path.is_file() and captions and any(captions.get(suffix) != data for suffix, data in found.captions.items())
        rest = f"; what its caption says there is kept, and its caption here ({', '.join(found.captions)}) is left out" if other else ""
        if path in self.new:
            self._leave(found, "same picture", f"{found.source} has the same bytes as {place}, which came just now{rest}.")
        elif path.is_file():
            self._leave(found, "already there", f"{found.source} is there already as {place}{rest}.")
        else:
            self._leave(found, "already there", f"{found.source} came as {place} and was mended, cut or taken out since.")

    def _leave(self, found: _Found, why: Why, sentence: str) -> None:
        self.report.left_out.append(LeftOut(found.source, why, sentence))

    def close(self) -> None:
        self._arrive()
        self.pool.shutdown()
        os.fsync(self.record.fileno())
        self.record.close()
        shutil.rmtree(self.incoming, ignore_errors=True)


# The record


def read_record(root: Path) -> list[_Line]:
    """What came in, in order. A line that was cut short by a crash is taken off the file."""
    file = root / IMPORTED
    if not file.exists():
        return []
    lines = []
    for raw in file.read_bytes().split(b"\n"):
        try:
            lines.append(_Line(**json.loads(raw)))
        except (ValueError, TypeError):
            continue
    sound = "".join(json.dumps(vars(line), ensure_ascii=True) + "\n" for line in lines).encode()
    if sound != file.read_bytes():
        write_atomically(file, sound)
    return lines


def write_record(root: Path, lines: Sequence[_Line]) -> None:
    """Replace the record."""
    write_atomically(root / IMPORTED, "".join(json.dumps(vars(line), ensure_ascii=True) + "\n" for line in lines).encode())


def finish_moves(root: Path) -> None:
    """Make the moves of a layout that was cut short, if there was one; the dataset is ours alone (`alone_in`)."""
    file = root / MOVES
    if not file.exists():
        return
    moves: list[tuple[str, str]] = [(old, new) for old, new in json.loads(file.read_bytes())]
    for old, new in moves:
        if (root / old).exists() and not (root / new).exists():
            (root / new).parent.mkdir(parents=True, exist_ok=True)
            os.rename(root / old, root / new)
    after = places_after(moves)
    write_record(root, [replace(line, path=after(line.path)) for line in read_record(root)])
    follow_moves(root, moves)
    for left in {PurePosixPath(old).parent for old, _ in moves} - {PurePosixPath(".")}:
        folder = root / left
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    file.unlink()


def settle(root: Path) -> None:
    """Finish whatever import, mend or layout was cut short in the dataset."""
    with alone_in(root):
        finish_moves(root)


def _hold_fast(file: Path) -> None:
    """Let the disk have a file before it gets its name; one that is linked, it has."""
    if file.stat().st_nlink > 1:
        return
    handle = os.open(file, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _literal(name: str) -> str:
    """A name as a glob pattern that fits only itself."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)
