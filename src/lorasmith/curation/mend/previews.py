"""Pictures of what a mend would give, for a page that shows before and after: drawn when they are asked for, and kept.

    previews = Previews("cache/previews")
    key = previews.keep(proposal, content)
    previews.draw(key, 0)             the first picture that the proposal would make, as WebP

A key is the hash of the picture's content and of the steps, so what it names never changes. All of it is safe to delete.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter

from lorasmith.atomic import write_atomically
from lorasmith.cache_folder import make_cache_folder
from lorasmith.curation.mend.proposals import Proposal
from lorasmith.curation.mend.steps import Step, apply_all, background_of
from lorasmith.errors import DatasetError, InputError
from lorasmith.images.read import content_hash, read_picture

LONGER_SIDE = 1024
"""Pixels."""

MOST_KEPT = 2000
"""Files. When there are more, the older half goes."""

_STEPS: TypeAdapter[tuple[Step, ...]] = TypeAdapter(tuple[Step, ...])


class Previews:
    """The kept previews in a folder; any number of threads and processes may use it."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)

    def keep(self, proposal: Proposal, content: str) -> str:
        """The key of what a proposal would make of a picture with this content."""
        steps = _STEPS.dump_python(proposal.steps, mode="json")
        key = hashlib.sha256(json.dumps([content, steps], sort_keys=True).encode()).hexdigest()
        file = self.folder / f"{key}.json"
        make_cache_folder(self.folder)
        write_atomically(file, json.dumps({"picture": str(proposal.path), "content": content, "steps": steps}).encode())
        self._forget_old()
        return key

    def draw(self, key: str, number: int) -> bytes:
        """One of the pictures, as WebP; it is kept, and drawn where it is not there yet.

        Raises:
            InputError: nothing of this key is known, it has fewer pictures, or the picture has changed meanwhile.
            DatasetError: the picture cannot be read.
        """
        file = self.folder / f"{key}-{number}.webp"
        try:
            return file.read_bytes()
        except FileNotFoundError:
            pass
        try:
            kept = json.loads((self.folder / f"{key}.json").read_bytes())
            picture, steps = Path(kept["picture"]), _STEPS.validate_python(kept["steps"])
        except (OSError, ValueError, KeyError):
            raise InputError("Nothing is known of this preview. Plan the mend again.", code="preview.not_found") from None
        _refuse_another_picture(picture, kept["content"])
        drawn = _drawn(picture, steps, number)
        write_atomically(file, drawn)
        return drawn

    def _forget_old(self) -> None:
        with os.scandir(self.folder) as entries:
            files = [entry for entry in entries if entry.name.endswith((".json", ".webp"))]
        if len(files) > MOST_KEPT:
            for entry in sorted(files, key=lambda entry: entry.stat().st_mtime)[: len(files) // 2]:
                Path(entry).unlink(missing_ok=True)


def _refuse_another_picture(picture: Path, content: str) -> None:
    try:
        same = content_hash(picture) == content
    except DatasetError:
        same = False
    if not same:
        raise InputError(
            f"{picture.name} has changed since the mend was planned. Plan it again.", code="preview.stale", picture=picture.name
        )


def _drawn(picture: Path, steps: Sequence[Step], number: int) -> bytes:
    made = apply_all(read_picture(picture, background_of(tuple(steps))), tuple(steps), {})
    if number >= len(made):
        raise InputError("The mend makes fewer pictures than that.", code="preview.not_found", number=number)
    small, written = made[number], io.BytesIO()
    small.thumbnail((LONGER_SIDE, LONGER_SIDE))
    small.save(written, "WEBP", quality=90, method=2)
    return written.getvalue()
