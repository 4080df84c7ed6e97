"""What a choice of tags would do to some captions, from the probabilities that are stored: no tagger runs, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from lorasmith.captions.caption import plain_tag
from lorasmith.captions.collection import Entry
from lorasmith.captions.taggers.probabilities import ProbabilityStore
from lorasmith.captions.taggers.tag_choice import Mode, TagChoice, TagProbability, choose_tags, written
from lorasmith.captions.taggers.tagging import tagged_captions
from lorasmith.captions.vocabulary import Vocabulary

MOST_NEARLY_CHOSEN = 12
"""Tags that are shown beside the chosen ones."""

MOST_LOOKED_AT = 200
"""Captions among which those to show are looked for."""


@dataclass(frozen=True)
class TagPreview:
    """A caption before and after, and the tagger's tags with their probabilities."""

    key: str
    picture: str
    before: list[str]
    after: list[str]
    chosen: list[TagProbability]
    """The tagger's tags that are used, the most probable first."""
    nearly_chosen: list[TagProbability]
    """The most probable of those that are not used."""


def preview_tags(
    store: ProbabilityStore, identity: str, entries: Sequence[Entry], content_of: Callable[[str], str], choice: TagChoice, mode: Mode,
    vocabulary: Vocabulary | None = None, count: int = 12,
) -> list[TagPreview]:  # fmt: skip
    """Up to `count` captions whose pictures this tagger was run on, spread over all; `content_of` gives the hash of a picture by its path.

    Thresholds that the choice does not give are the tagger's own.
    """
    choice = choice.with_thresholds_of(store.thresholds(identity))
    stored = store.contents(identity)
    tagged = ((entry, content) for entry in _spread(entries, count) if (content := content_of(entry.pictures[0])) in stored)
    shown = sorted(islice(tagged, count), key=lambda one: one[0].key)
    contents = {entry.key: content for entry, content in shown}
    ranked = {
        content: sorted(tags, key=lambda tag: (-tag.probability, tag.name))
        for content, tags in store.tags(identity, set(contents.values()))
    }
    changes = tagged_captions(store, identity, [entry for entry, _ in shown], contents, choice, mode, vocabulary)
    previews = []
    for entry, content in shown:
        used = set(choose_tags(ranked[content], choice, vocabulary))
        after = changes[entry.key].tags if entry.key in changes else entry.caption.tags
        chosen = [tag for tag in ranked[content] if written(tag.name, choice) in used]
        rest = [tag for tag in ranked[content] if tag not in chosen and _may_be_used(tag, choice)]
        previews.append(TagPreview(entry.key, entry.pictures[0], entry.caption.tags, after, chosen, rest[:MOST_NEARLY_CHOSEN]))
    return previews


def _spread(entries: Sequence[Entry], count: int) -> Iterator[Entry]:
    """Entries from all over: every n-th, then those beside them."""
    looked_at = entries[:: max(1, len(entries) // MOST_LOOKED_AT)][:MOST_LOOKED_AT]
    stride = max(1, len(looked_at) // count)
    for first in range(stride):
        yield from looked_at[first::stride]


def _may_be_used(tag: TagProbability, choice: TagChoice) -> bool:
    return tag.category in choice.categories and plain_tag(tag.name) not in {plain_tag(each) for each in choice.blacklist}
