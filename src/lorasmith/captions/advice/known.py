"""All captions of a set with what is known about them without opening a base: what the rules of advice can say at once."""

from __future__ import annotations

from collections.abc import Iterable

from lorasmith.captions.advice.checked import CheckedCaptions
from lorasmith.captions.collection import CaptionCollection
from lorasmith.captions.scope import left_alone, select, subject_captions
from lorasmith.captions.taggers.probabilities import stored_tags
from lorasmith.captions.triggers import likely_triggers, triggers_from


def known_captions(collection: CaptionCollection, triggers: str | Iterable[str] = ()) -> CheckedCaptions:
    """The captions with their triggers (the likely ones, where none are given) and what a tagger found; tokens are not counted."""
    entries = select(collection)
    return CheckedCaptions(
        captions={entry.key: entry.caption for entry in entries},
        triggers=triggers_from(triggers) if triggers else likely_triggers(subject_captions(collection, entries)),
        probabilities=stored_tags(collection.folder, {entry.key: collection.folder / entry.pictures[0] for entry in entries}),
        regularisation={entry.key: entry.caption for entry in left_alone(collection)},
        unreadable=list(collection.unreadable),
    )
