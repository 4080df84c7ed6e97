"""Move files and folders of a dataset, all of them or none: captions, the record and the recipes of mends follow.

All moves are written down in `.lorasmith/moves.json` before the first is made. What a kill interrupts, the next call finishes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from lorasmith.atomic import write_atomically
from lorasmith.curation.mend.mend import alone_in
from lorasmith.curation.mend.recipes import follow_moves, recipes
from lorasmith.curation.record import read_record, write_record
from lorasmith.dataset_folder import HOLDOUT, MOVES, sidecars
from lorasmith.errors import DatasetError

Move = tuple[str, str]
"""Old and new place of a folder, or of a picture with its captions, in the dataset, with `/`."""


def make_moves(root: Path, moves: Sequence[Move]) -> None:
    """Give files and folders of a dataset other places, all or, after a crash, the rest with the next call.

    Raises:
        DatasetError: something is where a file has to go; nothing is moved then.
    """
    with alone_in(root):
        finish_moves(root)
        if not moves:
            return
        for _, new in moves:
            if (root / new).exists():
                raise DatasetError(
                    f"{root / new} is there already: rename or remove it, then lay out again.",
                    code="dataset.in_the_way",
                    file=str(root / new),
                )
        whole = [*moves, *_moves_of_captions(root, moves), *_moves_of_originals(root, moves)]
        write_atomically(root / MOVES, json.dumps(whole).encode())
        finish_moves(root)


def settle(root: str | Path) -> None:
    """Finish whatever import, mend or layout was interrupted in the dataset."""
    with alone_in(root):
        finish_moves(Path(root))


def finish_moves(root: Path) -> None:
    """Make the moves that were interrupted, if there are any; the caller has the dataset's lock (`alone_in`)."""
    file = root / MOVES
    if not file.exists():
        return
    moves: list[Move] = [(old, new) for old, new in json.loads(file.read_bytes())]
    for old, new in moves:
        if (root / old).exists() and not (root / new).exists():
            (root / new).parent.mkdir(parents=True, exist_ok=True)
            os.rename(root / old, root / new)
    after = place_after(moves)
    write_record(root, [replace(line, path=after(line.path)) for line in read_record(root)])
    follow_moves(root, after)
    for left in {PurePosixPath(old).parent for old, _ in moves} - {PurePosixPath(".")}:
        folder = root / left
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    file.unlink()


def place_after(moves: Sequence[Move]) -> Callable[[str], str]:
    """Where a file is after moves of files and folders, none of which moves what another has moved.

    A file takes along what has its name and another suffix: the original of a mended picture may be of another kind.
    """
    exact = dict(moves)
    stems = {os.path.splitext(old)[0]: os.path.splitext(new)[0] for old, new in moves if os.path.splitext(old)[1]}

    def after(place: str) -> str:
        if place in exact:
            return exact[place]
        stem, suffix = os.path.splitext(place)
        if stem in stems:
            return stems[stem] + suffix
        parts = place.split("/")
        for depth in range(len(parts) - 1, 0, -1):
            if (folder := "/".join(parts[:depth])) in exact:
                return "/".join((exact[folder], *parts[depth:]))
        return place

    return after


def _moves_of_captions(root: Path, moves: Sequence[Move]) -> list[Move]:
    """The captions beside pictures that move."""
    return [
        (
            f"{PurePosixPath(old).parent / caption.name}",
            f"{new if caption.stem == PurePosixPath(old).name else PurePosixPath(new).with_suffix('')}{caption.suffix}",
        )
        for old, new in moves
        if (root / old).is_file()
        for caption in sidecars(root / old)
    ]


def _moves_of_originals(root: Path, moves: Sequence[Move]) -> list[Move]:
    """Where the originals of cut and removed pictures would come back: beside those that were their neighbours.

    Pictures that change between training and holdout take none along: they say nothing about the side of another.
    """
    goals = {
        PurePosixPath(old).parent: PurePosixPath(new).parent
        for old, new in moves
        if (root / old).is_file() and _is_held_out(old) == _is_held_out(new)
    }
    after = place_after(moves)
    found = []
    for recipe in recipes(root):
        place = PurePosixPath(recipe.original.path)
        if recipe.closed and after(str(place)) == str(place) and place.parent in goals:
            found.append((str(place), str(goals[place.parent] / place.name)))
    return found


def _is_held_out(place: str) -> bool:
    return PurePosixPath(place).parts[0] == HOLDOUT
