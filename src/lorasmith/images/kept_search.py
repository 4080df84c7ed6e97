"""The search for near duplicates, kept: of pictures that were compared before only the new ones are compared, with one another and with all.

What was found belongs to contents, so a picture that changed is a new one, and one that is gone takes its pairs along. It is kept for a
place, such as a dataset's folder, because pictures of two datasets were not compared with each other.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lorasmith.images.duplicates import MANY, Group, Pair, Signature, grouped, near_duplicate_pairs
from lorasmith.images.picture_cache import PictureCache, key_of

KIND = "near duplicates 1"


def near_duplicates(contents: Sequence[str], signatures: Sequence[Signature], cache: PictureCache, place: str | Path) -> list[Group]:
    """Groups of pictures that show the same, as `near_duplicate_groups` gives them.

    `contents` are the hashes of the pictures' bytes; pictures with the same bytes are copies of each other.
    """
    first: dict[str, int] = {}
    for index, content in enumerate(contents):
        first.setdefault(content, index)
    key = key_of(place)
    kept = _recalled(cache.get(KIND, key))
    compared = [content for content in kept.still_compared({*first}) if content in first]
    known = {*compared}
    order = [*compared, *(content for content in first if content not in known)]
    places = {content: place for place, content in enumerate(order)}
    earlier = [
        Pair(places[one], places[other], pair.relation, pair.difference)
        for pair in kept.pairs
        if (one := kept.contents[pair.first]) in known and (other := kept.contents[pair.second]) in known
    ]
    pairs = near_duplicate_pairs([signatures[first[content]] for content in order], earlier, len(compared))
    if len(compared) < len(order):
        cache.put([(KIND, key, _Search(tuple(order), tuple(pairs)).as_row)])
    found = [_ordered(first[order[pair.first]], first[order[pair.second]], pair) for pair in pairs]
    found += [Pair(first[content], index, "same", 0.0) for index, content in enumerate(contents) if first[content] != index]
    return grouped(len(contents), sorted(found, key=lambda pair: (pair.first, pair.second)))


def _ordered(one: int, other: int, pair: Pair) -> Pair:
    return Pair(min(one, other), max(one, other), pair.relation, pair.difference)


@dataclass(frozen=True)
class _Search:
    """What was compared, each with each, and the pairs that were found: places in `contents`."""

    contents: tuple[str, ...] = ()
    pairs: tuple[Pair, ...] = ()

    def still_compared(self, present: set[str]) -> list[str]:
        """The contents that were compared with each other, also without those that are not `present` any more.

        Inside a large group not all pairs are looked for, only enough to connect it: where one of its pictures is gone, perhaps the one that
        connected the others, they count as new.
        """
        if present.issuperset(self.contents):
            return list(self.contents)
        again = {
            index
            for group in grouped(len(self.contents), self.pairs)
            if len(group.indices) > MANY and any(self.contents[index] not in present for index in group.indices)
            for index in group.indices
        }
        return [content for index, content in enumerate(self.contents) if content in present and index not in again]

    @property
    def as_row(self) -> bytes:
        pairs = [(pair.first, pair.second, pair.relation, pair.difference) for pair in self.pairs]
        return json.dumps({"contents": self.contents, "pairs": pairs}).encode()


def _recalled(row: bytes | None) -> _Search:
    if row is None:
        return _Search()
    tree = json.loads(row)  # as it was written, by its checksum
    return _Search(tuple(tree["contents"]), tuple(Pair(*pair) for pair in tree["pairs"]))
