"""Prompts that show what a LoRA has learnt, made from the captions that it was trained with.

    new         the trigger in combinations that no training image shows: what a LoRA is for
    bare        the trigger alone, over many seeds: what it draws when nobody asks for anything
    trained     captions of training images: do they bring those images back?
    held_out    captions of images that it never saw: the baseline for that
    other       prompts without the trigger: what it must leave alone

Captions of tags are taken apart at their commas, sentences at their commas and before words such as "in" and "wearing" (see
`new_combinations`). Captions that say the trigger alone have no parts: then the new prompts are made up, from a short list of places
and doings, and how flexible a LoRA is was tested with words that it was never trained with.

Other prompts are, in equal parts, captions of regularisation images where there are some, the captions' own words without the trigger and
without what all captions say, and made-up ones. Where the captions leave it to the trigger to say what is shown, own words get another
subject: a prompt without one is a gap that any LoRA fills with its own, and says nothing about what it breaks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Literal

from lorasmith.captions.caption import Caption, join_tags, tag_key
from lorasmith.captions.triggers import FEWEST_CAPTIONS, LIKELY_TRIGGER, likely_triggers
from lorasmith.draws import rng_for
from lorasmith.evaluation.new_combinations import (
    fixed_parts,
    new_combinations,
    sentence_of,
    sentence_parts,
    sentence_slots,
    tag_slots,
)

Group = Literal["new", "bare", "trained", "held_out", "other"]
Form = Literal["tags", "sentences", "nothing"]

PLACES = ("beach", "snow", "city", "forest", "room", "meadow", "night", "desert")
DOINGS = ("standing", "happy", "sitting", "angry", "jumping", "lying")
SUBJECTS = (
    "red cat",
    "black bear",
    "white rabbit",
    "woman in a red dress",
    "yellow lion",
    "purple mouse",
    "man in a blue coat",
    "green frog",
    "white sheep",
    "black dog",
    "pink octopus",
    "red house",
)
"""Words for made-up prompts that every base knows, and the demo's base knows most of. Each has its colour: what a prompt leaves open, any
LoRA fills with its own subject, and that is no harm to the prompt."""
NAMED_SUBJECTS = frozenset(
    (
        "cat",
        "bear",
        "rabbit",
        "woman",
        "lion",
        "mouse",
        "man",
        "frog",
        "sheep",
        "dog",
        "octopus",
        "house",
        "girl",
        "boy",
        "1girl",
        "1boy",
        "person",
        "people",
        "bird",
        "horse",
        "car",
    )
)
"""Words by which a caption says what it shows. A prompt without one leaves a gap that any LoRA fills with its own subject."""


MOST_CAPTIONS = 200
"""Captions that are taken apart; more would give no other prompts, and take long."""


@dataclass(frozen=True)
class Prompt:
    """One picture to generate; `picture` is the image whose caption it is, "" where it is of none."""

    group: Group
    text: str
    seed: int
    picture: str = ""

    @property
    def name(self) -> str:
        """What it is called in results; no other prompt of a set is called so."""
        return f"{self.text} (seed {self.seed})"


@dataclass(frozen=True)
class Counts:
    """How many prompts there are of each group at most."""

    new: int
    bare: int
    trained: int
    held_out: int
    other: int


@dataclass(frozen=True)
class PromptSet:
    """The prompts of a proof. `captions_say` is what the captions say besides the trigger; with "nothing" the new prompts are made up."""

    prompts: tuple[Prompt, ...]
    trigger: str
    captions_say: Form

    @property
    def captioned(self) -> bool:
        """Whether captions say something besides the trigger."""
        return self.captions_say != "nothing"

    def __repr__(self) -> str:
        return f"PromptSet({len(self.prompts)} prompts, trigger {self.trigger!r}, captions say {self.captions_say})"

    def of(self, *groups: Group) -> tuple[Prompt, ...]:
        """The prompts of some groups, in their order."""
        return tuple(prompt for prompt in self.prompts if prompt.group in groups)


def make_prompts(
    trained: Mapping[str, str], held_out: Mapping[str, str], counts: Counts, *,
    trigger: str | None = None, regularisation: Sequence[str] = (), seed: int = 0,
) -> PromptSet:  # fmt: skip
    """Prompts from captions as they are trained, by the names of their pictures; the same each time.

    Without a trigger, the tag that most captions begin with is taken for it, or none.
    """
    word = trigger if trigger is not None else next(iter(likely_triggers(Caption(text.encode()) for text in trained.values())), "")
    form, captions = _taken_apart([_without(trained[name], word) for name in _drawn(trained, MOST_CAPTIONS, "captions", seed)])
    made = {
        "new": [_with(word, text) for text in _new(form, captions, counts.new, seed)],
        "bare": [word] * counts.bare,
        "other": _others(form, captions, regularisation, counts.other, seed),
    }
    texts: list[tuple[Group, str, str]] = []
    texts += [("new", text, "") for text in made["new"]] + [("bare", text, "") for text in made["bare"]]
    texts += [("trained", trained[name], name) for name in _drawn(trained, counts.trained, "trained", seed)]
    texts += [("held_out", held_out[name], name) for name in _drawn(held_out, counts.held_out, "held out", seed)]
    texts += [("other", text, "") for text in made["other"]]
    prompts = tuple(Prompt(group, text, 1000 * seed + k + 1, picture) for k, (group, text, picture) in enumerate(texts))
    return PromptSet(prompts, word, form)


# -- what captions say --------------------------------------------------------------------------------------------------


def _taken_apart(captions: Sequence[str]) -> tuple[Form, list[list[str]]]:
    """What most captions say besides the trigger, and the parts of each that says something of that form."""
    read = [Caption(text.encode()) for text in captions]
    tags = [tags for caption in read if (tags := [tag_key(tag) for tag in caption.parts[0]])]
    if tags and 2 * len(tags) >= len(read):
        return "tags", tags
    sentences = [parts for caption in read if (parts := sentence_parts(caption.sentence))]
    return ("sentences", sentences) if sentences else ("nothing", [])


def _new(form: Form, captions: Sequence[Sequence[str]], count: int, seed: int) -> list[str]:
    """New combinations with what all captions say; made up where the captions give none."""
    if form == "sentences":
        found = [sentence_of(parts) for parts in new_combinations(captions, sentence_slots(captions), count, "new", seed)]
    else:
        fixed, varied = _fixed_and_varied(captions)
        combinations = new_combinations(varied, tag_slots(varied), count, "new", seed) if varied else []
        found = [join_tags((*fixed, *tags)) for tags in combinations]
    return [*found, *(made_up_scene(k) for k in range(count - len(found)))]


def _others(form: Form, captions: Sequence[Sequence[str]], regularisation: Sequence[str], count: int, seed: int) -> list[str]:
    """Prompts without the trigger, in turns from each source."""
    regular = _drawn(list(dict.fromkeys(text for text in regularisation if text.strip())), count, "regularisation", seed)
    if form == "sentences":
        pieces = [parts[1:] for parts in captions if len(parts) > 2]  # without the opening, which names the subject
        combinations = new_combinations(pieces, sentence_slots(pieces), count, "other", seed) if pieces else []
        own = [sentence_of((f"a {SUBJECTS[k % len(SUBJECTS)]}", *parts)) for k, parts in enumerate(combinations)]
    else:
        varied = _fixed_and_varied(captions)[1]
        combinations = new_combinations(varied, tag_slots(varied), count, "other", seed) if varied else []
        named = 2 * sum(map(_names_a_subject, varied)) >= len(varied)
        own = [join_tags(tags if named else (SUBJECTS[k % len(SUBJECTS)], *tags)) for k, tags in enumerate(combinations)]
    made_up = [join_tags((SUBJECTS[k % len(SUBJECTS)], made_up_scene(k))) for k in range(count)]
    in_turns = chain.from_iterable(zip_longest(regular, own, made_up))
    return list(dict.fromkeys(text for text in in_turns if text))[:count]


def made_up_scene(number: int) -> str:
    """A place and a doing; 24 differ."""
    return f"{PLACES[number % len(PLACES)]}, {DOINGS[(number + number // len(PLACES)) % len(DOINGS)]}"


def _fixed_and_varied(captions: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """Tags that nearly all captions have, which belong to the subject, and the other tags of each caption that has some."""
    fixed = fixed_parts(captions, LIKELY_TRIGGER, FEWEST_CAPTIONS)
    return fixed, [varied for tags in captions if (varied := [tag for tag in tags if tag not in fixed])]


def _names_a_subject(tags: Sequence[str]) -> bool:
    return any(word in NAMED_SUBJECTS for tag in tags for word in tag.split())


def _without(caption: str, trigger: str) -> str:
    """The caption without the trigger: as a tag, and as a word in a sentence."""
    if not trigger:
        return caption
    tags = [tag for tag in Caption(caption.encode()).tags if tag_key(tag) != tag_key(trigger)]
    return re.sub(rf"(?<!\w){re.escape(trigger)}(?!\w)\s*", "", join_tags(tags), flags=re.IGNORECASE).strip()


def _with(trigger: str, text: str) -> str:
    return join_tags(part for part in (trigger, text) if part)


def _drawn(names: Sequence[str] | Mapping[str, str], count: int, *purpose: str | int) -> list[str]:
    """Up to `count` of the names, by lot, in their order."""
    order = list(names)
    rng = rng_for("prompts", *purpose)
    return sorted(rng.sample(order, min(count, len(order))), key=order.index)
