"""Captions that no picture has, put together from the parts of those that pictures have.

A part is a tag, or a piece of a sentence ("on a bench"). Parts that can stand in for one another share a slot: "beach" and "forest", but
not "beach" and "smiling". A new caption takes the slots of one caption and fills each from any caption that fills it.

Of tags nobody says which are alternatives, but captions show it: they never come together, stand at about the same place, and often end
in the same word ("red hat", "blue hat"). So the tags, the most frequent first, go to the nearest slot whose tags they never meet, or open
a new one. In a sentence the word that a piece begins with says it: "on a bench" can be "on the stairs".
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from statistics import fmean

from lorasmith.captions.caption import tag_key
from lorasmith.draws import rng_for

Slots = Mapping[str, Hashable]
"""Part -> its slot."""

TRIES = 60
"""Draws for a new caption, before there are none left to find."""

CONNECTIVES = (
    "in", "on", "at", "with", "without", "wearing", "holding", "under", "over", "near", "beside", "behind", "against", "before", "during",
    "by", "from", "inside", "outside", "through", "next", "while",
)  # fmt: skip
"""Words that a piece of a sentence begins with."""

_CUTS = re.compile(rf"[.!?;]+(?:\s+|$)|\s*,\s*(?:and\s+)?|\s+(?=(?:{'|'.join(CONNECTIVES)})\s)", re.IGNORECASE)


def tag_slots(captions: Sequence[Sequence[str]]) -> Slots:
    """The slots of tags; no caption has two tags of one slot."""
    having, places = _captions_of(captions), _places(captions)
    room = len(captions) / sum(map(len, captions))  # of one tag in a caption of usual length
    slots: list[list[str]] = []
    slot_of: dict[str, int] = {}
    for tag in sorted(having, key=lambda tag: (-len(having[tag]), places[tag], tag)):

        def distance(slot: int, tag: str = tag) -> float:
            """How far the tag is from a slot's tags: 0 with the same last word, above `room` where they are no alternatives."""
            members = slots[slot]
            if any(having[member] & having[tag] for member in members):
                return math.inf
            if any(_same_last_word(member, tag) for member in members):
                return 0.0
            return abs(fmean(places[member] for member in members) - places[tag])

        nearest = min(range(len(slots)), key=distance, default=None)
        if nearest is None or distance(nearest) > room:
            nearest = len(slots)
            slots.append([])
        slots[nearest].append(tag)
        slot_of[tag] = nearest
    return slot_of


def _captions_of(captions: Sequence[Sequence[str]]) -> dict[str, set[int]]:
    """Tag -> numbers of the captions that have it."""
    having: dict[str, set[int]] = {}
    for number, tags in enumerate(captions):
        for tag in tags:
            having.setdefault(tag, set()).add(number)
    return having


def _places(captions: Sequence[Sequence[str]]) -> dict[str, float]:
    """Tag -> where it stands in captions on average, from 0 for the first tag to 1 for the last."""
    places: dict[str, list[float]] = {}
    for tags in captions:
        for place, tag in enumerate(tags):
            places.setdefault(tag, []).append(place / max(1, len(tags) - 1))
    return {tag: fmean(own) for tag, own in places.items()}


def _same_last_word(one: str, other: str) -> bool:
    """Whether two tags of several words end alike: "red hat" and "blue hat"."""
    return " " in one and " " in other and one.split()[-1] == other.split()[-1]


def sentence_parts(sentence: str) -> list[str]:
    """The pieces of a sentence, cut at its commas and ends, and before words such as "in" and "wearing"."""
    return [part for piece in _CUTS.split(sentence) if (part := piece.strip())]


def sentence_slots(captions: Sequence[Sequence[str]]) -> Slots:
    """The slots of pieces of sentences: the word that they begin with or, without one, their place among such pieces."""
    slots: dict[str, Hashable] = {}
    for parts in captions:
        place = 0
        for part in parts:
            first = part.split()[0].lower()
            slots.setdefault(part, first if first in CONNECTIVES else place)
            place += first not in CONNECTIVES
    return slots


def sentence_of(parts: Sequence[str]) -> str:
    """Pieces as a sentence again."""
    text = ""
    for part in parts:
        text += ("" if not text else " " if part.split()[0].lower() in CONNECTIVES else ", ") + part
    return text


def new_combinations(captions: Sequence[Sequence[str]], slots: Slots, count: int, *purpose: str | int) -> list[tuple[str, ...]]:
    """Up to `count` different combinations of parts, none of which a caption has as a whole; fewer where there are no more.

    `purpose` names the draw. Parts that many captions have come as often as in those.
    """
    rng = rng_for("new combination", *purpose)
    known = [{tag_key(part) for part in parts} for parts in captions]
    filling: dict[Hashable, list[str]] = {}
    for parts in captions:
        for part in dict.fromkeys(parts):
            filling.setdefault(slots[part], []).append(part)
    found: dict[frozenset[str], tuple[str, ...]] = {}
    for _ in range(TRIES * count):
        if len(found) == count:
            break
        drawn = tuple(dict.fromkeys(rng.choice(filling[slots[part]]) for part in rng.choice(captions)))
        said = frozenset(map(tag_key, drawn))
        if drawn and not any(said <= whole for whole in known):
            found.setdefault(said, drawn)
    return list(found.values())


def fixed_parts(captions: Sequence[Sequence[str]], share: float, fewest: int) -> list[str]:
    """Parts that at least `share` (0-1) of the captions have, in the order of the first; none of fewer than `fewest` captions."""
    if len(captions) < fewest:
        return []
    counts = Counter(part for parts in captions for part in set(parts))
    return [part for part in dict.fromkeys(part for parts in captions for part in parts) if counts[part] >= share * len(captions)]
