"""Take mends back without undoing what was decided since: which pictures are held out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from lorasmith.curation.holdout import keep_together
from lorasmith.curation.mend.mend import Mended, undo, undo_what_was_done_at
from lorasmith.curation.mend.recipes import Recipe


def undo_mends(
    root: str | Path, chosen: Iterable[Recipe] | None = None, steps: int | None = None, cache: str | Path | None = None
) -> list[Mended]:
    """Take back the last `steps` steps of each recipe (by default of every one), or all steps; then the originals are back, byte for byte.

    Pictures and captions that were changed by hand since are not lost: they go to the bin. A picture that comes back is put on the
    side of its near duplicates, training or holdout, wherever it was before; `cache` is a folder that keeps what is seen of pictures.

    Raises:
        DatasetError: another picture is in an original's place now.
    """
    return _kept_together(root, undo(root, chosen, steps), cache)


def undo_mends_done_at(root: str | Path, at: float, cache: str | Path | None = None) -> list[Mended]:
    """Take back what was mended together at this time; as `undo_mends`."""
    return _kept_together(root, undo_what_was_done_at(root, at), cache)


def _kept_together(root: str | Path, undone: Sequence[Mended], cache: str | Path | None) -> list[Mended]:
    moved = keep_together(root, {path for one in undone for path in one.after}, cache)
    return [replace(one, after=tuple(moved.get(path, path) for path in one.after)) for one in undone]
