"""Names that every system can hold, and that no two pictures share.

A picture's name is made safe once, when it enters a dataset: no characters that Windows, macOS or Linux refuse, no spaces, not too
long, no name that Windows keeps for devices, letters composed (NFC), because macOS and Linux spell `é` in different ways. Two names
that some system would take for one (`Cat` and `cat`, `é` in two spellings) count as one, and so do `cat.png` and `cat.jpg`, because
they would share the caption `cat.txt`: the later one gets a number.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable

ILLEGAL = '/\\:*?"<>|'
"""Characters that a file name cannot hold on some desktop system."""

JOINERS = "\u200c\u200d"

LONGEST = 100
"""Bytes (UTF-8) of the longest name without its suffix. Room is left for numbers, for other suffixes, and for deep folders on Windows."""

DEVICES = frozenset(("con", "prn", "aux", "nul", "conin$", "conout$", *(f"{port}{n}" for port in ("com", "lpt") for n in "0123456789¹²³")))
"""Names that Windows keeps for devices, whatever suffix they have."""


def safe_stem(stem: str) -> str:
    """A file name without its suffix, as every system can hold it: `a cat?` becomes `a_cat`."""
    name = re.sub(r"[\s_]+", "_", _legal(stem)).strip("_. ")
    return _not_a_device(_short_enough(name or "picture"))


def safe_folder(name: str) -> str:
    """The name of a folder, made safe; spaces and commas stay, because `10_anna, red hat` is used for missing captions."""
    return _not_a_device(_short_enough(re.sub(r"\s+", " ", _legal(name)).strip(" .") or "folder"))


def same_place(name: str) -> str:
    """Equal for two names that some file system takes for one and the same."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


class TakenNames:
    """The names in one folder, without their suffixes; `claim` gives each picture one of its own."""

    def __init__(self, stems: Iterable[str] = ()):
        self._taken = {same_place(stem) for stem in stems}
        self._next: dict[str, int] = {}

    def __contains__(self, stem: str) -> bool:
        return same_place(stem) in self._taken

    def claim(self, *candidates: str, free: Callable[[str], bool] = lambda stem: False) -> str:
        """The first candidate that is not taken, else the first with a number; it is taken from now on.

        `free` may say of a taken name that it is free all the same.
        """
        for candidate in candidates:
            if candidate not in self or free(candidate):
                self._taken.add(same_place(candidate))
                return candidate
        base = candidates[0]
        number = self._next.get(same_place(base), 2)
        while (name := f"{base}_{number}") in self and not free(name):
            number += 1
        self._next[same_place(base)] = number + 1
        self._taken.add(same_place(name))
        return name


def _legal(name: str) -> str:
    """Composed letters, and a space for everything that cannot be in a name, or is not seen in it (but what joins letters and emoji)."""
    composed = unicodedata.normalize("NFC", name)
    bad = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    return "".join(" " if c in ILLEGAL or (unicodedata.category(c) in bad and c not in JOINERS) else c for c in composed)


def printable(name: str) -> str:
    """A name as it may be shown on a terminal: control characters and what is not a letter as their number."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def _short_enough(name: str) -> str:
    """At most `LONGEST` bytes; a name that is cut ends in a hash of the whole, so that two long names stay two."""
    if len(name.encode()) <= LONGEST:
        return name
    mark = hashlib.sha256(name.encode()).hexdigest()[:8]
    head = name.encode()[: LONGEST - len(mark) - 1].decode(errors="ignore").rstrip("_-. ")
    return f"{head}-{mark}"


def _not_a_device(name: str) -> str:
    """`CON` becomes `CON_`, and `nul.old` `nul_.old`: for Windows, what comes after the first dot does not count."""
    first, dot, rest = name.partition(".")
    return f"{first.rstrip()}_{dot}{rest}" if first.rstrip().casefold() in DEVICES else name
