"""Put pictures into a dataset: each under a name that is free, its captions and mask before it, so that the dataset is valid at every moment."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from lorasmith.command_line import quoted
from lorasmith.curation.imports.bringing import Bringer, Brought, flush
from lorasmith.curation.imports.source import FoundPicture, left_out, section_and_concept
from lorasmith.curation.mend.recipes import recipes
from lorasmith.curation.names import TakenNames, safe_folder, safe_stem
from lorasmith.curation.record import ImportedPicture, read_record
from lorasmith.dataset_folder import IMPORTED, INCOMING, mask_beside, pictures_below, pictures_in, sidecars
from lorasmith.datasets.folders import concept_in
from lorasmith.errors import DatasetError
from lorasmith.findings import Finding
from lorasmith.images.read import content_hash

BATCH = 32
"""Pictures that come into the dataset together."""


@dataclass(frozen=True)
class Added:
    """A picture that came in."""

    path: Path
    source: str
    """Where it came from: `pile.zip/more/cat.png`."""
    captions: tuple[Path, ...]
    renamed: str = ""
    """Why it has another name than in its source; '' where it has not."""


@dataclass
class Imported:
    """What an import did."""

    into: Path
    added: list[Added] = field(default_factory=list)
    left_out: list[Finding] = field(default_factory=list)
    """What did not come in, or not whole; codes begin with `imports.`, subjects are named as in their source."""
    captions_added: list[Path] = field(default_factory=list)
    """Captions of pictures that were there already without one."""
    masks_added: list[Path] = field(default_factory=list)
    """Masks that came in, beside their pictures."""
    notes: list[str] = field(default_factory=list)
    stopped: bool = False
    """Whether it was stopped before the end; the same import goes on from there."""

    def __repr__(self) -> str:
        stopped = ", stopped" if self.stopped else ""
        return f"Imported({str(self.into)!r}, {len(self.added)} added, {len(self.left_out)} left out{stopped})"


class KnownPictures:
    """The pictures that a dataset has, or had before they were mended: by their content and their concept."""

    def __init__(self, root: Path):
        """By the record where files are as it says, by their own bytes elsewhere, by the recipes what was mended."""
        self._places: dict[str, dict[str | None, str]] = defaultdict(dict)
        recorded = {line.path: line for line in read_record(root)}
        for path in pictures_below(root):
            place = path.relative_to(root).as_posix()
            facts, line = path.stat(), recorded.get(place)
            unchanged = line is not None and (line.size, line.changed) == (facts.st_size, facts.st_mtime_ns)
            content = line.content if line is not None and unchanged else content_hash(path)
            self.remember(content, place, (line.concept,) if line is not None and line.content == content else ())
        for place, content in {(recipe.original.path, recipe.original.content) for recipe in recipes(root)}:
            line = recorded.get(place)
            self.remember(content, place, (line.concept,) if line is not None else ())

    def remember(self, content: str, place: str, concepts: Iterable[str | None] = ()) -> None:
        """A picture under the concepts that it was imported as, and under that of the folder that it is in."""
        of_its_folder = section_and_concept(PurePosixPath(place).parts[:-1])[1]
        for concept in (*concepts, of_its_folder):
            self._places[content].setdefault(concept, place)

    def place_of(self, content: str, concept: str | None) -> str | None:
        """Where these bytes are for this concept, or for any if it is None; None where they are not."""
        places = self._places.get(content, {})
        return places.get(concept) if concept is not None else next(iter(places.values()), None)

    def has(self, content: str, concept: str | None) -> bool:
        return self.place_of(content, concept) is not None

    def digests(self) -> Iterator[str]:
        """What `known_as` gives for all that `has` says yes to."""
        for content, places in self._places.items():
            yield content
            for concept in places:
                if concept is not None:
                    yield known_as(content, concept)


def known_as(content: str, concept: str | None) -> str:
    """A picture's bytes for a concept, or for any if it is None, as 64 hexadecimal digits."""
    return content if concept is None else hashlib.sha256(f"{content} {concept}".encode()).hexdigest()


class Placing:
    """The dataset that pictures come into; `close` brings in the last of them."""

    def __init__(self, root: Path, report: Imported, link: bool, verify: bool):
        self.root, self.report = root, report
        self.incoming = root / INCOMING
        shutil.rmtree(self.incoming, ignore_errors=True)  # of an import that was interrupted
        self.incoming.mkdir(parents=True, exist_ok=True)
        self.pool = ThreadPoolExecutor(8)
        self.coming: list[tuple[list[tuple[Path, Path]], ImportedPicture]] = []
        """Pictures that wait aside: (file, where it goes), captions and masks first, and the line of the record."""
        self.unflushed: list[Path] = []
        """The files of those that the disk has not been asked to hold."""
        self.new: set[Path] = set()
        self.names: dict[str, TakenNames] = {}
        self.there: dict[str, dict[str, list[Path]]] = {}
        """By folder and stem, the files that were there before this import and belong to no picture of it."""
        self.concept_folders: dict[tuple[Path, str], Path] = {}
        self.loose: str | None = None
        """The concept of pictures in no `N_name` folder; None where they go into the dataset's folder itself."""
        self.known = KnownPictures(root)
        self.bringer = Bringer(self.incoming, self.known.has, link=link, verify=verify)
        self.originals: dict[str, list[str]] = defaultdict(list)
        for recipe in recipes(root):
            original = PurePosixPath(recipe.original.path)
            self.originals[original.parent.as_posix()].append(original.stem)
        self.record = open(root / IMPORTED, "a", encoding="utf-8")  # noqa: SIM115  # closed by `close`

    def choose_layout(self, found: Sequence[FoundPicture]) -> None:
        """Whether there will be `N_name` folders, and what pictures without one are called then.

        Raises DatasetError where pictures that are there have no folder, and a source brings some.
        """
        folders = [folder.name for folder in self.root.iterdir() if folder.is_dir() and concept_in(folder.name) and pictures_in(folder)]
        named = [one for one in found if one.concept is not None and not one.section]
        if named and pictures_in(self.root) and not folders:
            raise DatasetError(
                f"{self.root} holds pictures in no N_name folder, but {named[0].source} brings one ({named[0].repeats}_{named[0].concept}): "
                f"lay out what is there first (lorasmith layout {quoted(self.root)} --concept NAME), or import into another dataset.",
                code="imports.mixed_layouts", folder=str(self.root),
            )  # fmt: skip
        if named or folders:
            self.loose = safe_folder(self.root.resolve().name)

    def take_in(self, found: FoundPicture, brought: Brought) -> None:
        """Let one picture in that was brought aside, or say why not."""
        if brought.problem:
            rest = "Its caption is left out with it." if found.captions else ""
            self.report.left_out.append(left_out("unreadable", found.source, brought.problem, rest, about="picture"))
            return
        place = self.known.place_of(brought.content, found.concept)
        if place is None:
            self._put(found, brought)
            return
        self._leave_known(found, brought, place)
        if brought.picture is not None:
            brought.picture.unlink()

    # Writing

    def _put(self, found: FoundPicture, brought: Brought) -> None:
        assert brought.picture is not None  # only what the dataset has is not copied
        folder, names, there = self._folder_for(found)
        before, parts = PurePosixPath(found.name).stem, PurePosixPath(found.name).parts
        safe = safe_stem(before)
        candidates = [safe, safe_stem(f"{parts[-2]}_{before}")] if len(parts) > 1 else [safe]
        stem = names.claim(*candidates, free=lambda one: _only_captions_of(found, there.get(one, ())))
        there.pop(stem, None)
        goal = folder / f"{stem}{found.suffix}"
        files = []
        for suffix, data in found.captions.items():
            if not (caption := folder / f"{stem}{suffix}").exists():
                aside = self.bringer.name(suffix)
                aside.write_bytes(data)
                files.append((aside, caption))
        files += self._mask_files(found, brought, goal)
        files.append((brought.picture, goal))
        if brought.not_linked and not any("could not be linked" in note for note in self.report.notes):
            self.report.notes.append(f"{found.path} could not be linked and was copied, as may be others: links work within one disk.")
        place = goal.relative_to(self.root).as_posix()
        self.coming.append((files, ImportedPicture(brought.content, place, found.source, found.concept, 0, 0)))
        self.unflushed += [aside for aside, _ in files if not (brought.flushed and aside in brought.files)]
        self.known.remember(brought.content, place, (found.concept,))
        self.new.add(goal)
        renamed = "" if stem == before else ("its name is made safe" if stem == safe else "another picture has its name")
        if not stem.isascii():
            self.report.notes.append(f"{goal} has letters outside ASCII, which some trainers cannot open: rename it if yours is one.")
        self.report.added.append(Added(goal, found.source, tuple(folder / f"{stem}{suffix}" for suffix in found.captions), renamed))
        if len(self.coming) >= BATCH:
            self._arrive()

    def _mask_files(self, found: FoundPicture, brought: Brought, goal: Path) -> list[tuple[Path, Path]]:
        """The picture's mask aside, and where it goes; nothing where it has none, or one is there."""
        if found.mask is None or (beside := mask_beside(goal)).exists():
            if brought.mask is not None:
                brought.mask.unlink()
            return []
        mask, problem = (brought.mask, brought.mask_problem) if brought.picture is not None else self.bringer.mask_of(found)
        if mask is None:
            message = f"The mask of {found.source} cannot be read, so all of the picture counts: {problem}"
            self.report.left_out.append(left_out("mask", found.source, message, about="picture"))
            return []
        self.report.masks_added.append(beside)
        return [(mask, beside)]

    def _arrive(self) -> None:
        """Let those that wait aside into the dataset, each at one stroke and its captions before it; then the record.

        The disk is asked to hold them all at once, which is many times faster than one after the other.
        """
        list(self.pool.map(flush, self.unflushed))
        self.unflushed.clear()
        for files, line in self.coming:
            for aside, goal in files:
                os.replace(aside, goal)
            facts = (self.root / line.path).stat()
            line.size, line.changed = facts.st_size, facts.st_mtime_ns
            self.record.write(line.to_line())
        self.record.flush()
        self.coming.clear()

    def _folder_for(self, found: FoundPicture) -> tuple[Path, TakenNames, dict[str, list[Path]]]:
        """The folder that the picture goes into, the names taken there, and the files that were there before; each folder is listed once."""
        without = safe_folder(self.root.resolve().name) if found.section else self.loose
        concept = found.concept if found.concept is not None else without
        base = self.root / found.section if found.section else self.root
        if concept is None:
            folder = base
        elif (known := self.concept_folders.get((base, concept))) is not None:
            folder = known
        else:
            folder = self.concept_folders[base, concept] = _concept_folder(base, concept, found.repeats)
        folder.mkdir(parents=True, exist_ok=True)
        place = folder.relative_to(self.root).as_posix()
        if place not in self.names:
            self.there[place] = _files_by_stem(folder)
            self.names[place] = TakenNames([*self.there[place], *self.originals[place]])
        return folder, self.names[place], self.there[place]

    # Leaving out

    def _leave_known(self, found: FoundPicture, brought: Brought, place: str) -> None:
        """A picture that the dataset has: its caption and mask come in where there is none."""
        path = self.root / place
        if path in self.new:
            self._arrive()
        captions = {file.suffix: file.read_bytes() for file in reversed(sidecars(path))} if path.is_file() else {}
        if found.captions and not captions and path.is_file():
            for suffix, data in found.captions.items():
                (aside := self.bringer.name(suffix)).write_bytes(data)
                flush(aside)
                os.replace(aside, path.with_name(path.stem + suffix))
                self.report.captions_added.append(path.with_name(path.stem + suffix))
        for aside, beside in self._mask_files(found, brought, path) if path.is_file() else ():
            flush(aside)
            os.replace(aside, beside)
        differs = path.is_file() and captions and any(captions.get(suffix) != data for suffix, data in found.captions.items())
        rest = f"; its caption there is kept, and its caption here ({', '.join(found.captions)}) is left out" if differs else ""
        if path in self.new:
            case, message = "same_picture", f"{found.source} has the same bytes as {place}, which has just come in{rest}."
        elif path.is_file():
            case, message = "already_there", f"{found.source} is there already as {place}{rest}."
        else:
            case, message = "already_there", f"{found.source} came in as {place} and was mended, cut or taken out since."
        details = ("caption left out",) if differs else ()
        self.report.left_out.append(replace(left_out(case, found.source, message, about="picture"), details=details))

    def close(self) -> None:
        self._arrive()
        self.pool.shutdown()
        os.fsync(self.record.fileno())
        self.record.close()
        shutil.rmtree(self.incoming, ignore_errors=True)


def _concept_folder(base: Path, concept: str, repeats: int) -> Path:
    """The `N_name` folder of a concept: the one that is there, else one to make."""
    for path in sorted(base.glob("*_*")):
        if path.is_dir() and (named := concept_in(path.name)) and named.name == concept:
            return path
    return base / f"{min(999, max(1, repeats))}_{concept}"


def _files_by_stem(folder: Path) -> dict[str, list[Path]]:
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for file in folder.iterdir():
        if file.is_file():
            by_stem[file.stem].append(file)
    return by_stem


def _only_captions_of(found: FoundPicture, there: Sequence[Path]) -> bool:
    """Whether the files of a name are nothing but this picture's captions: an import was interrupted just before the picture."""
    return bool(there) and all(found.captions.get(file.suffix) == file.read_bytes() for file in there)
