"""A set of captions in numbers: how frequent each tag is, which tags occur together, how many tags a caption has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from math import log2
from statistics import mean, median
from typing import Any

from lorasmith.captions.caption import Caption, tag_key
from lorasmith.captions.token_limit import TokenCounter, training_line

PAIRED_TAGS = 300
"""How many of the most frequent tags are looked at in pairs: the number of pairs grows with the square."""


@dataclass(frozen=True)
class TagPair:
    """Two tags that occur together. `strength` is 1 where neither occurs without the other, 0 where it is chance."""

    first: str
    second: str
    captions: int
    strength: float


@dataclass(frozen=True)
class Spread:
    """How a number is distributed over the captions."""

    min: float
    median: float
    mean: float
    max: float

    @classmethod
    def of(cls, numbers: Iterable[float]) -> Spread:
        """The spread of numbers; of none, everything is 0."""
        values = list(numbers) or [0]
        return cls(min(values), median(values), round(mean(values), 2), max(values))


@dataclass(frozen=True)
class Statistics:
    """A set of captions in numbers; frequent tags and strong pairs come first."""

    captions: int
    empty: int
    frequencies: dict[str, int]
    """Tag -> number of captions that have it."""
    pairs: tuple[TagPair, ...]
    tags: dict[str, int]
    """Caption -> its number of tags."""
    characters: dict[str, int]
    """Caption -> its number of characters."""
    tokens: dict[str, int]
    """Caption -> number of tokens of the line that training reads; empty where nothing counts them."""

    @property
    def as_data(self) -> dict[str, Any]:
        """For `--json` and files."""
        return {
            "captions": self.captions,
            "empty": self.empty,
            "different_tags": len(self.frequencies),
            "tags_per_caption": vars(Spread.of(self.tags.values())),
            "characters_per_caption": vars(Spread.of(self.characters.values())),
            **({"tokens_per_caption": vars(Spread.of(self.tokens.values()))} if self.tokens else {}),
            "frequencies": self.frequencies,
            "pairs": [vars(pair) for pair in self.pairs],
            "by_caption": {
                key: {"tags": self.tags[key], "characters": self.characters[key], **({"tokens": self.tokens[key]} if self.tokens else {})}
                for key in self.tags
            },
        }


def statistics_of(captions: Mapping[str, Caption], count_tokens: TokenCounter | None = None, max_pairs: int = 50) -> Statistics:
    """The numbers of captions by key. Sentences are not tags: they count as characters and tokens only."""
    tags = {key: [tag_key(tag) for tag in caption.parts[0]] for key, caption in captions.items()}
    counts = Counter(tag for own in tags.values() for tag in set(own))
    frequencies = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    return Statistics(
        captions=len(captions),
        empty=sum(not caption.text.strip() for caption in captions.values()),
        frequencies=frequencies,
        pairs=tag_pairs(tags.values(), frequencies)[:max_pairs],
        tags={key: len(own) for key, own in tags.items()},
        characters={key: len(caption.text) for key, caption in captions.items()},
        tokens={key: count_tokens(training_line(caption)) for key, caption in captions.items()} if count_tokens else {},
    )


def tag_pairs(lists: Iterable[Iterable[str]], frequencies: Mapping[str, int]) -> tuple[TagPair, ...]:
    """Pairs of tags that occur together more often than by chance, the strongest first.

    The strength is the normalised pointwise mutual information (Bouma 2009), which does not favour frequent tags.
    Tags of a single caption, and those of all captions, carry no information and are left out.
    """
    sets = [set(own) for own in lists]
    total = len(sets)
    informative = [tag for tag, count in frequencies.items() if 1 < count < total][:PAIRED_TAGS]
    kept = set(informative)
    counts: Counter[tuple[str, str]] = Counter()
    for own in sets:
        counts.update(combinations(sorted(own & kept), 2))
    pairs = []
    for (first, second), count in counts.items():
        if count > 1:
            chance = frequencies[first] / total * (frequencies[second] / total)
            strength = log2(count / total / chance) / -log2(count / total)
            if strength > 0:
                pairs.append(TagPair(first, second, count, round(strength, 3)))
    return tuple(sorted(pairs, key=lambda pair: (-pair.strength, -pair.captions, pair.first, pair.second)))


def captions_with_each(tags: Iterable[str], captions: Iterable[Caption]) -> dict[str, int]:
    """Tag -> number of captions that have it, for these tags, in their order."""
    counts: dict[str, int] = dict.fromkeys(tags, 0)
    for caption in captions:
        for tag in set(caption.tags) & counts.keys():
            counts[tag] += 1
    return counts


def tags_of_any(captions: Iterable[Caption]) -> list[str]:
    """The union: tags that any of the captions has, the most frequent first, equal ones by name."""
    counts = Counter(tag for caption in captions for tag in set(caption.tags))
    return sorted(counts, key=lambda tag: (-counts[tag], tag))


def tags_of_all(captions: Iterable[Caption]) -> list[str]:
    """The intersection: tags that all of the captions have, in the first one's order."""
    captions = list(captions)
    shared = set.intersection(*({*caption.tags} for caption in captions)) if captions else set()
    return [tag for tag in dict.fromkeys(captions[0].tags if captions else ()) if tag in shared]


def tags_of_these_only(captions: Iterable[Caption], others: Iterable[Caption]) -> list[str]:
    """The difference: tags that any of the captions has and none of the others, the most frequent first."""
    elsewhere = set(tags_of_any(others))
    return [tag for tag in tags_of_any(captions) if tag not in elsewhere]
