"""The demo world's tags as a vocabulary: what its tagger knows, other words for some, and what its characters are."""

from __future__ import annotations

from lorasmith.captions.vocabulary import Vocabulary, merged, open_vocabulary
from lorasmith.demo.weights import TAGGER
from lorasmith.demo.world import ACCESSORIES, ACCESSORY_COLORS, CHARACTERS, HELD_OUT_STYLES, STYLES

OTHER_WORDS = {"bunny": "rabbit", "kitty": "cat", "seaside": "beach", "at_night": "night", "town": "city"}


def demo_vocabulary() -> Vocabulary:
    """Every tag of the world with its count in the tagger's training, and what it implies.

    A character implies its species and its colour, a red hat a hat, a flat style a style.
    """
    implications: dict[str, tuple[str, ...]] = {name: (one.species, f"{one.color}_body") for name, one in CHARACTERS.items()}
    implications |= {f"{color}_{accessory}": (accessory,) for color in ACCESSORY_COLORS for accessory in ACCESSORIES}
    implications |= {f"{style.replace(' ', '_')}_style": ("style",) for style in (*STYLES, *HELD_OUT_STYLES)}
    return merged([open_vocabulary(TAGGER / "selected_tags.csv"), Vocabulary({}, OTHER_WORDS, implications)])
