"""Trigger words: the first tag of every caption, by which a LoRA is called.

A good one means nothing to the base yet, and its tokenizer shows that: a word with a token of its own was frequent in the texts that the
tokenizer was made from, and a made-up word is split into pieces. So each candidate is shown as the base's own tokenizers split it.

Several triggers are the first tags in their order, as in kohya's folders `N_charactertag, outfittag`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from lorasmith.captions.caption import Caption, check_tag, split_tags, tag_key
from lorasmith.captions.token_limit import Tokenizer, pieces
from lorasmith.draws import rng_for
from lorasmith.errors import InputError
from lorasmith.pages.numbers import count

MANY_TOKENS = 5
"""A trigger of more tokens takes much of the token limit and learns slowly."""

FEWEST_CAPTIONS = 5
"""With fewer captions, what they share is chance."""
LIKELY_TRIGGER = 0.8
"""A tag that this share of the captions begins with is probably the trigger, forgotten in the others."""

SHORTEST_NAME, BEGINNING = 3, 5
"""Letters: of a word of a name that a trigger is made from, and of its beginning where an ending follows."""
ENDINGS = ("zor", "vex", "rix", "lum", "kav")
"""What makes a word that means nothing of the beginning of one that does."""

LeakKind = Literal["missing", "not first", "in another order", "inside a word", "inside a tag"]


# -- setting and mending ----------------------------------------------------------------------------------------------


def triggers_from(words: str | Iterable[str]) -> tuple[str, ...]:
    """The triggers in `charactertag, outfittag`, or in a list of such words. Raises InputError where there is none, or one is not a tag."""
    given = [words] if isinstance(words, str) else list(words)
    found = tuple(dict.fromkeys(tag for one in given for tag in split_tags(one)))
    if not found:
        raise InputError(
            "No trigger word was given: name one, such as a made-up word that means nothing to the base.", code="captions.no_trigger"
        )
    for tag in found:
        check_tag(tag)
    return found


def triggers_of_folder(folder: str) -> tuple[str, ...]:
    """The triggers in a folder's name of the form `N_charactertag, outfittag`; () for any other name."""
    match = re.fullmatch(r"[1-9]\d{0,2}_\s*(\S.*?)\s*", folder.rsplit("/", 1)[-1], re.ASCII)
    return tuple(split_tags(match[1])) if match else ()


def triggers_of_caption(key: str, folder_name: str) -> tuple[str, ...]:
    """The triggers that a caption's folder is named after; `folder_name` is that of the folder that keys are below."""
    inside, _, _ = key.rpartition("/")
    return triggers_of_folder(inside or folder_name)


def likely_triggers(captions: Iterable[Caption]) -> tuple[str, ...]:
    """The first tags that most captions share, in their order: probably the trigger words. () where there are too few captions to tell."""
    lists = [caption.tags for caption in captions if caption.tags]
    found: list[str] = []
    while len(lists) >= FEWEST_CAPTIONS:
        place = len(found)
        tag, having = Counter(tags[place] if len(tags) > place else "" for tags in lists).most_common(1)[0]
        if not tag or having < LIKELY_TRIGGER * len(lists):
            break
        found.append(tag)
    return tuple(found)


def with_triggers(caption: Caption, triggers: Sequence[str], *, replacing: Collection[str] = ()) -> Caption:
    """The caption with the triggers as its first tags, each once; the old triggers in `replacing` are removed."""
    front = {tag_key(tag) for tag in (*triggers, *replacing)}
    return caption.with_tags([*triggers, *(tag for tag in caption.tags if tag_key(tag) not in front)])


@dataclass(frozen=True)
class Leak:
    """One thing that is wrong with a trigger in one caption; `where` quotes the place."""

    key: str
    kind: LeakKind
    trigger: str
    where: str = ""


def find_leaks(captions: Mapping[str, Caption], triggers: Sequence[str]) -> list[Leak]:
    """Everything that is wrong with the triggers in captions by key.

    A trigger at the beginning of a sentence (`zorvex sits on a wall`) is first, and one within a sentence is not a leak.
    """
    return [leak for key, caption in captions.items() for leak in _leaks_in(key, caption, tuple(map(tag_key, triggers)))]


def naming(captions: Mapping[str, Caption], triggers: Sequence[str]) -> dict[str, list[str]]:
    """Caption -> the triggers that it names as a word, for the captions that name one: regularisation pictures are to have none."""
    found = {key: [trigger for trigger in triggers if _names(caption, tag_key(trigger))] for key, caption in captions.items()}
    return {key: named for key, named in found.items() if named}


def _names(caption: Caption, trigger: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(trigger)}(?!\w)", tag_key(caption.text), re.IGNORECASE) is not None


def mended(caption: Caption, triggers: Sequence[str]) -> Caption:
    """The caption with the triggers first and once, and removed from all other tags: words that contain one are taken out of their tag."""
    short, _ = caption.parts
    kept = []
    for tag in caption.tags:
        if tag in short and tag_key(tag) not in triggers:
            tag = " ".join(word for word in tag.split(" ") if not any(_contains(word, trigger) for trigger in triggers))
        if tag:
            kept.append(tag)
    bare = caption.with_tags(kept)
    if len(triggers) == 1 and _begins_with(bare, triggers[0]):
        return bare
    return with_triggers(bare, triggers)


def _leaks_in(key: str, caption: Caption, triggers: tuple[str, ...]) -> Iterator[Leak]:
    tags = [tag_key(tag) for tag in caption.tags]
    (short, _), sentence = caption.parts, caption.sentence
    for place, trigger in enumerate(triggers):
        if trigger in tags:
            if tags.index(trigger) != place:
                kind: LeakKind = "in another order" if set(tags[: len(triggers)]) == set(triggers) else "not first"
                yield Leak(key, kind, trigger, f"place {tags.index(trigger) + 1} of {len(tags)}")
        elif not re.search(rf"(?<!\w){re.escape(trigger)}(?!\w)", sentence, re.IGNORECASE):
            yield Leak(key, "missing", trigger)
        elif not (place == 0 and _begins_with(caption, trigger)):
            yield Leak(key, "not first", trigger, sentence[:60])
        for tag in map(tag_key, short):
            if tag not in triggers and _contains(tag, trigger):
                whole = re.search(rf"(?<!\w){re.escape(trigger)}(?!\w)", tag, re.IGNORECASE)
                yield Leak(key, "inside a tag" if whole else "inside a word", trigger, tag)


def _begins_with(caption: Caption, trigger: str) -> bool:
    """Whether the caption is a sentence that begins with the trigger."""
    (short, _), sentence = caption.parts, caption.sentence
    return not short and re.match(rf"{re.escape(trigger)}(?!\w)", sentence, re.IGNORECASE) is not None


def _contains(word: str, trigger: str) -> bool:
    return trigger.lower() in word.lower()


# -- is it a good one? ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Doubt:
    """Something that speaks against a trigger: a warning means that another word is better, otherwise it is worth knowing."""

    kind: str
    sentence: str
    warning: bool = True


@dataclass(frozen=True)
class TriggerCheck:
    """How the base's tokenizers split a trigger (tokenizer -> pieces), and the doubts about it."""

    trigger: str
    splits: dict[str, list[str]]
    doubts: tuple[Doubt, ...]


def check_trigger(
    trigger: str,
    tokenizers: Mapping[str, Tokenizer],
    *,
    others: Collection[str] = (),
    tags: Collection[str] = (),
    known: Collection[str] = (),
) -> TriggerCheck:
    """Look at a trigger as the base does.

    `tokenizers` are the base's by name. `others` are the other triggers, `tags` those of the captions, `known` tags that the base may
    have been trained on (a tagger's or a booru's list).
    """
    doubts: list[Doubt] = []
    splits = {name: pieces(trigger, tokenizer) for name, tokenizer in tokenizers.items()}
    for name, tokenizer in tokenizers.items():
        doubts += _doubts_of(trigger, name, tokenizer, splits[name])
    if trigger in {tag_key(tag) for tag in known}:
        doubts.append(Doubt("known tag", f"{trigger} is a tag that the base may have been trained on, so it already has a meaning."))
    for other in others:
        if other == trigger:
            continue
        if _contains(other, trigger) or _contains(trigger, other):
            doubts.append(
                Doubt(
                    "other trigger",
                    f"One of {trigger} and the trigger {other} contains the other, so a prompt with one calls a part of the other.",
                )
            )
    for name, tokenizer in tokenizers.items():
        containing = [tag for tag in tags if tag != trigger and tag not in others and _within(splits[name], pieces(tag, tokenizer))]
        if containing:
            listed = ", ".join(containing[:3]) + (f" and {len(containing) - 3} more" if len(containing) > 3 else "")
            doubts.append(Doubt("inside a tag", f"The tags {listed} contain the tokens of {trigger} ({name}), so they will call it."))
    return TriggerCheck(trigger, splits, tuple(dict.fromkeys(doubts)))


def suggest_triggers(
    tokenizers: Mapping[str, Tokenizer],
    *,
    name: str = "",
    tags: Collection[str] = (),
    known: Collection[str] = (),
    count: int = 5,
    seed: int = 0,
) -> list[TriggerCheck]:
    """Words that mean nothing to the base: every tokenizer splits them, and they raise no warning.

    Those that come from `name`, what the LoRA is of, are first: a word of it, then words that begin as one does. Then come made-up,
    pronounceable words, those of the fewest tokens first. The same seed, name and tokenizers give the same words.
    """
    taken = {word for tag in (*tags, *known) for word in tag.lower().split() if len(word) > 2}

    def unknown(words: Iterable[str]) -> Iterator[TriggerCheck]:
        for word in words:
            if any(word in other or other in word for other in taken):
                continue
            check = check_trigger(word, tokenizers, tags=tags)
            if not any(doubt.warning for doubt in check.doubts):
                yield check

    named = list(islice(unknown(_words_after(name)), count))
    made_up = unknown(_made_up(seed, 600)) if len(named) < count else ()
    fewest_first = sorted(made_up, key=lambda check: max((len(split) for split in check.splits.values()), default=0))
    return [*named, *fewest_first][:count]


def _doubts_of(trigger: str, name: str, tokenizer: Tokenizer, split: list[str]) -> Iterable[Doubt]:
    whole = [word for word in re.split(r"[\s_-]+", trigger) if len(word) > 1 and len(pieces(word, tokenizer)) == 1]
    if not split or any(piece in ("<unk>", "[UNK]") for piece in split):
        yield Doubt("unknown", f"The {name} does not know the letters of {trigger} and reads nothing there: use plain letters.")
    elif whole:
        yield Doubt(
            "ordinary word", f"{whole[0]} is one token of the {name}, so it is an ordinary word, and the base already has a meaning for it."
        )
    elif all(len(piece) > 2 and len(pieces(piece, tokenizer)) == 1 for piece in split):
        yield Doubt(
            "ordinary words", f"{trigger} is {' + '.join(split)} to the {name}; these are ordinary words, and their meanings come through."
        )
    if len(split) > MANY_TOKENS:
        yield Doubt(
            "many tokens",
            f"{trigger} takes {count(len(split), 'token')} of the {name}: a shorter word leaves more for the rest of the caption.",
            warning=False,
        )
    if trigger != trigger.lower() and split == pieces(trigger.lower(), tokenizer):
        yield Doubt(
            "case",
            f"The {name} reads {trigger} as {trigger.lower()}: write it in lower case everywhere.",
            warning=False,
        )


def _within(short: Sequence[str], long: Sequence[str]) -> bool:
    """Whether `long` contains `short` in one piece."""
    return bool(short) and any(list(long[i : i + len(short)]) == list(short) for i in range(len(long) - len(short) + 1))


def _words_after(name: str) -> Iterator[str]:
    """Words that remind of a name, in plain small letters: of `Mimi` these are `mimi`, then `mimizor`, `mimivex` and so on."""
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", name.lower()) if not unicodedata.combining(letter))
    words = [word for word in re.findall("[a-z]+", plain) if len(word) >= SHORTEST_NAME]
    yield from words
    yield from (word[:BEGINNING] + ending for word in words for ending in ENDINGS)


def _made_up(seed: int, count: int) -> list[str]:
    """Words of two syllables, such as `vexlor`."""
    rng = rng_for("trigger", seed)
    starts = [
        "b", "d", "f", "g", "j", "k", "l", "m", "n", "p", "qu", "r", "t", "v", "w", "x", "z",
        "br", "dr", "fl", "gr", "kr", "pl", "tr", "vr", "zw",
    ]  # fmt: skip
    vowels = "aeiou"
    ends = ["k", "l", "m", "n", "r", "rx", "sk", "th", "v", "x", "z"]
    words = (
        rng.choice(starts) + rng.choice(vowels) + rng.choice(ends) + rng.choice(starts) + rng.choice(vowels) + rng.choice(ends)
        for _ in range(count)
    )
    return list(dict.fromkeys(word for word in words if len(word) <= 8))
