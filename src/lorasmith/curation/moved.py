"""What was moved in a dataset, so that it can be taken back: layouts, hold-outs and pictures that were put elsewhere.

`.lorasmith/moved.jsonl` has a line for each operation, the oldest first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lorasmith.atomic import write_atomically
from lorasmith.dataset_folder import MOVED

Move = tuple[str, str]
"""Old and new place of a folder, or of a picture or caption, in the dataset, with `/`."""

MOST_KEPT = 100
"""Operations that can be taken back."""


@dataclass(frozen=True)
class Moved:
    """One operation that moved files, or decided which pictures are held out."""

    at: float
    """When it was done, in seconds since 1970; no two have the same."""
    words: str
    """What was done, for a person."""
    pictures: int
    """How many moved, a folder with all that are in it."""
    moves: tuple[Move, ...]
    """All of them in their order, captions and originals of mended pictures too."""
    decided: Mapping[str, tuple[bool | None, bool | None]] = field(default_factory=dict)
    """Content of a picture -> whether it was held out before, and after; None where nothing was decided."""
    undone: float | None = None
    """When it was taken back; None where it was not."""

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Moved:
        """Raises KeyError, TypeError or ValueError where `data` is not one."""
        return cls(
            at=float(data["at"]), words=str(data["words"]), pictures=int(data["pictures"]), moves=tuple((old, new) for old, new in data["moves"]),
            decided={content: (before, after) for content, (before, after) in data["decided"].items()}, undone=data["undone"],
        )  # fmt: skip


def read_moved(root: Path) -> list[Moved]:
    """The operations of a dataset, the oldest first; a damaged line is none."""
    file = root / MOVED
    if not file.exists():
        return []
    found = []
    for line in file.read_bytes().splitlines():
        try:
            found.append(Moved.from_data(json.loads(line)))
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
    return found


def keep_moved(root: Path, moved: Moved) -> None:
    """Put an operation on the record, in the place of the one of the same time; the caller has the dataset's lock."""
    rest = [one for one in read_moved(root) if one.at != moved.at]
    kept = sorted([*rest, moved], key=lambda one: one.at)[-MOST_KEPT:]
    write_atomically(root / MOVED, "".join(json.dumps(asdict(one)) + "\n" for one in kept).encode())
