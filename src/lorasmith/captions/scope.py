"""Which captions of a folder something is for: all of them, those that a filter finds, those that are named, or those of both.

Captions of regularisation pictures are not the subject's: they are taken only where they, or their folder, are named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lorasmith.captions.caption import Caption
from lorasmith.captions.collection import CaptionCollection, Entry
from lorasmith.captions.filters import parse_filter
from lorasmith.captions.token_limit import TokenCounter
from lorasmith.dataset_folder import is_regularisation
from lorasmith.errors import DatasetError


@dataclass(frozen=True)
class Scope:
    """Which captions to take; by default all but those of regularisation pictures."""

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
    """The selected entries, in the collection's order; those of regularisation pictures only where the scope names them.

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
    entries = [entry for entry in entries if not is_regularisation(entry.key) or _is_named(entry, names)]
    if scope.where is not None:
        matches = parse_filter(scope.where, count_tokens).matches
        entries = [entry for entry in entries if matches(entry)]
    return entries


def left_alone(collection: CaptionCollection, scope: Scope = EVERYTHING) -> list[Entry]:
    """The captions of regularisation pictures that a scope leaves alone, because it names none of their folders."""
    return [entry for entry in collection if is_regularisation(entry.key) and not _is_named(entry, scope.names)]


def subject_captions(collection: CaptionCollection, entries: Sequence[Entry]) -> list[Caption]:
    """The captions among the entries that the trigger is in: not those of regularisation pictures, and where these are all, the others'."""
    own = [entry.caption for entry in entries if not collection.is_regularisation(entry.key)]
    return own or [entry.caption for entry in select(collection) if not collection.is_regularisation(entry.key)]


def select_unreadable(collection: CaptionCollection, scope: Scope) -> list[Entry]:
    """The selected captions that are not UTF-8. A filter cannot be applied to them, so they are selected whatever it says."""
    names = scope.names
    return [entry for entry in collection.unreadable.values() if not names or "." in names or names & _names_of(entry)]


def _is_named(entry: Entry, names: set[str]) -> bool:
    """Whether a regularisation picture, its caption or its folder is among the names; the folder around it does not name it."""
    return any(is_regularisation(name) for name in names & _names_of(entry))


def _names_of(entry: Entry) -> set[str]:
    """The names by which a selection may know an entry: its caption, its pictures, the folders that they are in."""
    parts = entry.key.split("/")
    return {entry.key, *entry.pictures, *("/".join(parts[:n]) for n in range(1, len(parts)))}
