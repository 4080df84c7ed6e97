"""Move files and folders of a dataset, all of them or none: captions, masks, the record, the recipes of mends and what is held out follow.

All moves are written down in `.lorasmith/moves.json` before the first is made. What a kill interrupts, the next call finishes. What has
words is kept (`moved`) and can be taken back.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path, PurePosixPath

from lorasmith.atomic import write_atomically
from lorasmith.curation.holdout_decisions import decisions_of, save_decisions
from lorasmith.curation.mend.mend import alone_in
from lorasmith.curation.mend.recipes import follow_moves, recipes
from lorasmith.curation.moved import Move, Moved, keep_moved
from lorasmith.curation.record import read_record, write_record
from lorasmith.dataset_folder import HOLDOUT, MOVES, is_picture, mask_beside, pictures_below, sidecars
from lorasmith.errors import DatasetError


def make_moves(root: Path, moves: Sequence[Move], words: str = "", decided: Mapping[str, bool] | None = None) -> None:
    """Give files and folders of a dataset other places, all or, after a crash, the rest with the next call.

    `words` say what is done, for whoever wants to undo it; a move without words cannot be undone. `decided` are contents and whether they are held out
    from now on.

    Raises:
        DatasetError: something is where a file has to go; nothing is moved then.
    """
    with alone_in(root):
        finish_moves(root)
        before = decisions_of(root)
        changed = {content: (before.get(content), side) for content, side in (decided or {}).items() if before.get(content) != side}
        if not moves and not changed:
            return
        whole = (*moves, *_moves_beside(root, moves), *_moves_of_originals(root, moves))
        _begin(root, whole, Moved(time.time(), words, _pictures(root, moves), whole, changed))


def take_back(root: Path, moved: Moved) -> None:
    """Move everything back; what somebody took away since stays away.

    Raises:
        DatasetError: something is in the way, or nothing of it is where it went; nothing is moved then.
    """
    back = [(new, old) for old, new in reversed(moved.moves)]
    with alone_in(root):
        known = {old for old, _ in back}
        added = [move for move in _moves_beside(root, back) if move[0] not in known]
        _begin(root, (*added, *back), replace(moved, undone=time.time()))


def take_again(root: Path, moved: Moved) -> None:
    """Make moves that were taken back once more. Raises as `take_back` does."""
    with alone_in(root):
        known = {old for old, _ in moved.moves}
        added = [move for move in _moves_beside(root, moved.moves) if move[0] not in known]
        _begin(root, (*moved.moves, *added), replace(moved, undone=None))


def _begin(root: Path, moves: Sequence[Move], moved: Moved) -> None:
    there = [(old, new) for old, new in moves if (root / old).exists()]
    if moves and not there:
        raise DatasetError(
            f"Nothing that was moved is there any more in {root}, so it stays as it is.", code="dataset.changed", folder=str(root)
        )
    for old, new in there:
        if (root / new).exists() and not _is_itself(root / old, root / new):
            raise DatasetError(
                f"{root / new} is there already: rename or remove it, then try again.", code="dataset.in_the_way", file=str(root / new)
            )
    write_atomically(root / MOVES, json.dumps({"moves": moves, "moved": asdict(moved)}).encode())
    finish_moves(root)


def _is_itself(old: Path, new: Path) -> bool:
    """Whether the disk takes another spelling of a name, `foo.png` of `Foo.png`, for the file itself. Two links to one file are two files."""
    return old.parent == new.parent and os.path.samefile(old, new) and new.name not in os.listdir(new.parent)


def settle(root: str | Path) -> None:
    """Finish whatever import, mend or layout was interrupted in the dataset."""
    with alone_in(root):
        finish_moves(Path(root))


def finish_moves(root: Path) -> None:
    """Make the moves that were interrupted, if there are any; the caller has the dataset's lock (`alone_in`)."""
    file = root / MOVES
    if not file.exists():
        return
    journal = json.loads(file.read_bytes())
    written, moved = (journal, None) if isinstance(journal, list) else (journal["moves"], journal["moved"])  # a list: by an earlier version
    moves: list[Move] = [(old, new) for old, new in written]
    for old, new in moves:
        if (root / old).exists() and (not (root / new).exists() or _is_itself(root / old, root / new)):
            (root / new).parent.mkdir(parents=True, exist_ok=True)
            os.rename(root / old, root / new)
    after = place_after(moves)
    write_record(root, [replace(line, path=after(line.path)) for line in read_record(root)])
    follow_moves(root, after)
    for left in {PurePosixPath(old).parent for old, _ in moves} - {PurePosixPath(".")}:
        folder = root / left
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    if moved is not None:
        _finish(root, Moved.from_data(moved))
    file.unlink()


def _finish(root: Path, moved: Moved) -> None:
    """Decide what was decided with the moves, and keep them where they have words."""
    if moved.decided:
        decided = {content: after if moved.undone is None else before for content, (before, after) in moved.decided.items()}
        now = {**decisions_of(root), **decided}
        save_decisions(root, {content: side for content, side in now.items() if side is not None})
    if moved.words:
        keep_moved(root, moved)


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


def _moves_beside(root: Path, moves: Sequence[Move]) -> list[Move]:
    """The captions and masks beside pictures that move."""
    pictures = [(old, new) for old, new in moves if (root / old).is_file()]
    captions = [
        (
            f"{PurePosixPath(old).parent / caption.name}",
            f"{new if caption.stem == PurePosixPath(old).name else PurePosixPath(new).with_suffix('')}{caption.suffix}",
        )
        for old, new in pictures
        for caption in sidecars(root / old)
    ]
    masks = [(mask_beside(Path(old)).as_posix(), mask_beside(Path(new)).as_posix()) for old, new in pictures]
    return captions + [(old, new) for old, new in masks if (root / old).is_file()]


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


def _pictures(root: Path, moves: Sequence[Move]) -> int:
    """How many pictures move, those of folders too."""
    return sum(len(pictures_below(root / old)) if (root / old).is_dir() else is_picture(old) for old, _ in moves)


def _is_held_out(place: str) -> bool:
    return PurePosixPath(place).parts[0] == HOLDOUT
