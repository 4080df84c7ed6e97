"""The demo world's tags as a vocabulary: what its tagger knows, other words for some, and what its characters are."""

from __future__ import annotations

from lorasmith.captions.vocabulary import Vocabulary, merged, open_vocabulary
from lorasmith.demo.weights import TAGGER
from lorasmith.demo.world import CHARACTERS

OTHER_WORDS = {"bunny": "rabbit", "kitty": "cat", "seaside": "beach", "at_night": "night", "town": "city"}


def demo_vocabulary() -> Vocabulary:
    """Every tag of the world with its count in the tagger's training; a character implies its species and its colour."""
    implications = {name: (one.species, f"{one.color}_body") for name, one in CHARACTERS.items()}
    return merged([open_vocabulary(TAGGER / "selected_tags.csv"), Vocabulary({}, OTHER_WORDS, implications)])
