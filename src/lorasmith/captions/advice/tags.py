"""Rules on tags: how many there are, repeated, spelled in two ways, implied, in every caption, unknown to the base."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sized

from lorasmith.captions.advice.checked import FEW_PICTURES, CheckedCaptions, captions_that, most_common, of_all, share
from lorasmith.captions.caption import tag_key, with_spaces
from lorasmith.captions.vocabulary import key_of
from lorasmith.findings import CaptionChange, Evidence, Finding, Fix
from lorasmith.pages.numbers import count

MAX_TAGS, MAX_MEAN_TAGS, MIN_TAGS = 30, 20, 5
EVERYWHERE = 0.95
"""Share of the captions from which on a tag tells nothing apart any more."""


def of_tags(tags: Sized, checked: CheckedCaptions) -> Evidence:
    """How many of the different tags."""
    return Evidence(len(tags), "tags", f"{len(tags):,} of {count(len(checked.counts), 'different tag')}.")


def over_tagged(checked: CheckedCaptions) -> Iterator[Finding]:
    """Captions of too many tags, and sets with too many on average."""
    counts = {key: len(tags) for key, tags in checked.tags.items() if tags}
    many = tuple(sorted((key for key, count in counts.items() if count > MAX_TAGS), key=lambda key: -counts[key]))
    fix = Fix(
        f"Leave out what needs no control: raise the tagger's threshold, or limit the tags (--max-tags {MAX_MEAN_TAGS}).",
        (CaptionChange("truncate", {"tags": MAX_MEAN_TAGS + len(checked.triggers)}),),
    )
    if many:
        yield Finding(
            code="captions.over_tagged", severity="warning", about="caption", subjects=many,
            evidence=Evidence(counts[many[0]], "tags", f"The longest has {counts[many[0]]} tags."),
            message=captions_that(many, f"has more than {MAX_TAGS} tags", f"have more than {MAX_TAGS} tags"),
            why="Each tag takes its share of what a picture teaches; with many tags, the trigger gets little.", fix=fix,
        )  # fmt: skip
    mean = round(sum(counts.values()) / len(counts), 1) if counts else 0
    if mean > MAX_MEAN_TAGS:
        yield Finding(
            code="captions.over_tagged", severity="warning", about="set", evidence=Evidence(mean, "tags per caption", f"{mean} tags per caption."),
            message=f"The captions have {mean} tags on average, more than {MAX_MEAN_TAGS}.",
            why="About 5 to 20 tags per picture train best, and too few do less harm than too many.", fix=fix,
        )  # fmt: skip


def under_tagged(checked: CheckedCaptions) -> Iterator[Finding]:
    """Captions of few tags beside the trigger."""
    few = tuple(
        key
        for key, tags in checked.tags.items()
        if len(tags) < MIN_TAGS and key not in checked.sentences and key not in checked.single_tags
    )
    if few:
        fewest = min(len(checked.tags[key]) for key in few)
        yield Finding(
            code="captions.under_tagged", severity="note", about="caption", subjects=few,
            evidence=Evidence(fewest, "tags", f"The shortest has {fewest} beside the trigger."),
            message=captions_that(few, f"has fewer than {MIN_TAGS} tags", f"have fewer than {MIN_TAGS} tags"),
            why="What no tag mentions is absorbed by the trigger: right for what belongs to it, wrong for what varies.",
            fix=Fix("Tag what varies and what you want to control; leave out the rest."),
        )  # fmt: skip


def single_tag(checked: CheckedCaptions) -> Iterator[Finding]:
    """Captions of one tag."""
    keys = tuple(key for key in checked.tags if key in checked.single_tags)
    if keys:
        whole_set = len(keys) >= EVERYWHERE * len(checked.tags)
        yield Finding(
            code="captions.single_tag", severity="warning" if whole_set else "note", about="caption", subjects=keys,
            evidence=share(keys, checked.tags), message=captions_that(keys, "is a single tag", "are a single tag each"),
            why="Everything in the picture, background and pose included, is learnt as the meaning of that one tag.",
            fix=Fix("Add tags for what varies, or for a style LoRA at least for what the pictures show."),
        )  # fmt: skip


def repeated_tag(checked: CheckedCaptions) -> Iterator[Finding]:
    """A tag twice in one caption."""
    found: dict[str, list[str]] = {}
    for key, caption in checked.captions.items():
        if repeated := [tag for tag, count in Counter(map(tag_key, caption.tags)).items() if count > 1]:
            found[key] = repeated
    if found:
        yield Finding(
            code="captions.repeated_tag", severity="note", about="caption", subjects=tuple(found), evidence=of_all(found, checked),
            message=captions_that(found, "repeats a tag", "repeat a tag"),
            why="A repeated tag takes tokens and has more weight than the others.",
            fix=Fix("Remove repeated tags: lorasmith captions dedupe FOLDER.", (CaptionChange("dedupe"),)),
            details=most_common(found.values()),
        )  # fmt: skip


def two_spellings(checked: CheckedCaptions) -> Iterator[Finding]:
    """A tag in several spellings, such as `red_hat` beside `red hat`."""
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    for tag, captions in checked.counts.items():
        spellings[with_spaces(tag).lower()][tag] += captions
    several = [[tag for tag, _ in found.most_common()] for found in spellings.values() if len(found) > 1]
    if several:
        rare = {tag: most_frequent for most_frequent, *others in several for tag in others}
        yield Finding(
            code="captions.two_spellings", severity="warning", about="caption",
            subjects=tuple(key for key, tags in checked.tags.items() if rare.keys() & set(tags)), evidence=of_tags(several, checked),
            message=f"{count(len(several), 'tag')} {'is' if len(several) == 1 else 'are'} spelled in more than one way.",
            why="To the text encoder these are different words, which have to share what one should learn.",
            fix=Fix("Rename the rarer spelling to the other.", tuple(CaptionChange("rename", {"old": old, "new": new}) for old, new in rare.items())),
            details=tuple(" / ".join(tags) for tags in several),
        )  # fmt: skip


def implied_tag(checked: CheckedCaptions) -> Iterator[Finding]:
    """A tag beside one that implies it."""
    if checked.vocabulary is None:
        return
    implied = {tag: {key_of(one) for one in checked.vocabulary.implied_by(tag)} for tag in (*checked.counts, *checked.triggers)}
    found: dict[str, list[str]] = {}
    for key, tags in checked.tags.items():
        all_tags = [*(trigger for trigger in checked.triggers if trigger in checked.captions[key].tags), *tags]
        pairs = [f"{tag} implies {one}" for tag in sorted(all_tags) if implied[tag] for one in sorted(tags) if key_of(one) in implied[tag]]
        if pairs:
            found[key] = pairs
    if found:
        yield Finding(
            code="captions.implied_tag", severity="warning", about="caption", subjects=tuple(found), evidence=of_all(found, checked),
            message=captions_that(found, "has a tag beside one that implies it", "have a tag beside one that implies it"),
            why="The two share what one tag learns better alone.",
            fix=Fix("Remove implied tags: lorasmith captions implications FOLDER --vocabulary FILE.", (CaptionChange("implications"),)),
            details=most_common(found.values()),
        )  # fmt: skip


def tag_everywhere(checked: CheckedCaptions) -> Iterator[Finding]:
    """A tag in nearly every caption, which the trigger should absorb."""
    total = len(checked.tags)
    if total < FEW_PICTURES or all(len(tags) <= 1 for tags in checked.tags.values()):
        return
    for tag, captions in checked.counts.most_common():
        if captions < EVERYWHERE * total:
            break
        keys = tuple(key for key, tags in checked.tags.items() if tag in tags)
        yield Finding(
            code="captions.tag_everywhere", severity="note", about="caption", subjects=keys, evidence=share(keys, checked.tags),
            message=f"The tag {tag!r} is in nearly every caption.",
            why="A tag that is always there takes a share of what the trigger should learn, and every prompt will need it.",
            fix=Fix(
                f"Remove it, so that the trigger absorbs it; keep it only if you want to turn {tag!r} on and off.",
                (CaptionChange("remove", {"tags": [tag]}),),
            ),
            details=(tag,),
        )  # fmt: skip


def unknown_tags(checked: CheckedCaptions) -> Iterator[Finding]:
    """Tags that are not in the list of tags."""
    if checked.vocabulary is None or not checked.vocabulary.tags:
        return
    unknown = set(checked.vocabulary.unknown(checked.counts))
    if unknown:
        yield Finding(
            code="captions.unknown_tags", severity="note", about="caption", evidence=of_tags(unknown, checked),
            subjects=tuple(key for key, tags in checked.tags.items() if unknown & set(tags)),
            message=f"{count(len(unknown), 'tag')} {'is' if len(unknown) == 1 else 'are'} not in the list of tags.",
            why="The base was not trained on such a word, so the LoRA has to learn it beside its subject.",
            fix=Fix("Use known tags, unless the word is meant to be learnt."),
            details=tuple(sorted(unknown, key=lambda tag: (-checked.counts[tag], tag))),
        )  # fmt: skip
