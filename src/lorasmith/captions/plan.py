"""What an operation would do to captions, before anything is written: edits, taggers and captioners all end in a plan."""

from __future__ import annotations

from dataclasses import dataclass

from lorasmith.captions.caption import Caption
from lorasmith.captions.collection import CaptionCollection
from lorasmith.captions.history import Operation, file_bytes


@dataclass(frozen=True)
class CaptionPlan:
    """The captions that an operation would change. Nothing is written before `save`."""

    collection: CaptionCollection
    summary: str
    """What is done, for the history."""
    considered: int
    """How many captions were selected."""
    changes: dict[str, Caption]
    """Key -> the new caption, for those that would differ."""

    def before(self, key: str) -> Caption:
        """The caption as it is; for a file that is not UTF-8, what can be read of it."""
        if key in self.collection:
            return self.collection[key].caption
        raw = file_bytes(self.collection.folder / key) or b""
        return Caption(raw.decode("utf-8", "replace").replace("\0", "").encode())

    def save(self, note: str = "") -> Operation | None:
        """Write it as one operation that can be undone; None where nothing would change. Raises as `CaptionCollection.save` does."""
        return self.collection.save(self.changes, self.summary, note)
