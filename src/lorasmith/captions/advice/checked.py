"""What the rules of advice look at: the captions of a set, and what is known about the pictures, the base and its tags."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, field
from functools import cached_property

from lorasmith.captions.caption import Caption, tag_key, with_spaces
from lorasmith.captions.style import CaptionStyle
from lorasmith.captions.token_limit import TokenCounter, Tokenizer, token_counter
from lorasmith.captions.vocabulary import Vocabulary
from lorasmith.findings import Evidence, Finding
from lorasmith.pages.numbers import count

FEW_PICTURES = 5
"""In smaller sets, shares mean nothing."""
PROBABLE = 0.5
"""From this probability on, a tag counts as one that the picture shows."""


@dataclass(frozen=True)
class CheckedCaptions:
    """A set of captions, and what is known about it. What is left out makes rules that need it find nothing; see `skipped_checks`."""

    captions: Mapping[str, Caption]
    style: CaptionStyle | None = None
    """How the captions of the base's training set were written."""
    triggers: tuple[str, ...] = ()
    vocabulary: Vocabulary | None = None
    """Tags that the base was trained on, and what they imply."""
    probabilities: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Caption -> tag -> probability that a tagger gave for its picture, 0-1."""
    tokenizers: Mapping[str, Tokenizer] = field(default_factory=dict)
    reads_breaks: bool | None = None
    """Whether a BREAK begins the next chunk of what the base's encoder reads; None where the base is not known."""
    limit: int = 75
    """Tokens of a caption that the encoder reads."""
    longer_limits: Mapping[int, int] = field(default_factory=dict)
    """Higher limits -> what training is set to for them, template and end included."""
    regularisation: Mapping[str, Caption] = field(default_factory=dict)
    """The captions of regularisation pictures, which are to be without the trigger."""
    unreadable: Collection[str] = ()
    """Caption files that are not UTF-8."""

    @property
    def count_tokens(self) -> TokenCounter | None:
        """Counts tokens as the encoder that needs the most does; None without tokenizers."""
        return token_counter(self.tokenizers.values(), self.limit, in_chunks=bool(self.reads_breaks)) if self.tokenizers else None

    @cached_property
    def tags(self) -> dict[str, list[str]]:
        """The tags (not the sentence) of each caption that is not empty, without the triggers, `\\(` read as a bracket."""
        triggers = set(map(tag_key, self.triggers))
        return {
            key: [plain for tag in caption.parts[0] if (plain := tag_key(tag)) not in triggers]
            for key, caption in self.captions.items()
            if caption.text.strip()
        }

    @cached_property
    def sentences(self) -> dict[str, str]:
        """The sentence of each caption that mainly is one."""
        return {key: text for key, caption in self.captions.items() if (text := caption.sentence) and len(self.tags[key]) < 3}

    @cached_property
    def counts(self) -> Counter[str]:
        """Tag -> number of captions that have it."""
        return Counter(tag for tags in self.tags.values() for tag in set(tags))

    @cached_property
    def single_tags(self) -> set[str]:
        """Captions that are one tag in all, the trigger counted."""
        return {key for key in self.tags if key not in self.sentences and len(self.captions[key].tags) == 1}

    def shown_tags(self, is_meant: Callable[[str], bool]) -> Iterator[tuple[str, list[str], list[str]]]:
        """What the tagger found, for the tags that are meant, the most frequent first.

        Each is the tag, the captions whose pictures show it, and those of them that do not mention it.
        """
        shown: dict[str, list[str]] = defaultdict(list)
        for key, probabilities in self.probabilities.items():
            for name, probability in probabilities.items():
                if probability >= PROBABLE and is_meant(tag := with_spaces(name)):
                    shown[tag].append(key)
        for tag, keys in sorted(shown.items(), key=lambda item: (-len(item[1]), item[0])):
            yield tag, keys, [key for key in keys if key in self.captions and not self._mentions(key, tag)]

    def _mentions(self, key: str, tag: str) -> bool:
        own = {with_spaces(one).lower() for one in self.tags.get(key, ())}
        return tag in own or re.search(rf"(?<!\w){re.escape(tag)}(?!\w)", self.captions[key].text, re.IGNORECASE) is not None


Rule = Callable[[CheckedCaptions], Iterable[Finding]]
"""Looks at a set of captions and reports what it found; a pure function."""


# What messages have in common


def captions_that(keys: Sized, singular: str, plural: str) -> str:
    """`1 caption is empty.`, `3 captions are empty.`"""
    return f"{count(len(keys), 'caption')} {singular if len(keys) == 1 else plural}."


def pictures_that(keys: Sized, singular: str, plural: str) -> str:
    """The same of pictures."""
    return f"{count(len(keys), 'picture')} {singular if len(keys) == 1 else plural}."


def of_all(keys: Sized, checked: CheckedCaptions) -> Evidence:
    """How many captions of all."""
    return Evidence(len(keys), "captions", f"{len(keys):,} of {count(len(checked.captions) + len(checked.unreadable), 'caption')}.")


def share(keys: Sized, of: Sized, unit: str = "% of the captions", ending: str = "") -> Evidence:
    """The share of the keys in percent, as a sentence that may go on with `ending`."""
    percent = round(100 * len(keys) / len(of), 1)
    return Evidence(percent, unit, f"{percent:g} {unit}{ending}.")


def most_common(lists: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """All that is in the lists, the most frequent first."""
    return tuple(one for one, _ in Counter(one for ones in lists for one in ones).most_common())
