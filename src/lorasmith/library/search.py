"""Where files and folders may be that a LoRA was trained with: where the user says, where its run had them, below the current folder.

Never more than `MOST` folders are looked through, hidden ones and links are not entered, and nothing is read but names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from lorasmith.dataset_folder import walk
from lorasmith.datasets.shards import shard_names
from lorasmith.errors import DatasetError, InputError
from lorasmith.training.records.run_folder import RunFolder
from lorasmith.training.settings.places import places
from lorasmith.training.settings.tree import Settings

MOST = 5_000
"""Folders below one that are looked through."""
DEPTH = 4
"""Levels below a folder."""


@dataclass(frozen=True)
class Search:
    """Places to look at, the likeliest first."""

    run: Settings | None
    """The settings of the run that made the file, where the file is still in its folder."""
    folders: tuple[Path, ...]
    """The user's folders with all that are below them."""
    roots: tuple[Path, ...]
    """Where names are looked for."""
    digests: dict[Path, str] = field(default_factory=dict)
    """Hashes of pictures that were read already."""

    @classmethod
    def beside(cls, file: Path, data: Iterable[Path], roots: Iterable[Path]) -> Search:
        """The search for what `file` was trained with, in the user's folders `data` and below `roots`.

        Raises:
            InputError: one of the user's folders is not there.
        """
        given = list(data)
        for folder in given:
            if not folder.is_dir():
                raise InputError(f"There is no folder {folder}: check the name.", code="retrain.no_folder", path=str(folder))
        try:
            run = RunFolder(file.resolve().parent.parent).read_settings()
        except InputError:
            run = None
        below = [folder for each in given for folder, _ in _walk(each)]
        return cls(run, tuple(dict.fromkeys(below)), tuple(dict.fromkeys((*given, *roots))))

    def candidates(self, setting: str, name: str) -> Iterator[Path]:
        """Files and folders called `name` that the setting may have meant, and folders with all of the shards that it names."""
        try:
            named = shard_names(name)
        except DatasetError:
            return
        place = places(self.run).get(setting) if self.run is not None else None
        if place is not None and place.name == name and all(place.with_name(each).exists() for each in named):
            yield place
        for root in self.roots:
            if root.name == name:
                yield root
            for folder, files in _walk(root):
                if folder.name == name and folder != root:
                    yield folder
                if files and set(files).issuperset(named):
                    yield folder / name

    def files(self, suffix: str) -> Iterator[Path]:
        """All files whose names end so."""
        for root in self.roots:
            for folder, files in _walk(root):
                yield from (folder / name for name in files if name.endswith(suffix))


def _walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Folders with the names of their files; those that cannot be read end the search."""
    try:
        for below, files in islice(walk(root, depth=DEPTH), MOST):
            yield root / below, files
    except OSError:
        return
