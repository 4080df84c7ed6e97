"""Which captions of a folder something is for: all of them, those that a filter finds, those that are named, or those of both."""

from __future__ import annotations

from dataclasses import dataclass

from lorasmith.captions.collection import CaptionCollection, Entry
from lorasmith.captions.filters import TokenCounter, parse_filter
from lorasmith.errors import DatasetError


@dataclass(frozen=True)
class Scope:
    """Which captions to take; by default all of them."""

    where: str | None = None
    """A filter, see `filters`."""
    paths: tuple[str, ...] = ()
    """Caption files, pictures or folders, as paths below the collection's folder."""

    @property
    def names(self) -> set[str]:
        """`paths` in the form that keys have."""
        return {path.replace("\\", "/").removeprefix("./").rstrip("/") for path in self.paths}

    def __str__(self) -> str:
        """The scope as the end of a sentence, such as ` where tag:hat in anna`; "" for all captions."""
        return (f" where {self.where}" if self.where else "") + (f" in {', '.join(self.paths)}" if self.paths else "")


EVERYTHING = Scope()


def select(collection: CaptionCollection, scope: Scope = EVERYTHING, count_tokens: TokenCounter | None = None) -> list[Entry]:
    """The selected entries, in the collection's order.

    Raises:
        InputError: the filter cannot be read.
        DatasetError: a path is not in the collection.
    """
    entries = list(collection)
    if names := scope.names:
        found: set[str] = set()
        chosen = []
        for entry in entries:
            hits = names & _names_of(entry)
            if hits or "." in names:
                found |= hits
                chosen.append(entry)
        for entry in collection.unreadable.values():
            found |= names & _names_of(entry)
        if missing := sorted(names - found - {"."}):
            raise DatasetError(
                f"{collection.folder} has no picture, caption or folder {missing[0]}: give a path below that folder.",
                code="captions.not_found", folder=str(collection.folder), path=missing[0],
            )  # fmt: skip
        entries = chosen
    if scope.where is not None:
        matches = parse_filter(scope.where, count_tokens).matches
        entries = [entry for entry in entries if matches(entry)]
    return entries


def select_unreadable(collection: CaptionCollection, scope: Scope) -> list[Entry]:
    """The selected captions that are not UTF-8. A filter cannot be applied to them, so they are selected whatever it says."""
    names = scope.names
    return [entry for entry in collection.unreadable.values() if not names or "." in names or names & _names_of(entry)]


def _names_of(entry: Entry) -> set[str]:
    """The names by which a selection may know an entry: its caption, its pictures, the folders that they are in."""
    parts = entry.key.split("/")
    return {entry.key, *entry.pictures, *("/".join(parts[:n]) for n in range(1, len(parts)))}
