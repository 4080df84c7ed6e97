"""From a tagger's probabilities to the tags of a caption, as pure functions.

A tagger gives each tag a probability; which tags become the caption is a matter of choice: thresholds by category, MCut, a maximum
number of tags, a blacklist, tags that are always added. They are ordered by probability, the most probable first.

MCut is the maximum cut of Largeron, Moulin and Géry, "MCut: A Thresholding Strategy for Multi-label Classification" (2012): the
threshold is the middle of the widest gap between neighbouring probabilities, so no number has to be guessed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from lorasmith.captions.caption import KAOMOJI, plain_tag, with_escaped_parentheses
from lorasmith.captions.vocabulary import Vocabulary

Mode = Literal["ignore", "append", "overwrite"]

MIN_CHARACTER_MCUT = 0.15
"""MCut never goes below this for characters and other names, as in the taggers' own demo: a wrong name is worse than none."""


class TagProbability(NamedTuple):
    """A tagger's answer about one tag in one picture: the tag's name as in the tagger's table, its category, its probability (0-1)."""

    name: str
    category: str
    probability: float


class TagChoice(BaseModel):
    """Which of a tagger's tags become a caption, and how they are written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    general_threshold: float = Field(0.35, ge=0, le=1, description="General tags are used above this probability; lower gives more tags.")
    character_threshold: float = Field(0.85, ge=0, le=1, description="Characters are used above this probability; a wrong name does harm.")
    thresholds: dict[str, float] = Field(
        default_factory=dict, description="Thresholds of further categories by name; others use the general threshold."
    )
    mcut: bool = Field(False, description="Cut at each picture's widest gap between probabilities instead of at fixed thresholds.")
    max_tags: int | None = Field(None, ge=1, description="Keep at most this many of the tagger's tags, the most probable ones.")
    categories: tuple[str, ...] = Field(("general", "character"), description="Categories to use; the rating has its own setting.")
    rating: bool = Field(False, description="Add the most probable rating as the last of the tagger's tags.")
    blacklist: tuple[str, ...] = Field((), description="Tags that are never used, with spaces or underscores.")
    prepend: tuple[str, ...] = Field((), description="Tags put in front of all others, such as the trigger word.")
    append: tuple[str, ...] = Field((), description="Tags put behind all others.")
    keep_underscores: bool = Field(False, description="Write long_hair, not long hair.")
    escape_parentheses: bool = Field(False, description="Write \\( and \\), as prompts need it; captions do not.")
    drop_implied: bool = Field(True, description="Leave out a tag that another one implies, where implications are known.")

    def threshold(self, category: str) -> float:
        """The fixed threshold of a category, 0-1."""
        own = {"general": self.general_threshold, "character": self.character_threshold}
        return self.thresholds.get(category, own.get(category, self.general_threshold))

    def with_thresholds_of(self, tagger: tuple[float, float]) -> TagChoice:
        """The same choice with the tagger's own thresholds for general tags and characters, where none were given."""
        own = {"general_threshold": tagger[0], "character_threshold": tagger[1]}
        return TagChoice.model_validate(own | self.model_dump(exclude_unset=True))


def choose_tags(probabilities: Iterable[TagProbability], choice: TagChoice, vocabulary: Vocabulary | None = None) -> list[str]:
    """The tags of one picture: `prepend`, the tagger's with the most probable first, the rating, `append`; none of them twice.

    `vocabulary` knows which tags imply others, as `german shepherd` implies `dog`. `max_tags` counts the tagger's own tags after
    thresholds, blacklist and implications.
    """
    ranked = sorted(probabilities, key=lambda tag: (-tag.probability, tag.name))
    blocked = {plain_tag(tag) for tag in choice.blacklist}
    thresholds = {category: _threshold(ranked, category, choice) for category in choice.categories if category != "rating"}
    names = [
        tag.name
        for tag in ranked
        if tag.category in thresholds and tag.probability > thresholds[tag.category] and plain_tag(tag.name) not in blocked
    ]
    if choice.drop_implied and vocabulary is not None:
        names = vocabulary.without_implied(names)
    names = names[: choice.max_tags]
    if choice.rating and (ratings := [tag.name for tag in ranked if tag.category == "rating"]):
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


def merge_tags(existing: Sequence[str], new: Sequence[str], mode: Mode) -> list[str] | None:
    """The tags after tagging, or None where the caption stays as it is.

    `ignore` leaves existing captions alone, `append` adds the tags that they lack, `overwrite` replaces them.
    """
    if mode == "overwrite" or not existing:
        result = list(new)
    elif mode == "ignore":
        return None
    else:
        present = {plain_tag(tag) for tag in existing}
        result = [*existing, *(tag for tag in new if plain_tag(tag) not in present)]
    return None if result == list(existing) else result


def written(name: str, choice: TagChoice) -> str:
    """A name of the tagger's table as it goes into a caption; a comma would split it in two, so it becomes a space."""
    tag = " ".join((name if choice.keep_underscores else plain_tag(name)).replace(",", " ").split())
    return with_escaped_parentheses(tag) if choice.escape_parentheses and tag not in KAOMOJI else tag


def _threshold(probabilities: Sequence[TagProbability], category: str, choice: TagChoice) -> float:
    if not choice.mcut:
        return choice.threshold(category)
    # All improbable tags together count as one 0, since stored probabilities leave them out.
    cut = mcut_threshold([*(tag.probability for tag in probabilities if tag.category == category), 0.0])
    return cut if category == "general" else max(cut, MIN_CHARACTER_MCUT)
