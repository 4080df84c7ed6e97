"""Files with the same tensors, whatever their names and metadata say.

Tensors are compared by their hash, which means reading whole files. So that is done only where it can matter: among files whose tensors
have the same names, types and shapes, unless every one of them states another hash (`sshs_model_hash`), as the epochs of a training do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from lorasmith.library.catalogue.entry import Entry

Hash = Callable[[Entry], str]
"""The sha256 of a file's tensors; "" where it cannot be read."""


def to_compare(entries: Iterable[Entry]) -> list[list[Entry]]:
    """Groups of files that may be the same; links to one file count once."""
    alike: dict[str, list[Entry]] = defaultdict(list)
    seen: set[tuple[int, int]] = set()
    for entry in entries:
        if entry.facts is not None and (place := _place(entry)) not in seen:
            seen.add(place)
            alike[entry.facts.layout].append(entry)
    return [group for files in alike.values() for group in _by_claim(files) if len(group) > 1]


def duplicates(groups: Iterable[Sequence[Entry]], hash_of: Hash) -> list[tuple[Entry, ...]]:
    """The files of each content that several have, the oldest first."""
    found: list[tuple[Entry, ...]] = []
    for group in groups:
        same: dict[str, list[Entry]] = defaultdict(list)
        for entry in group:
            same[hash_of(entry)].append(entry)
        found += [tuple(sorted(files, key=lambda file: file.changed)) for digest, files in same.items() if digest and len(files) > 1]
    return found


def _by_claim(files: Sequence[Entry]) -> list[list[Entry]]:
    """By the hash that they state; all together where one states none."""
    by_claim: dict[str, list[Entry]] = defaultdict(list)
    for entry in files:
        assert entry.facts is not None
        by_claim[entry.facts.claimed].append(entry)
    return [list(files)] if "" in by_claim else list(by_claim.values())


def _place(entry: Entry) -> tuple[int, int]:
    try:
        state = entry.path.stat()
    except OSError:
        return (-1, hash(entry.path))
    return state.st_dev, state.st_ino
