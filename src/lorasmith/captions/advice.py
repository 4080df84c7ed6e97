"""What captions teach, before they are trained on: each rule looks at the captions of a set and says what it found, with the number.

A rule is a pure function from `Checked` to findings, and `RULES` names them. What a rule needs and does not have (the base's tokenizer,
a tagger's probabilities, implications) makes it say nothing; `unasked` tells which ones that were.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from lorasmith.captions.caption import Caption, split_tags, tag_key, with_spaces
from lorasmith.captions.token_limit import Tokenizer, count_tokens, what_falls_off
from lorasmith.captions.triggers import LeakKind, find_leaks
from lorasmith.captions.vocabulary import Vocabulary, key_of

FAMILIES = ("sd1", "sd2", "sdxl", "pony", "flux")

Severity = Literal["problem", "warning", "hint"]
SEVERITIES: tuple[Severity, ...] = ("problem", "warning", "hint")

MOST_TAGS, MOST_ON_AVERAGE, FEWEST_TAGS = 30, 20, 5
SURE = 0.5
"""From this probability on, the tagger counts as having seen a tag."""
FREQUENT = 0.25
"""Share of the pictures from which on a background or pose is one that the LoRA will learn as a habit."""
EVERYWHERE = 0.95
"""Share of the captions from which on a tag says nothing any more."""
MEANT_AS_TRIGGER = 0.8
"""Share of the captions that begin with a tag from which on it seems to be the trigger, forgotten in the others."""
FEW_PICTURES = 5
"""In smaller sets, shares say nothing."""

BACKGROUNDS_AND_POSES = frozenset(
    split_tags("outdoors, indoors, sky, blue sky, night, night sky, day, sunset, cloud, cloudy sky, beach, ocean, forest, meadow, field, grass, flower field, snow, "
    "snowing, desert, mountain, city, cityscape, street, alley, building, room, bedroom, bathroom, kitchen, classroom, office, library, window, bed, couch, "
    "underwater, space, standing, sitting, lying, kneeling, squatting, crouching, jumping, running, walking, leaning, leaning forward, on back, on stomach, "
    "on side, all fours, wariza, seiza, crossed arms, arms up, arms behind back, hand on own hip, hands on own hips, looking at viewer, looking back, looking "
    "away, looking down, looking up, from behind, from side, from above, from below, profile, portrait, upper body, cowboy shot, full body, close-up")
)  # fmt: skip
"""Tags of backgrounds, poses and views; every tag that ends in `background` is one, too."""

QUALITY_TAGS = frozenset(
    split_tags("sketch, colored sketch, monochrome, greyscale, lowres, low resolution, blurry, jpeg artifacts, watermark, sample watermark, signature, artist name, "
    "web address, text, speech bubble, border, letterboxed, multiple views, reference sheet")
)  # fmt: skip
"""What may spoil a set and can be told apart by its tag."""

SEVERAL_FIGURES = re.compile(r"(?:[2-9]|6\+)(?:girls|boys|others)|multiple (?:girls|boys|others|people)|(?:duo|trio|group|crowd|couple)")
"""Tags of pictures that show more than one figure, as the booru sites count them."""
FEW_WITH_OTHERS = 0.2
"""Share of the captions from which on pictures of several figures are no longer few."""


@dataclass(frozen=True)
class Finding:
    """What a rule found: in which captions, with which number, why it matters and what to do."""

    rule: str
    severity: Severity
    pictures: tuple[str, ...]
    """Keys of the captions concerned; all of them where the set as a whole is meant."""
    number: float
    unit: str
    """What `number` counts, such as `tags a picture`."""
    what: str
    why: str
    remedy: str
    details: tuple[str, ...] = ()
    """The tags or texts in question, the worst first."""


@dataclass(frozen=True)
class Checked:
    """A set of captions, and what is known beside them."""

    captions: Mapping[str, Caption]
    family: str | None = None
    """One of `FAMILIES`: which kind of base the LoRA is for."""
    triggers: tuple[str, ...] = ()
    vocabulary: Vocabulary | None = None
    """Tags that the base was trained on, and what they imply, where that is known."""
    seen: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Caption -> what a tagger saw in its picture, tag -> probability."""
    tokenizers: Mapping[str, Tokenizer] = field(default_factory=dict)
    limit: int = 75
    """Tokens of a caption that the encoder reads."""
    unreadable: Collection[str] = ()
    """Caption files that are not UTF-8."""

    @cached_property
    def tags(self) -> dict[str, list[str]]:
        """The short tags of each caption that is more than empty, the triggers apart, `\\(` read as a bracket."""
        triggers = set(map(tag_key, self.triggers))
        return {
            key: [spoken for tag in caption.parts[0] if (spoken := tag_key(tag)) not in triggers]
            for key, caption in self.captions.items()
            if caption.text.strip()
        }

    @cached_property
    def sentences(self) -> dict[str, str]:
        """The sentence of each caption that is one in the main."""
        return {key: words for key, caption in self.captions.items() if (words := caption.sentence) and len(self.tags[key]) < 3}

    @cached_property
    def counts(self) -> Counter[str]:
        """Tag -> number of captions that hold it."""
        return Counter(tag for tags in self.tags.values() for tag in set(tags))


Rule = Callable[[Checked], Iterable[Finding]]


def advise(checked: Checked, rules: Mapping[str, Rule] | None = None) -> list[Finding]:
    """What all rules found, the gravest first and what concerns most pictures first."""
    found = [finding for rule in (rules if rules is not None else RULES).values() for finding in rule(checked)]
    return sorted(found, key=lambda finding: (SEVERITIES.index(finding.severity), -len(finding.pictures), finding.rule))


def likely_triggers(captions: Iterable[Caption]) -> tuple[str, ...]:
    """The first tags that most captions share, in their order: what seems to be meant as triggers."""
    lists = [caption.tags for caption in captions if caption.tags]
    found: list[str] = []
    while len(lists) >= FEW_PICTURES:
        place = len(found)
        tag, count = Counter(tags[place] if len(tags) > place else "" for tags in lists).most_common(1)[0]
        if not tag or count < MEANT_AS_TRIGGER * len(lists):
            break
        found.append(tag)
    return tuple(found)


def unasked(checked: Checked) -> list[str]:
    """What could not be looked at, and what it needs, a sentence each."""
    needs = [
        (checked.tokenizers, "Tokens over the limit were not counted: name the base model."),
        (checked.seen, "Backgrounds and poses that nobody tagged were not looked for: let a tagger look at the pictures first."),
        (
            checked.vocabulary is not None and checked.vocabulary.implications,
            "Tags beside tags that imply them were not looked for: name a list of implications.",
        ),
        (checked.family, "Whether tags or sentences suit the base was not looked at: name its family."),
    ]
    return [sentence for given, sentence in needs if not given]


# -- the rules --------------------------------------------------------------------------------------------------------


def empty(checked: Checked) -> Iterator[Finding]:
    keys = tuple(key for key, caption in checked.captions.items() if not caption.text.strip())
    if keys:
        yield Finding(
            "empty", "problem", keys, len(keys), "captions", "captions without a word",
            "Such a picture is trained without words: what it shows becomes part of every prompt.",
            "Let a tagger or captioner write them, or write at least the trigger.",
        )  # fmt: skip


def unreadable(checked: Checked) -> Iterator[Finding]:
    if checked.unreadable:
        yield Finding(
            "unreadable", "problem", tuple(checked.unreadable), len(checked.unreadable), "captions", "captions that are not UTF-8 text",
            "Training cannot read them, and nothing else here was looked for in them.",
            "lorasmith captions convert FOLDER --from latin-1 (or the encoding that they were written in) converts them.",
        )  # fmt: skip


def trigger(checked: Checked) -> Iterator[Finding]:
    if not checked.triggers:
        if len(checked.captions) >= FEW_PICTURES:
            yield Finding(
                "trigger", "hint", tuple(checked.captions), 0, "tags that begin all captions", "no trigger word",
                "Without a word of its own the LoRA cannot be called, and what all pictures share sticks to ordinary words.",
                "Set one as the first tag everywhere: lorasmith captions triggers FOLDER --set WORD.",
            )  # fmt: skip
        return
    words: dict[LeakKind, tuple[str, str]] = {
        "missing": ("captions without the trigger {}", "These pictures teach nothing about the trigger."),
        "not first": (
            "captions where the trigger {} is not first",
            "Shuffling keeps only the first tags in place, and weight falls off to the back.",
        ),
        "in another order": ("captions with the triggers in another order ({})", "Each trigger learns from its own place."),
        "inside a word": ("captions with {} inside another word", "The tokens of the trigger are taught to mean that word."),
        "inside a tag": ("captions with {} inside another tag", "The trigger comes to mean a part of that tag."),
    }
    leaks: dict[tuple[LeakKind, str], list[tuple[str, str]]] = defaultdict(list)
    for leak in find_leaks({key: checked.captions[key] for key in checked.tags}, checked.triggers):
        leaks[leak.kind, leak.trigger].append((leak.key, leak.where))
    for (kind, word), found in leaks.items():
        what, why = words[kind]
        yield Finding(
            "trigger", "problem" if kind == "missing" else "warning", tuple(dict.fromkeys(key for key, _ in found)), len(found), "captions",
            what.format(word), why, "lorasmith captions triggers FOLDER --mend puts the triggers first and out of other tags.",
            tuple(dict.fromkeys(where for _, where in found if where)),
        )  # fmt: skip


def identical(checked: Checked) -> Iterator[Finding]:
    same: dict[str, list[str]] = defaultdict(list)
    for key, caption in checked.captions.items():
        if words := " ".join(caption.text.split()):
            same[words].append(key)
    groups = sorted((keys for keys in same.values() if len(keys) > 1), key=len, reverse=True)
    keys = tuple(key for group in groups for key in group)
    if keys:
        yield Finding(
            "identical", "warning", keys, len(keys), "captions", f"captions that say the same, in {len(groups)} groups",
            "What differs between these pictures is said nowhere, so the LoRA blends it.",
            "Say what varies: pose, background, clothes, expression. Pictures that are the same: keep one.",
            tuple(words[:120] for words, group in sorted(same.items(), key=lambda item: -len(item[1])) if len(group) > 1),
        )  # fmt: skip


def over_tagged(checked: Checked) -> Iterator[Finding]:
    counts = {key: len(tags) for key, tags in checked.tags.items() if tags}
    many = tuple(sorted((key for key, count in counts.items() if count > MOST_TAGS), key=lambda key: -counts[key]))
    remedy = f"Leave out what needs no control: raise the threshold or cap the tags (--max-tags {MOST_ON_AVERAGE})."
    if many:
        yield Finding(
            "over-tagged", "warning", many, counts[many[0]], "tags at most", f"captions of more than {MOST_TAGS} tags",
            "Each tag takes its share of what a picture teaches; with many, the trigger gets little.", remedy,
        )  # fmt: skip
    average = sum(counts.values()) / len(counts) if counts else 0
    if average > MOST_ON_AVERAGE:
        yield Finding(
            "over-tagged", "warning", tuple(counts), round(average, 1), "tags a picture on average", f"more than {MOST_ON_AVERAGE} tags a picture",
            "About 5 to 20 tags a picture train best, and too few harm less than too many.", remedy,
        )  # fmt: skip


def under_tagged(checked: Checked) -> Iterator[Finding]:
    few = tuple(key for key, tags in checked.tags.items() if len(tags) < FEWEST_TAGS and key not in checked.sentences)
    singles = _single(checked)
    few = tuple(key for key in few if key not in singles)
    if few:
        fewest = min(len(checked.tags[key]) for key in few)
        yield Finding(
            "under-tagged", "hint", few, fewest, "tags at least", f"captions of fewer than {FEWEST_TAGS} tags beside the trigger",
            "What is not said is absorbed by the trigger: right for what belongs to it, wrong for what varies.",
            "Say what varies and what you want to control; leave the rest unsaid.",
        )  # fmt: skip


def single_tag(checked: Checked) -> Iterator[Finding]:
    keys = tuple(_single(checked))
    if keys:
        whole = len(keys) >= EVERYWHERE * len(checked.tags)
        yield Finding(
            "single tag", "warning" if whole else "hint", keys, round(100 * len(keys) / len(checked.tags), 1), "% of the captions", "captions of one single tag",
            "Everything in the picture, background and pose included, is pressed into that one word.",
            "Add tags for what varies, or for a style LoRA at least what the pictures show.",
        )  # fmt: skip


def repeated(checked: Checked) -> Iterator[Finding]:
    found: dict[str, list[str]] = {}
    for key, caption in checked.captions.items():
        counts = Counter(map(tag_key, caption.tags))
        if twice := [tag for tag, count in counts.items() if count > 1]:
            found[key] = twice
    if found:
        yield Finding(
            "repeated", "hint", tuple(found), len(found), "captions", "captions that say a tag twice",
            "The second time takes tokens and gives the tag more weight than the others.", "lorasmith captions dedupe FOLDER takes them out.",
            _most_common(found.values()),
        )  # fmt: skip


def two_spellings(checked: Checked) -> Iterator[Finding]:
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    for tag, count in checked.counts.items():
        spellings[with_spaces(tag).lower()][tag] += count
    several = {word: found for word, found in spellings.items() if len(found) > 1}
    if several:
        rare = {tag for found in several.values() for tag in list(dict(found.most_common()))[1:]}
        keys = tuple(key for key, tags in checked.tags.items() if rare & set(tags))
        yield Finding(
            "two spellings", "warning", keys, len(several), "tags", "tags that are written in more than one way",
            "To the text encoder these are different words, which share what should be one.", "Rename the rarer spelling to the other.",
            tuple(" / ".join(dict(found.most_common())) for found in several.values()),
        )  # fmt: skip


def implied(checked: Checked) -> Iterator[Finding]:
    if checked.vocabulary is None:
        return
    meant = {tag: {key_of(one) for one in checked.vocabulary.implied_by(tag)} for tag in (*checked.counts, *checked.triggers)}
    found: dict[str, list[str]] = {}
    for key, tags in checked.tags.items():
        said = [*(trigger for trigger in checked.triggers if trigger in checked.captions[key].tags), *tags]
        pairs = [f"{tag} implies {one}" for tag in sorted(said) if meant[tag] for one in sorted(tags) if key_of(one) in meant[tag]]
        if pairs:
            found[key] = pairs
    if found:
        yield Finding(
            "implied", "warning", tuple(found), len(found), "captions", "captions with a tag beside one that implies it",
            "The two share what one tag says better.",
            "lorasmith captions implications FOLDER --vocabulary FILE takes the implied ones out of the whole set.",
            _most_common(found.values()),
        )  # fmt: skip


_WEIGHT = re.compile(r"(?<!\\)[(\[][^()\[\],]*:\s*\d*\.?\d+\s*(?<!\\)[)\]]")
_NETWORK = re.compile(r"<(lora|lyco|hypernet):[^>]*>")


def prompt_weights(checked: Checked) -> Iterator[Finding]:
    found = {}
    for key, caption in checked.captions.items():
        if marks := [match[0] for match in (*_WEIGHT.finditer(caption.text), *_NETWORK.finditer(caption.text))]:
            found[key] = marks
    if found:
        yield Finding(
            "prompt weights", "problem", tuple(found), len(found), "captions", "captions with weights as in prompts",
            "Trainers read them as letters and numbers: the model learns brackets and digits.", "Write the bare tag.", _most_common(found.values()),
        )  # fmt: skip


def untagged_background_or_pose(checked: Checked) -> Iterator[Finding]:
    for tag, keys, untagged in _seen_but_unsaid(checked, lambda tag: tag in BACKGROUNDS_AND_POSES or tag.endswith("background")):
        share = len(keys) / len(checked.seen)
        if len(checked.seen) >= FEW_PICTURES and share >= FREQUENT and len(untagged) > len(keys) / 2:
            yield Finding(
                "untagged background or pose", "warning", tuple(untagged), round(100 * share, 1), "% of the pictures show it",
                f"pictures that show {tag!r} and do not say so", "What is frequent and unsaid becomes a habit: the LoRA draws it unasked.",
                f"Tag it: lorasmith captions tag FOLDER --threshold {SURE} --mode append, or add {tag!r} where it is seen.", (tag,),
            )  # fmt: skip


def untagged_quality(checked: Checked) -> Iterator[Finding]:
    for tag, _, untagged in _seen_but_unsaid(checked, QUALITY_TAGS.__contains__):
        if untagged:
            yield Finding(
                "untagged quality", "hint", tuple(untagged), len(untagged), "pictures", f"pictures in which the tagger sees {tag!r}, unsaid",
                "What spoils a picture is learnt with it, unless a word carries it.", f"Tag {tag!r}, mend the picture, or leave it out.", (tag,),
            )  # fmt: skip


def several_figures(checked: Checked) -> Iterator[Finding]:
    total = len(checked.tags)
    tagged = tuple(key for key, tags in checked.tags.items() if any(map(SEVERAL_FIGURES.fullmatch, tags)))
    if total >= FEW_PICTURES and len(tagged) > FEW_WITH_OTHERS * total:
        yield Finding(
            "several figures", "hint", tagged, round(100 * len(tagged) / total, 1), "% of the captions", "pictures of more than one figure",
            "A character is learnt best alone: what the others wear and how they stand is learnt with it.",
            "Crop the others out (lorasmith mend --crop), leave those pictures out, or keep them few and say in words who is who; a style minds less.",
        )  # fmt: skip
    for tag, _, untagged in _seen_but_unsaid(checked, lambda tag: bool(SEVERAL_FIGURES.fullmatch(tag))):
        if untagged:
            yield Finding(
                "several figures", "hint", tuple(untagged), len(untagged), "pictures", f"pictures in which the tagger sees {tag!r}, unsaid",
                "An unnamed figure becomes part of what the trigger means.", f"Tag {tag!r}, or crop the others out.", (tag,),
            )  # fmt: skip


def everywhere(checked: Checked) -> Iterator[Finding]:
    total = len(checked.tags)
    if total < FEW_PICTURES or all(len(tags) <= 1 for tags in checked.tags.values()):
        return
    for tag, count in checked.counts.most_common():
        if count < EVERYWHERE * total:
            break
        keys = tuple(key for key, tags in checked.tags.items() if tag in tags)
        yield Finding(
            "everywhere", "hint", keys, round(100 * count / total, 1), "% of the captions", f"the tag {tag!r} stands in nearly every caption",
            "A tag that is always there takes a share of what the trigger should learn, and is needed in every prompt later.",
            f"Take it out, so that the trigger absorbs it; keep it only if {tag!r} shall be switched off and on.", (tag,),
        )  # fmt: skip


def style_for_family(checked: Checked) -> Iterator[Finding]:
    if checked.family is None or not checked.tags:
        return
    total = len(checked.tags)
    spoken, tagged = tuple(checked.sentences), tuple(key for key in checked.tags if key not in checked.sentences)
    if checked.family == "pony" and spoken:
        yield Finding(
            "style for the base", "warning", spoken, round(100 * len(spoken) / total, 1), "% of the captions", "captions that are sentences",
            "Anime bases (Pony, Illustrious, NoobAI) were trained on booru tags and hear little in sentences.",
            "Let a tagger write tags; the sentence may stay on the second line.",
        )  # fmt: skip
    elif checked.family == "flux" and tagged:
        yield Finding(
            "style for the base", "warning", tagged, round(100 * len(tagged) / total, 1), "% of the captions", "captions that are lists of tags",
            "Flux reads whole sentences with a language model and was trained on them.", "Let a captioner describe the pictures: lorasmith captions describe.",
        )  # fmt: skip
    elif checked.family in ("sd1", "sd2", "sdxl") and len(tagged) > total / 2:
        yield Finding(
            "style for the base", "hint", tagged, round(100 * len(tagged) / total, 1), "% of the captions", "captions that are lists of tags",
            "The plain bases of this family were trained on sentences; only their anime offspring hear tags better.",
            "Keep tags for an anime base; for a plain one let a captioner describe the pictures.",
        )  # fmt: skip


def too_many_tokens(checked: Checked) -> Iterator[Finding]:
    for name, tokenizer in checked.tokenizers.items():
        lost, most = {}, 0
        for key, caption in checked.captions.items():
            line = next((line for line in caption.text.split("\n") if line.strip()), "")
            if off := what_falls_off(line, tokenizer, checked.limit):
                lost[key], most = off, max(most, count_tokens(line, tokenizer))
        if lost:
            yield Finding(
                "too many tokens", "problem", tuple(lost), most, "tokens at most", f"captions over the {checked.limit} tokens that the encoder reads ({name})",
                "What stands behind the limit is never read.", "Shorten them, put what matters first, or train with a longer max token length.",
                tuple(f"{key}: {off}" for key, off in lost.items()),
            )  # fmt: skip


def unknown_tags(checked: Checked) -> Iterator[Finding]:
    if checked.vocabulary is None or not checked.vocabulary.tags:
        return
    strange = set(checked.vocabulary.unknown(checked.counts))
    if strange:
        keys = tuple(key for key, tags in checked.tags.items() if strange & set(tags))
        yield Finding(
            "unknown tags", "hint", keys, len(strange), "tags", "tags that the base was not trained on",
            "Each one is a word that the LoRA has to learn beside its subject.", "Use known tags, unless the word is meant to be learnt.",
            tuple(sorted(strange, key=lambda tag: (-checked.counts[tag], tag))),
        )  # fmt: skip


RULES: dict[str, Rule] = {
    "empty": empty,
    "unreadable": unreadable,
    "trigger": trigger,
    "prompt weights": prompt_weights,
    "too many tokens": too_many_tokens,
    "identical": identical,
    "over-tagged": over_tagged,
    "under-tagged": under_tagged,
    "single tag": single_tag,
    "implied": implied,
    "untagged background or pose": untagged_background_or_pose,
    "untagged quality": untagged_quality,
    "several figures": several_figures,
    "everywhere": everywhere,
    "style for the base": style_for_family,
    "repeated": repeated,
    "two spellings": two_spellings,
    "unknown tags": unknown_tags,
}


def _single(checked: Checked) -> set[str]:
    """Captions of tags that have one tag in all, the trigger counted."""
    return {
        key for key, caption in checked.captions.items() if key in checked.tags and key not in checked.sentences and len(caption.tags) == 1
    }


def _seen_but_unsaid(checked: Checked, counts: Callable[[str], bool]) -> Iterator[tuple[str, list[str], list[str]]]:
    """Tag, the captions whose pictures show it, and those of them that do not say it; for the tags that count, the frequent first."""
    shown: dict[str, list[str]] = defaultdict(list)
    for key, seen in checked.seen.items():
        for name, probability in seen.items():
            if probability >= SURE and counts(tag := with_spaces(name)):
                shown[tag].append(key)
    for tag, keys in sorted(shown.items(), key=lambda item: (-len(item[1]), item[0])):
        yield tag, keys, [key for key in keys if key in checked.captions and not _says(checked, key, tag)]


def _says(checked: Checked, key: str, tag: str) -> bool:
    said = {with_spaces(own).lower() for own in checked.tags.get(key, ())}
    return tag in said or re.search(rf"(?<!\w){re.escape(tag)}(?!\w)", checked.captions[key].text, re.IGNORECASE) is not None


def _most_common(lists: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(word for word, _ in Counter(word for words in lists for word in words).most_common())
