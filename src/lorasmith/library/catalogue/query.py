"""What is looked for in the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from lorasmith.errors import InputError
from lorasmith.library.catalogue.entry import Entry
from lorasmith.models.families import FAMILIES
from lorasmith.registry import nearest


@dataclass(frozen=True)
class Query:
    """All that is given must hold; case never matters."""

    words: Sequence[str] = ()
    """Each is part of the file's name, title, description, tags or triggers."""
    trigger: str | None = None
    """Part of a trigger."""
    base: str | None = None
    """Part of the base model's name."""
    kind: str | None = None
    family: str | None = None
    rank: tuple[int, int] | None = None
    """The least and the most; one of the file's ranks is between them."""
    since: date | None = None
    until: date | None = None
    """The day of the training, or of the file where nothing says when it was trained."""
    tag: str | None = None
    """One of the tags."""

    def matches(self, entry: Entry) -> bool:
        """Whether a file is looked for; one that cannot be read is found by words of its name alone."""
        facts = entry.facts
        if facts is None:
            others = (self.trigger, self.base, self.kind, self.family, self.rank, self.since, self.until, self.tag)
            return all(word.casefold() in entry.name.casefold() for word in self.words) and others == (None,) * len(others)
        return (
            all(word.casefold() in entry.words for word in self.words)
            and _part_of(self.trigger, facts.triggers)
            and _part_of(self.base, (facts.base,))
            and _one_of(self.kind, facts.kinds)
            and _one_of(self.family, (facts.family,))
            and _one_of(self.tag, facts.tags)
            and (self.rank is None or any(self.rank[0] <= rank <= self.rank[1] for rank in facts.ranks))
            and (self.since is None or entry.day >= self.since.isoformat())
            and (self.until is None or entry.day <= self.until.isoformat())
        )

    def notes(self, entries: Sequence[Entry]) -> list[str]:
        """Sentences on what no file of the catalogue has, whatever else is asked for."""
        facts = [entry.facts for entry in entries if entry.facts is not None]
        known = {
            "kind": (self.kind, {kind for each in facts for kind in each.kinds}),
            "family": (self.family, {each.family for each in facts} | {*FAMILIES}),
            "tag": (self.tag, {tag for each in facts for tag in each.tags}),
        }
        return [
            f"No LoRA of the catalogue has the {what} {value!r}" + (f"; {nearest(value, sorted(names))}" if names else ".")
            for what, (value, names) in known.items()
            if value is not None and not any(_one_of(value, (name,)) for name in names)
        ]


def read_rank(text: str) -> tuple[int, int]:
    """The least and the most rank in `16`, `8-32`, `8-` or `-32`. Raises InputError (`library.rank`) for another text."""
    least, dash, most = text.partition("-")
    if not (least + most).isdecimal() or any(end and not end.isdecimal() for end in (least, most)):
        raise InputError(f"A rank is given as 16, 8-32, 8- or -32, and not as {text!r}.", code="library.rank")
    return (int(least or 0), int(most or 10**9)) if dash else (int(least), int(least))


def read_day(text: str) -> date:
    """A day such as 2026-11-27. Raises InputError (`library.day`) for another text."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"A day is given as 2026-11-27, and not as {text!r}.", code="library.day") from None


def _part_of(sought: str | None, texts: Iterable[str]) -> bool:
    return sought is None or any(sought.casefold() in text.casefold() for text in texts)


def _one_of(sought: str | None, texts: Iterable[str]) -> bool:
    return sought is None or any(sought.casefold() == text.casefold() for text in texts)
