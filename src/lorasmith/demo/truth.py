"""Is a picture of the demo world what its prompt asked for? The tagger looks, this compares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

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
)

# Attribute -> its tags, and whether a picture can be without.
GROUPS: dict[str, tuple[tuple[str, ...], bool]] = {
    "species": (SPECIES, False),
    "color": (tuple(f"{c} body" for c in COLORS), False),
    "accessory": (tuple(f"{c} {a}" for a in ACCESSORIES for c in ACCESSORY_COLORS), True),
    "background": (BACKGROUNDS, False),
    "expression": (EXPRESSIONS, False),
    "pose": (POSES, False),
    "style": (tuple(f"{s} style" for s in (*STYLES, *HELD_OUT_STYLES)), False),
    "concept": (HELD_OUT_CONCEPTS, True),
    "character": (tuple(CHARACTERS), True),
}
TAGS: tuple[str, ...] = tuple(tag for tags, _ in GROUPS.values() for tag in tags)
INDEX = {tag: i for i, tag in enumerate(TAGS)}


def tag_row(scene: Scene) -> np.ndarray:
    """The truth as the tagger should say it: float32 (tags,), 0 or 1."""
    row = np.zeros(len(TAGS), np.float32)
    row[[INDEX[tag] for tag in attribute_tags(scene).values()]] = 1
    return row


def seen_attributes(probabilities: np.ndarray) -> dict[str, str | None]:
    """Attribute -> its most probable tag in one picture; None where it can be absent and no tag reaches 0.5."""
    seen: dict[str, str | None] = {}
    for name, (tags, optional) in GROUPS.items():
        best = max(tags, key=lambda tag: float(probabilities[INDEX[tag]]))
        seen[name] = best if not optional or probabilities[INDEX[best]] >= 0.5 else None
    return seen


def attribute_hits(probabilities: np.ndarray, scenes: Sequence[Scene]) -> dict[str, list[bool]]:
    """Attribute -> whether each scene's picture shows it right. A character's own species and colour are not asked for."""
    hits: dict[str, list[bool]] = {}
    for row, scene in zip(probabilities, scenes, strict=True):
        said, seen = attribute_tags(scene), seen_attributes(row)
        for name in GROUPS:
            if name in ("species", "color") and scene.character:
                continue
            hits.setdefault(name, []).append(seen[name] == said.get(name))
    return hits


def attribute_accuracy(probabilities: np.ndarray, scenes: Sequence[Scene]) -> dict[str, float]:
    """Attribute -> share of pictures that show it right, 0-1. `probabilities` (n, tags) in the order of `TAGS`."""
    return {name: float(np.mean(values)) for name, values in attribute_hits(probabilities, scenes).items()}
