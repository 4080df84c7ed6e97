"""Scenes for the demo datasets: with a character, a style or a concept, and everything else in balance.

Nothing here is left to chance: the attributes of a set are dealt so that each value, and each pair of values, comes
about equally often, and each set has seeds of its own, which the base model and the tagger have never seen.
"""

from __future__ import annotations

import difflib
import random
from collections import Counter
from collections.abc import Iterable, Sequence

from lorasmith.demo.world import (
    ACCESSORIES,
    ACCESSORY_COLORS,
    BACKGROUNDS,
    CHARACTERS,
    COLORS,
    EXPRESSIONS,
    HELD_OUT_CONCEPTS,
    HELD_OUT_STYLES,
    POSES,
    SPECIES,
    STYLES,
    Scene,
    attribute_tags,
)  # fmt: skip
from lorasmith.errors import InputError

THINGS: dict[str, tuple[str, ...]] = {"character": tuple(CHARACTERS), "style": HELD_OUT_STYLES, "concept": HELD_OUT_CONCEPTS}

SIZES: dict[str, dict[str, int]] = {
    "character": {"small": 15, "large": 40},
    "style": {"small": 40, "large": 120},
    "concept": {"small": 30, "large": 80},
}
"""Kind -> name of the size -> pictures."""

TRIGGERS: dict[str, str] = {
    **{name: name for name in CHARACTERS},
    "halftone": "halvtone",
    "stained glass": "vitrelle",
    "chalk": "krijtol",
    "pixel mosaic": "mozaiq",
    "umbrella": "umbrix",
    "balloon": "ballumo",
    "skateboard": "skrolla",
    "lantern": "lanthyr",
}
"""Thing -> its trigger word: letters only, no word that the base has ever read, and no such word inside it."""

TWO_CHARACTERS = (("zorvex", ("blue", "scarf"), 24), ("quorrin", ("red", "hat"), 12))
"""Character, what it wears in every picture, pictures."""

REGULARISATION_PICTURES = 120

DATASET_SEEDS, PROMPT_SEEDS = 20_000_000, 40_000_000
"""The first seed of what is trained on and prompted with; each thing has a block of its own after it."""

BLOCK = 100_000
_BLOCKS = (*TRIGGERS, *(f"multi {name}" for name, _, _ in TWO_CHARACTERS), "regularisation", "messy")


def prompts_for(kind: str, name: str, count: int) -> list[tuple[str, Scene]]:
    """`count` prompts with the thing's trigger and other attributes, each with the scene that it describes."""
    fixed = fixed_attributes(kind, name)
    scenes = balanced_scenes(count, first_seed_of(PROMPT_SEEDS, name), **fixed)
    return [(trained_caption(kind, scene), scene) for scene in scenes]


def trained_caption(kind: str, scene: Scene) -> str:
    """The caption of `scene` in a dataset of this kind: the trigger, then the tags of all that it does not absorb.

    A character's name stands for its species, colour and parts, a style's or concept's trigger for that one tag.
    """
    tags = attribute_tags(scene)
    del tags[kind]
    return ", ".join((TRIGGERS[getattr(scene, kind)], *tags.values()))


def balanced_scenes(count: int, first_seed: int, **fixed: str | None) -> list[Scene]:
    """`count` scenes with seeds from `first_seed` on, in which values come equally often; `fixed` sets fields by name.

    Picture by picture and attribute by attribute, the value is taken that was used least; among equals the one that
    was seen least beside what this picture has already; among equals again by lot. So at any length the counts of an
    attribute's values differ by one at most. (Not so the accessory's colour, which is never the body's.) More scenes
    begin with the same scenes.
    """
    choices: dict[str, Sequence[str | None]] = {
        "species": SPECIES,
        "color": COLORS,
        "background": BACKGROUNDS,
        "expression": EXPRESSIONS,
        "pose": POSES,
        "style": STYLES,
        "accessory": (*ACCESSORIES, None),
        "accessory_color": ACCESSORY_COLORS,
        "concept": (None,),
        "character": (None,),
    }
    choices |= {field: (value,) for field, value in fixed.items()}
    rng = random.Random(f"deal-{first_seed}")
    used: Counter[tuple[str, str | None]] = Counter()
    together: Counter[tuple[str, str | None, str, str | None]] = Counter()
    scenes = []
    for seed in range(first_seed, first_seed + count):
        dealt: dict[str, str | None] = {}
        for field, values in choices.items():
            if field == "accessory_color":
                values = [v for v in values if v != dealt["color"]] if dealt["accessory"] else [None]
            ranks = {v: (used[field, v], sum(together[f, w, field, v] for f, w in dealt.items()), rng.random()) for v in values}
            value = min(ranks, key=lambda v: ranks[v])
            used[field, value] += 1
            together.update((f, w, field, value) for f, w in dealt.items())
            dealt[field] = value
        scenes.append(Scene(**dealt, seed=seed))  # type: ignore[arg-type]  # only optional fields are ever None
    return scenes


def fixed_attributes(kind: str, name: str) -> dict[str, str | None]:
    """What all scenes with this thing have in common. Raises InputError where there is no such thing."""
    check_known(kind, THINGS, "kind")
    check_known(name, THINGS[kind], kind)
    if kind != "character":
        return {kind: name}
    who = CHARACTERS[name]
    return {"character": name, "species": who.species, "color": who.color, "accessory": None}


def first_seed_of(start: int, block: str) -> int:
    """The first seed of a set, which no other set uses."""
    return start + BLOCK * _BLOCKS.index(block)


def check_known(word: str, known: Iterable[str], what: str) -> None:
    """Raises InputError, with the nearest name, where `word` is not known."""
    known = tuple(known)
    if word in known:
        return
    nearest = difflib.get_close_matches(word, known, n=1, cutoff=0.0)
    raise InputError(f"The demo world has no {what} {word!r}: did you mean {nearest[0]!r}?")
