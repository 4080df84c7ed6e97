"""The catalogue of a user's LoRAs: folders whose files are known by what is in them.

    catalogue = Catalogue()
    catalogue.add("stable-diffusion-webui/models/Lora")
    catalogue.find(Query(trigger="zorvex", family="sdxl"))

Only headers are read, and each once: while a file's size and time stay as they are, so do the rows of the index. Words are looked for in
Python, among all entries: at 5,000 files that takes a tenth of a second, and finds them in any script (decision 0036).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lorasmith.adapters.files.hashes import model_hash
from lorasmith.errors import InputError
from lorasmith.library.catalogue.duplicates import duplicates, to_compare
from lorasmith.library.catalogue.entry import Entry
from lorasmith.library.catalogue.facts import facts_of
from lorasmith.library.catalogue.heads import Heads
from lorasmith.library.catalogue.place import INDEX, library_folder, read_folders, write_folders
from lorasmith.library.catalogue.query import Query
from lorasmith.library.catalogue.scan import Scan, scan
from lorasmith.library.catalogue.store import FileState, Index, Row
from lorasmith.progress import Progress
from lorasmith.training.records.run_layout import first_sample, run_of

BATCH = 200
"""Files after which what was read is written, so that an interrupted first index goes on where it was."""


@dataclass(frozen=True)
class Changes:
    """What came of looking through the folders."""

    files: int
    """In all of them."""
    new: int
    changed: int
    moved: tuple[tuple[Path, Path], ...]
    """(from, to) of files that are known by their content."""
    gone: int
    unreadable: dict[str, str]
    """Folders that could not be looked into, and files with a name that cannot be written down, with the reason; what was known of them stays."""


class Catalogue:
    """The LoRAs in the folders that a user added, known by what is in them.

    Parameters
    ----------
    folder
        Where the catalogue is kept. None: the user's own, for all programs.

    Examples
    --------
    >>> catalogue = ls.Catalogue("my-catalogue")
    >>> catalogue.add("runs")
    >>> changes = catalogue.refresh()
    >>> [entry.facts.ranks for entry in catalogue.find(ls.Query(trigger="zorvex"))][-1]
    (2,)
    """

    def __init__(self, folder: str | Path | None = None):
        self.folder = library_folder() if folder is None else Path(folder)

    def __repr__(self) -> str:
        return f"Catalogue({str(self.folder)!r})"

    @property
    def folders(self) -> list[Path]:
        """The folders that were added."""
        return read_folders(self.folder)

    def add(self, *folders: str | Path) -> None:
        """Add folders; those below them come with them. Raises InputError (`library.no_folder`) where one is not there."""
        added = [Path(os.path.expanduser(folder)).resolve() for folder in folders]
        if missing := [folder for folder in added if not folder.is_dir()]:
            raise InputError(
                f"There is no folder {missing[0]}: give a folder of LoRA files.", code="library.no_folder", path=str(missing[0])
            )
        write_folders(self.folder, dict.fromkeys([*self.folders, *added]))

    def remove(self, *folders: str | Path) -> None:
        """Take folders out of the catalogue; their files stay where they are.

        Raises InputError (`library.not_added`) where one is not in it.
        """
        known = self.folders
        leaving = [Path(os.path.expanduser(folder)).resolve() for folder in folders]
        if strange := [folder for folder in leaving if folder not in known]:
            raise InputError(
                f"The folder {strange[0]} is not in the catalogue. It has: {', '.join(map(str, known)) or 'none'}.",
                code="library.not_added", path=str(strange[0]),
            )  # fmt: skip
        write_folders(self.folder, (folder for folder in known if folder not in leaving))

    def refresh(self, *, again: bool = False, progress: Progress | None = None) -> Changes:
        """Bring the index up to date with the folders: new and changed files are read, gone ones left out.

        `again` reads every file again. What is known of a file stays with it when it is moved or renamed.
        """
        seen = scan(self.folders)
        with Index(self.folder / INDEX) as index:
            known = index.states()
            to_read = [path for path, each in seen.files.items() if again or known.get(path) != each]
            gone = [path for path in known if path not in seen.files and not (seen.may_still_have(path) and self._is_below(path))]
            moved = _read_and_keep(index, seen, to_read, known, index.rows(gone), progress)
            if gone:
                index.change(remove=gone)
        new = sum(path not in known for path in to_read)
        return Changes(len(seen.files), new - len(moved), len(to_read) - new, tuple(moved), len(gone) - len(moved), seen.unreadable)

    def entries(self) -> list[Entry]:
        """All files, by path, as they were at the last `refresh`."""
        with Index(self.folder / INDEX) as index:
            return [Entry.of(row) for row in index.rows()]

    def find(self, query: Query) -> list[Entry]:
        """The files that a query asks for, by path, as they were at the last `refresh`."""
        return [entry for entry in self.entries() if query.matches(entry)]

    def duplicates(self, progress: Progress | None = None) -> list[tuple[Entry, ...]]:
        """Files with the same tensors under other names or metadata. Whole files are read, once, where that alone can tell."""
        groups = to_compare(self.entries())
        whole = sum(map(len, groups))
        done = 0
        with Index(self.folder / INDEX) as index:

            def hash_of(entry: Entry) -> str:
                nonlocal done
                content = entry.content or _hash(entry)
                if content and not entry.content:
                    index.keep_content(str(entry.path), entry.bytes, entry.changed, content)
                done += 1
                if progress is not None:
                    progress(done, whole)
                return content

            return duplicates(groups, hash_of)

    def _is_below(self, path: str) -> bool:
        return any(path.startswith(f"{folder}{os.sep}") for folder in self.folders)


def _hash(entry: Entry) -> str:
    try:
        with entry.path.open("rb") as file:
            return model_hash(file)
    except OSError:
        return ""


def _read_and_keep(
    index: Index, seen: Scan, paths: Sequence[str], known: dict[str, FileState], gone: Iterable[Row], progress: Progress | None
) -> list[tuple[Path, Path]]:
    """Read files and write their rows; returns which of them were known under another name."""
    lost = {(row.identity, row.changed): row for row in gone if row.identity}
    moved: list[tuple[Path, Path]] = []
    heads = Heads()
    for start in range(0, len(paths), BATCH):
        rows = []
        for path in paths[start : start + BATCH]:
            row = _read(path, seen.files[path], heads)
            before = lost.pop((row.identity, row.changed), None) if path not in known else None
            if before is not None:
                row = replace(row, content=before.content)
                moved.append((Path(before.path), Path(path)))
            rows.append(row)
        index.change(put=rows)
        if progress is not None:
            progress(min(start + BATCH, len(paths)), len(paths))
    return moved


def _sample(checkpoint: Path, step: int | None) -> str:
    """The first sample that a checkpoint's run generated at its step; "" where there is none."""
    run = run_of(checkpoint)
    found = None if run is None or step is None else first_sample(run, step)
    return "" if found is None else str(found)


def _read(path: str, seen: FileState, heads: Heads) -> Row:
    """A file's row; one that cannot be read has its reason."""
    row = Row(**vars(seen), path=path, sample="", identity="", content="", facts="", problem="")
    try:
        head = heads.read(Path(path))
        facts = facts_of(Path(path), head, seen.sides)
        return replace(row, identity=head.identity, facts=facts.as_json(), sample=_sample(Path(path), facts.step) if seen.samples else "")
    except InputError as error:
        return replace(row, problem=str(error) if path in str(error) else f"{path}: {error}")
    except OSError as error:
        return replace(row, problem=f"{path} cannot be read ({error.strerror or error}).")
