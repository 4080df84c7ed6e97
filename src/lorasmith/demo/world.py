"""The demo world: small creatures, each picture with its full truth and captions in two forms.

A `Scene` is the truth about one picture. `draw_scene` (in `drawing`) turns it into pixels; `tags` and `sentence` say it
in words. Everything is a pure function of a seed, so a picture can be drawn again from a number.

The base model is trained on scenes of `SPECIES` x `COLORS` x ... only. The names in `HELD_OUT_*` never occur in its
training: they are what LoRAs learn, and the tagger (the measure of truth) knows them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, fields, replace

SPECIES = ("cat", "rabbit", "bear", "mouse", "frog", "lion", "sheep", "octopus")
COLORS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "white", "black")
ACCESSORIES = ("hat", "crown", "bow", "scarf", "shirt")
ACCESSORY_COLORS = ("red", "yellow", "green", "blue", "purple")
BACKGROUNDS = ("meadow", "beach", "night", "snow", "desert", "city", "room")
EXPRESSIONS = ("happy", "sad", "angry", "surprised")
POSES = ("standing", "sitting", "jumping", "lying")
STYLES = ("flat", "ink", "soft")

HELD_OUT_STYLES = ("halftone", "stained glass", "chalk", "pixel mosaic")
HELD_OUT_CONCEPTS = ("umbrella", "balloon", "skateboard", "lantern")


@dataclass(frozen=True)
class Character:
    """A held-out creature: a name that the base has never read, and parts that it has never seen."""

    name: str
    species: str
    color: str
    parts: tuple[str, ...]


CHARACTERS = {
    c.name: c
    for c in (
        Character("zorvex", "cat", "teal", ("stripes", "horn")),
        Character("mimblu", "bear", "brown", ("one eye", "antennae", "spots")),
        Character("quorrin", "rabbit", "silver", ("cape", "star")),
        Character("drixel", "mouse", "lime", ("bat wings", "mohawk")),
        Character("plonth", "octopus", "gold", ("one eye", "horn", "spots")),
        Character("vuskette", "frog", "maroon", ("stripes", "mohawk", "cape")),
    )
}


@dataclass(frozen=True)
class Scene:
    """Everything that is true of one picture. `seed` fixes what no word describes: offsets, size, stars, windows."""

    species: str
    color: str
    accessory: str | None
    accessory_color: str | None
    background: str
    expression: str
    pose: str
    style: str
    seed: int
    concept: str | None = None
    character: str | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        return CHARACTERS[self.character].parts if self.character else ()


def random_scene(seed: int, **fixed: str | None) -> Scene:
    """One scene of the base's world, drawn from `seed`; `fixed` overrides fields by name.

    An accessory is worn in six pictures of seven and never has the body's colour.
    """
    unknown = set(fixed) - {f.name for f in fields(Scene)}
    assert not unknown, f"a scene has no {unknown}"
    rng = random.Random(f"scene-{seed}")
    color = rng.choice(COLORS)
    accessory = rng.choice((*ACCESSORIES, *ACCESSORIES, rng.choice(ACCESSORIES), rng.choice(ACCESSORIES), None, None))
    accessory_color = rng.choice([c for c in ACCESSORY_COLORS if c != (fixed.get("color") or color)])
    scene = Scene(
        species=rng.choice(SPECIES),
        color=color,
        accessory=accessory,
        accessory_color=accessory_color if accessory else None,
        background=rng.choice(BACKGROUNDS),
        expression=rng.choice(EXPRESSIONS),
        pose=rng.choice(POSES),
        style=rng.choice(STYLES),
        seed=seed,
    )
    scene = replace(scene, **fixed)  # type: ignore[arg-type]  # names checked above
    if scene.accessory is None:
        return replace(scene, accessory_color=None)
    if scene.accessory_color is None:
        return replace(scene, accessory_color=accessory_color)
    return scene


def character_scene(name: str, seed: int, **fixed: str | None) -> Scene:
    """A scene with the held-out character `name`: it keeps its species, colour and parts and wears nothing."""
    character = CHARACTERS[name]
    return random_scene(
        seed,
        **{"accessory": None, "accessory_color": None, **fixed},
        species=character.species,
        color=character.color,
        character=name,
    )


# -- words ------------------------------------------------------------------------------------------------------------


def attribute_tags(scene: Scene) -> dict[str, str]:
    """Attribute name -> the tag that says it (spaces, no underscores); absent attributes are left out."""
    tags = {}
    if scene.character:
        tags["character"] = scene.character
    else:
        tags["species"] = scene.species
        tags["color"] = f"{scene.color} body"
    if scene.accessory:
        tags["accessory"] = f"{scene.accessory_color} {scene.accessory}"
    if scene.concept:
        tags["concept"] = scene.concept
    tags["expression"] = scene.expression
    tags["pose"] = scene.pose
    tags["background"] = scene.background
    tags["style"] = f"{scene.style} style"
    return tags


def tag_caption(scene: Scene, rng: random.Random | None = None) -> str:
    """Booru-like tags joined by `, `; `rng` shuffles them, without it they stand in the usual order."""
    tags = list(attribute_tags(scene).values())
    if rng is not None:
        rng.shuffle(tags)
    return ", ".join(tags)


_PLACES = {
    "meadow": ("in a meadow", "on a green meadow"),
    "beach": ("on a beach", "at the beach"),
    "night": ("at night", "in the night"),
    "snow": ("in the snow", "in snow"),
    "desert": ("in a desert", "in the desert"),
    "city": ("in a city", "in the city"),
    "room": ("in a room", "inside a room"),
}


def sentence_caption(scene: Scene, rng: random.Random | None = None) -> str:
    """One English sentence that says the same as the tags; `rng` picks among wordings."""
    pick = (lambda options: rng.choice(options)) if rng is not None else (lambda options: options[0])
    who = scene.character or f"{scene.color} {scene.species}"
    wearing = pick(("with a", "wearing a")) + f" {scene.accessory_color} {scene.accessory}" if scene.accessory else ""
    holding = pick(("with a", "and a")) + f" {scene.concept}" if scene.concept else ""
    place = pick(_PLACES[scene.background])
    style = pick((f"in {scene.style} style", f"drawn in {scene.style} style"))
    creature = " ".join(w for w in (who, wearing, holding) if w)
    article = "" if scene.character else "an " if scene.expression[0] in "aeiou" else "a "
    return pick(
        (
            f"{article}{scene.expression} {creature}, {scene.pose} {place}, {style}",
            f"{article}{scene.expression} {creature} is {scene.pose} {place}, {style}",
            f"{style}, {article}{scene.expression} {creature} {scene.pose} {place}",
        )
    )
