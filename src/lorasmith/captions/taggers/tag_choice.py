"""From a tagger's probabilities to the tags of a caption, as pure functions.

A tagger says of each tag how probable it is; what becomes a caption is a matter of choice: thresholds by category, MCut, a most
number of tags, what is never wanted and what always is. The order is that of probability, the most certain tag first.

MCut is the maximum cut of Largeron, Moulin and Géry, "MCut: A Thresholding Strategy for Multi-label Classification" (2012): the
threshold lies in the middle of the widest gap between neighbouring probabilities. No number has to be guessed for it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from lorasmith.captions.caption import KAOMOJI, tag_key, with_spaces
from lorasmith.captions.vocabulary import Vocabulary

Mode = Literal["ignore", "append", "overwrite"]

LEAST_CHARACTER_MCUT = 0.15
"""MCut never goes below this for characters and other names, as in the taggers' own demo: a wrong name is worse than none."""


class Scored(NamedTuple):
    """One tag as a tagger sees it in one picture: its name as in the tagger's table, its category, its probability (0-1)."""

    name: str
    category: str
    probability: float


class TagChoice(BaseModel):
    """Which of a tagger's tags become a caption, and how they are written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    general_threshold: float = Field(0.35, ge=0, le=1, description="General tags count above this probability; lower gives more tags.")
    character_threshold: float = Field(0.85, ge=0, le=1, description="Characters count above this probability; a wrong name does harm.")
    thresholds: dict[str, float] = Field(
        default_factory=dict, description="Thresholds of further categories by name; without one, the general threshold."
    )
    mcut: bool = Field(False, description="Find the threshold of each picture in the widest gap instead of using fixed ones.")
    max_tags: int | None = Field(None, ge=1, description="Keep at most this many of the tagger's tags, the most probable ones.")
    categories: tuple[str, ...] = Field(
        ("general", "character"), description="Categories that are used at all; the rating has its own switch."
    )
    rating: bool = Field(False, description="Add the most probable rating as the last of the tagger's tags.")
    blacklist: tuple[str, ...] = Field((), description="Tags that are never used, with spaces or underscores.")
    prepend: tuple[str, ...] = Field((), description="Tags in front of all others, whatever the tagger sees; a trigger belongs here.")
    append: tuple[str, ...] = Field((), description="Tags behind all others, whatever the tagger sees.")
    keep_underscores: bool = Field(False, description="Write long_hair and not long hair.")
    escape_parentheses: bool = Field(False, description="Write \\( and \\), as prompts need it; captions do not.")
    drop_implied: bool = Field(True, description="Leave out a tag that another one implies, where implications are known.")

    def threshold(self, category: str) -> float:
        """The fixed threshold of a category, 0-1."""
        own = {"general": self.general_threshold, "character": self.character_threshold}
        return self.thresholds.get(category, own.get(category, self.general_threshold))


def choose_tags(scored: Iterable[Scored], choice: TagChoice, vocabulary: Vocabulary | None = None) -> list[str]:
    """The tags of one picture: `prepend`, the tagger's by falling probability, the rating, `append`; none of them twice.

    `vocabulary` knows which tags imply others, as `german shepherd` does `dog`.
    `max_tags` counts the tagger's own tags, after everything unwanted has been left out.
    """
    scored = sorted(scored, key=lambda one: (-one.probability, one.name))
    blocked = {spaced(tag) for tag in choice.blacklist}
    limits = {category: _limit(scored, category, choice) for category in choice.categories if category != "rating"}
    names = [
        one.name for one in scored if one.category in limits and one.probability > limits[one.category] and spaced(one.name) not in blocked
    ]
    if choice.drop_implied and vocabulary is not None:
        names = vocabulary.without_implied(names)
    names = names[: choice.max_tags]
    if choice.rating and (ratings := [one.name for one in scored if one.category == "rating"]):
        names.append(ratings[0])
    tags = [*choice.prepend, *(written(name, choice) for name in names), *choice.append]
    return list(dict.fromkeys(tags))


def mcut_threshold(probabilities: Sequence[float]) -> float:
    """The middle of the widest gap between neighbouring probabilities (any order); 1.0 where there are fewer than two."""
    falling = sorted(probabilities, reverse=True)
    if len(falling) < 2:
        return 1.0
    gaps = [above - below for above, below in itertools.pairwise(falling)]
    widest = gaps.index(max(gaps))
    return (falling[widest] + falling[widest + 1]) / 2


def merged(existing: Sequence[str], new: Sequence[str], mode: Mode) -> list[str] | None:
    """The tags after auto-labelling, or None where the caption stays as it is.

    `ignore` leaves what has a caption, `append` adds what is not yet said, `overwrite` replaces.
    """
    if mode == "overwrite" or not existing:
        result = list(new)
    elif mode == "ignore":
        return None
    else:
        said = {spaced(tag) for tag in existing}
        result = [*existing, *(tag for tag in new if spaced(tag) not in said)]
    return None if result == list(existing) else result


def spaced(name: str) -> str:
    """A tag with spaces for underscores, kaomoji as they are, and without the backslashes before parentheses."""
    return with_spaces(tag_key(name))


def written(name: str, choice: TagChoice) -> str:
    """A name of the tagger's table as it goes into a caption; a comma in it would part it in two, so it becomes a space."""
    tag = " ".join((name if choice.keep_underscores else spaced(name)).replace(",", " ").split())
    return tag.replace("(", "\\(").replace(")", "\\)") if choice.escape_parentheses and tag not in KAOMOJI else tag


def _limit(scored: Sequence[Scored], category: str, choice: TagChoice) -> float:
    if not choice.mcut:
        return choice.threshold(category)
    # The many tags that are certainly not there count as one 0: they may have been left out where probabilities were stored.
    cut = mcut_threshold([*(one.probability for one in scored if one.category == category), 0.0])
    return cut if category == "general" else max(cut, LEAST_CHARACTER_MCUT)
