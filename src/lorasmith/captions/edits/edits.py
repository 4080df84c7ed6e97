"""Edits of captions in bulk: each one a pure function from a caption to a caption, chosen by name, for a scope, tried before it is saved.

    edit = edit_of("add", tags=["zorvex"], place="front")
    plan = plan_edit(collection, edit, Scope(where="NOT tag:zorvex"))
    plan.changes        # what would be written; nothing is yet
    plan.save()

An edit is a model of its arguments. Its `on` looks once at what it needs to know of all captions (how frequent tags are, what a tagger
said) and gives the function. Tags are the same if they are letter for letter, or but for `\\(` written for `(`. Where captions hold a
sentence behind their tags, edits that order or drop tags by number leave the sentence whole.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from lorasmith.captions.caption import (
    KAOMOJI,
    Caption,
    join_tags,
    refuse_what_is_no_tag,
    split_tags,
    tag_key,
    with_spaces,
    with_underscores,
)
from lorasmith.captions.collection import CaptionCollection, Entry
from lorasmith.captions.filters import TokenCounter, parse_filter, wildcard
from lorasmith.captions.history import Operation, file_bytes
from lorasmith.captions.taggers.tag_choice import spaced
from lorasmith.captions.vocabulary import Vocabulary
from lorasmith.errors import DatasetError, InputError, SettingsError

EditFunction = Callable[[str, Caption], Caption]
"""From a caption, and the key it is known by, to the caption as it shall be."""


# Which captions


@dataclass(frozen=True)
class Scope:
    """Which captions an edit is for: all, those that a filter finds, those that are named, or those of both."""

    where: str | None = None
    """A filter, see `filters`."""
    paths: tuple[str, ...] = ()
    """Caption files, pictures or folders, as paths below the collection's folder."""


def select(collection: CaptionCollection, scope: Scope = Scope(), count_tokens: TokenCounter | None = None) -> list[Entry]:
    """The entries in a scope, in the collection's order.

    Raises:
        InputError: the filter cannot be read.
        DatasetError: a path is not in the collection.
    """
    entries = list(collection)
    if scope.paths:
        named = _named(scope)
        met: set[str] = set()
        chosen = []
        for entry in entries:
            hits = named & _names_of(entry)
            if hits or "." in named:
                met |= hits
                chosen.append(entry)
        for entry in collection.unreadable.values():
            met |= named & _names_of(entry)
        if lost := sorted(named - met - {"."}):
            raise DatasetError(f"{collection.folder} holds no picture, caption or folder {lost[0]}: give a path below that folder.")
        entries = chosen
    if scope.where is not None:
        matches = parse_filter(scope.where, count_tokens).matches
        entries = [entry for entry in entries if matches(entry)]
    return entries


def unreadable_in(collection: CaptionCollection, scope: Scope) -> list[Entry]:
    """The captions of a scope that are not UTF-8. A filter cannot be asked of them, so that they are in whatever it says."""
    named = _named(scope)
    return [entry for entry in collection.unreadable.values() if not named or "." in named or named & _names_of(entry)]


def _named(scope: Scope) -> set[str]:
    return {path.replace("\\", "/").removeprefix("./").rstrip("/") for path in scope.paths}


def _names_of(entry: Entry) -> set[str]:
    """What a scope may call an entry: its caption, its pictures, the folders that they lie in."""
    parts = entry.key.split("/")
    return {entry.key, *entry.pictures, *("/".join(parts[:n]) for n in range(1, len(parts)))}


# What edits may know


@dataclass(frozen=True)
class Facts:
    """What an edit may know beside the caption before it."""

    captions: Sequence[Caption] = ()
    """All captions that frequencies are counted over."""
    count_tokens: TokenCounter | None = None
    probabilities: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Key of a caption -> tag, with spaces -> what a tagger said of its picture, 0-1."""
    vocabulary: Vocabulary | None = None

    @cached_property
    def counts(self) -> Counter[str]:
        """Tag (its key) -> number of captions that hold it. Sentences behind tags are not counted."""
        counts: Counter[str] = Counter()
        for caption in self.captions:
            counts.update({tag_key(tag) for tag in caption.parts[0]})
        return counts


# Edits


def _one_tag(tag: str) -> str:
    tag = tag.strip()
    refuse_what_is_no_tag(tag)
    return tag


Tag = Annotated[str, AfterValidator(_one_tag)]


class Edit(BaseModel, ABC):
    """The arguments of an edit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @abstractmethod
    def on(self, facts: Facts) -> EditFunction:
        """What becomes of one caption, among what is known of all."""

    @abstractmethod
    def words(self) -> str:
        """What the edit does, for the history."""


class Add(Edit):
    """Add tags that a caption does not have yet."""

    tags: list[Tag] = Field(min_length=1, description="Tags to add, in this order.")
    place: Literal["front", "back"] = Field("back", description="Where they are put.")
    after: Tag | None = Field(None, description="Put them behind this tag instead; captions without it stay as they are.")
    move: bool = Field(False, description="Move tags that a caption has already to that place, instead of leaving them where they are.")

    def on(self, facts: Facts) -> EditFunction:
        return lambda _, caption: add_tags(caption, self.tags, self.place, self.after, self.move)

    def words(self) -> str:
        where = f"behind {self.after}" if self.after is not None else f"at the {self.place}"
        return f"add {join_tags(self.tags)} {where}"


def add_tags(caption: Caption, new: Sequence[str], place: str = "back", after: str | None = None, move: bool = False) -> Caption:
    tags = caption.tags
    if move:
        moved = _keys(new) - ({tag_key(after)} if after is not None else set())
        tags = [tag for tag in tags if tag_key(tag) not in moved]
    there = _keys(tags)
    new = [tag for tag in dict.fromkeys(new) if tag_key(tag) not in there]
    if after is not None:
        at = next((n for n, tag in enumerate(tags, 1) if tag_key(tag) == tag_key(after)), None)
        if at is None:
            return caption
    else:
        at = 0 if place == "front" else len(tags)
    return caption.with_tags([*tags[:at], *new, *tags[at:]])


class Remove(Edit):
    """Remove tags wherever they stand."""

    tags: list[Tag] = Field(min_length=1, description="Tags to remove.")
    wildcards: bool = Field(False, description="Read * as anything and ? as any one character.")

    def on(self, facts: Facts) -> EditFunction:
        gone = _matcher(self.tags, self.wildcards)
        return lambda _, caption: caption.with_tags([tag for tag in caption.tags if not gone(tag)])

    def words(self) -> str:
        return f"remove {join_tags(self.tags)}"


class Replace(Edit):
    """Put other tags in the place of some tags; where several of them stand, the first one's place is taken."""

    tags: list[Tag] = Field(min_length=1, description="Tags to replace, any of them.")
    by: list[Tag] = Field(min_length=1, description="What comes in their place.")
    wildcards: bool = Field(False, description="Read * as anything and ? as any one character, in the tags to replace.")

    def on(self, facts: Facts) -> EditFunction:
        old = _matcher(self.tags, self.wildcards)
        return lambda _, caption: replace_tags(caption, old, self.by)

    def words(self) -> str:
        return f"replace {join_tags(self.tags)} by {join_tags(self.by)}"


class Rename(Edit):
    """Give a tag another name; a caption that has both afterwards keeps the first."""

    old: Tag = Field(description="The tag as it is called.")
    new: Tag = Field(description="What it shall be called.")

    def on(self, facts: Facts) -> EditFunction:
        old = _matcher([self.old], wildcards=False)
        return lambda _, caption: rename_tag(caption, old, self.new)

    def words(self) -> str:
        return f"rename {self.old} to {self.new}"


def replace_tags(caption: Caption, old: Callable[[str], bool], by: Sequence[str]) -> Caption:
    tags = caption.tags
    at = next((n for n, tag in enumerate(tags) if old(tag)), None)
    if at is None:
        return caption
    head, tail = tags[:at], [tag for tag in tags[at:] if not old(tag)]
    there = _keys(head) | _keys(tail)
    return caption.with_tags([*head, *(tag for tag in dict.fromkeys(by) if tag_key(tag) not in there), *tail])


def rename_tag(caption: Caption, old: Callable[[str], bool], new: str) -> Caption:
    tags = caption.tags
    if not any(map(old, tags)):
        return caption
    renamed: list[str] = []
    named = False
    for tag in tags:
        is_new = old(tag) or tag_key(tag) == tag_key(new)
        if not (is_new and named):
            renamed.append(new if is_new else tag)
        named = named or is_new
    return caption.with_tags(renamed)


class Regex(Edit):
    r"""Search with a regular expression (Python's) and replace; `\1` and `\g<name>` in the replacement stand for groups."""

    pattern: str = Field(min_length=1, description="What to search.")
    replacement: str = Field(description="What to put there; may be empty.")
    on_each: Literal["caption", "tag"] = Field("caption", description="Search the whole text, or each tag by itself.")
    ignore_case: bool = Field(False, description="Take upper and lower case as the same.")

    def on(self, facts: Facts) -> EditFunction:
        try:
            pattern = re.compile(self.pattern, re.IGNORECASE if self.ignore_case else 0)
            pattern.sub(self.replacement, "")  # reads the replacement even where nothing is found
        except (re.error, IndexError) as error:
            raise InputError(f"The expression {self.pattern!r} -> {self.replacement!r} cannot be used ({error}): correct it.") from error
        if self.on_each == "caption":
            return lambda _, caption: caption.with_text(pattern.sub(self.replacement, caption.text))
        return lambda _, caption: caption.with_tags(
            [new for tag in caption.tags for new in split_tags(pattern.sub(self.replacement, tag).replace("\n", " "))]
        )

    def words(self) -> str:
        return f"replace the expression {self.pattern} by {self.replacement!r} in each {self.on_each}"


class Front(Edit):
    """Move tags to the front of the captions that have them, in the order given."""

    tags: list[Tag] = Field(min_length=1, description="Tags to move, the first in front.")

    def on(self, facts: Facts) -> EditFunction:
        order = {tag_key(tag): n for n, tag in reversed([*enumerate(self.tags)])}
        return lambda _, caption: caption.with_tags(sorted(caption.tags, key=lambda tag: order.get(tag_key(tag), len(self.tags))))

    def words(self) -> str:
        return f"move {join_tags(self.tags)} to the front"


class Sort(Edit):
    """Put tags in order; a sentence behind them stays there."""

    by: Literal["frequency", "name", "probability"] = Field(
        description="The most frequent, the alphabet's first, or a tagger's surest first."
    )
    reverse: bool = Field(False, description="The other way round.")
    keep: int = Field(0, ge=0, description="How many tags at the front stay where they are, such as 1 for a trigger word.")

    def on(self, facts: Facts) -> EditFunction:
        if self.by == "probability" and not facts.probabilities:
            raise InputError("There are no tagger's probabilities to sort by: run `lorasmith captions tag` on the folder first.")
        counts = facts.counts if self.by == "frequency" else Counter[str]()

        def sorted_by(key: str, caption: Caption) -> Caption:
            tags, sentence = caption.parts
            said = facts.probabilities.get(key, {})
            ranks: dict[str, Callable[[str], Any]] = {
                "frequency": lambda tag: -counts[tag_key(tag)],
                "name": lambda tag: (tag.casefold(), tag),
                "probability": lambda tag: -said.get(spaced(tag), 0.0),
            }
            head, rest = tags[: self.keep], tags[self.keep :]
            return caption.with_tags([*head, *sorted(rest, key=ranks[self.by], reverse=self.reverse), *sentence])

        return sorted_by

    def words(self) -> str:
        return f"sort by {self.by}" + (" backwards" if self.reverse else "")


class Dedupe(Edit):
    """Remove tags that a caption has already said."""

    def on(self, facts: Facts) -> EditFunction:
        def without_repeats(_: str, caption: Caption) -> Caption:
            tags, sentence = caption.parts
            return caption.with_tags([*_first_of_each(tags), *sentence])

        return without_repeats

    def words(self) -> str:
        return "remove repeated tags"


class Truncate(Edit):
    """Drop tags from the end until few enough are left. The first tag always stays."""

    tags: int | None = Field(None, ge=1, description="Most tags.")
    tokens: int | None = Field(None, ge=1, description="Most tokens, as the base's text encoder counts them.")

    def on(self, facts: Facts) -> EditFunction:
        if self.tags is None and self.tokens is None:
            raise SettingsError("Truncating needs tags or tokens: say how many of them may stay.")
        if self.tokens is not None and facts.count_tokens is None:
            raise InputError("Truncating to tokens needs a text encoder to count for: name the base model.")

        def shortened(_: str, caption: Caption) -> Caption:
            tags = caption.tags[: self.tags]
            if self.tokens is not None and facts.count_tokens is not None:
                while len(tags) > 1 and facts.count_tokens(join_tags(tags)) > self.tokens:
                    tags.pop()
            return caption.with_tags(tags)

        return shortened

    def words(self) -> str:
        limits = (f"{self.tags} tags" if self.tags else "", f"{self.tokens} tokens" if self.tokens else "")
        return f"truncate to {' and '.join(filter(None, limits))}"


class DropRare(Edit):
    """Remove tags that too few captions have."""

    fewer_than: int = Field(ge=2, description="A tag stays if at least so many captions have it.")
    keep: list[Tag] = Field([], description="Tags that stay in any case, such as the trigger word.")

    def on(self, facts: Facts) -> EditFunction:
        return _dropping(facts, self.keep, lambda tag: facts.counts[tag] < self.fewer_than)

    def words(self) -> str:
        return f"remove tags of fewer than {self.fewer_than} captions"


class DropCommon(Edit):
    """Remove tags that nearly every caption has, so that the trigger word takes over what they say."""

    above: float = Field(gt=0, lt=1, description="A tag goes if more than this share (0-1) of the captions has it.")
    keep: list[Tag] = Field([], description="Tags that stay in any case, such as the trigger word.")

    def on(self, facts: Facts) -> EditFunction:
        limit = self.above * len(facts.captions)
        return _dropping(facts, self.keep, lambda tag: facts.counts[tag] > limit)

    def words(self) -> str:
        return f"remove tags of more than {self.above:.0%} of the captions"


class Split(Edit):
    """Part tags and sentence: keep one of them, or put the sentence on a line of its own below the tags."""

    keep: Literal["tags", "sentence", "lines"] = Field(description="What stays: the tags, the sentence, or both on lines of their own.")

    def on(self, facts: Facts) -> EditFunction:
        def parted(_: str, caption: Caption) -> Caption:
            tags, on_their_line = caption.parts
            if self.keep == "lines":
                return caption.with_text(f"{join_tags(tags)}\n{caption.sentence}") if tags and on_their_line else caption
            kept = join_tags(tags) if self.keep == "tags" else caption.sentence
            return caption.with_text(kept) if kept else caption  # nothing of that kind: the caption stays, rather than becoming empty

        return parted

    def words(self) -> str:
        return {"tags": "keep the tags", "sentence": "keep the sentences", "lines": "put sentences on their own lines"}[self.keep]


class Spell(Edit):
    r"""Write all tags in one manner. Kaomoji such as ^_^ stay as they are."""

    manner: Literal["spaces", "underscores", "escaped", "unescaped", "lower"] = Field(
        description=r"Spaces for underscores, or back; `\(` for `(`, or back; lower case."
    )

    def on(self, facts: Facts) -> EditFunction:
        manners: dict[str, Callable[[str], str]] = {
            "spaces": with_spaces,
            "underscores": with_underscores,
            "escaped": lambda tag: tag_key(tag).replace("(", "\\(").replace(")", "\\)"),
            "unescaped": tag_key,
            "lower": str.lower,
        }
        written = manners[self.manner]

        def respelled(_: str, caption: Caption) -> Caption:
            tags, sentence = caption.parts
            return caption.with_tags([*(tag if tag in KAOMOJI else written(tag) for tag in tags), *sentence])

        return respelled

    def words(self) -> str:
        return f"write tags with {self.manner}" if self.manner in ("spaces", "underscores") else f"write tags {self.manner}"


class Imply(Edit):
    """Remove tags that another tag of the caption implies, or add all that its tags imply."""

    mode: Literal["drop", "add"] = Field("drop", description="Drop implied tags, as for training, or add them.")
    keep: list[Tag] = Field([], description="Tags that stay in any case.")

    def on(self, facts: Facts) -> EditFunction:
        vocabulary = _needed(facts.vocabulary)

        def applied(_: str, caption: Caption) -> Caption:
            tags, sentence = caption.parts
            new = vocabulary.without_implied(tags, self.keep) if self.mode == "drop" else vocabulary.with_implied(tags)
            return caption.with_tags([*new, *sentence])

        return applied

    def words(self) -> str:
        return f"{self.mode} implied tags"


class Resolve(Edit):
    """Give tags that are aliases their site's own name."""

    def on(self, facts: Facts) -> EditFunction:
        vocabulary = _needed(facts.vocabulary)

        def resolved(_: str, caption: Caption) -> Caption:
            tags, sentence = caption.parts
            names = [vocabulary.resolve(tag) for tag in tags]
            if names == tags:
                return caption
            there = _keys(tags)
            new: list[str] = []
            for tag, name in zip(tags, names, strict=True):
                if name == tag or tag_key(name) not in there:
                    new.append(name)
                    there.add(tag_key(name))
            return caption.with_tags([*new, *sentence])

        return resolved

    def words(self) -> str:
        return "resolve aliases"


EDITS: dict[str, type[Edit]] = {
    "add": Add,
    "remove": Remove,
    "replace": Replace,
    "rename": Rename,
    "regex": Regex,
    "front": Front,
    "sort": Sort,
    "dedupe": Dedupe,
    "truncate": Truncate,
    "drop-rare": DropRare,
    "drop-common": DropCommon,
    "split": Split,
    "spell": Spell,
    "implications": Imply,
    "aliases": Resolve,
}


def edit_of(name: str, **arguments: Any) -> Edit:
    """An edit by its name in the registry.

    Raises:
        SettingsError: there is none of that name, or an argument is unknown, missing or out of range.
    """
    if name not in EDITS:
        raise SettingsError(f"There is no edit {name!r}: there are {', '.join(EDITS)}.")
    try:
        return EDITS[name](**arguments)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise SettingsError(f"The edit {name} cannot use {where} = {first['input']!r}: {first['msg'].lower()}.") from error


# Trying and saving


@dataclass(frozen=True)
class Plan:
    """What an edit would do. Nothing is written before `save`."""

    collection: CaptionCollection
    words: str
    considered: int
    """How many captions are in the scope."""
    changes: dict[str, Caption]
    """Key -> caption as it would be, of those that would differ."""

    def before(self, key: str) -> Caption:
        """The caption as it is; of a file that is not UTF-8, what can be read of it."""
        if key in self.collection:
            return self.collection[key].caption
        raw = file_bytes(self.collection.folder / key) or b""
        return Caption(raw.decode("utf-8", "replace").replace("\0", "").encode())

    def save(self) -> Operation | None:
        """Write it, as one operation that can be undone; None where nothing would change. Raises as `CaptionCollection.save` does."""
        return self.collection.save(self.changes, self.words)


def plan_edit(
    collection: CaptionCollection,
    edit: Edit,
    scope: Scope = Scope(),
    *,
    count_in: Literal["folder", "scope"] = "folder",
    count_tokens: TokenCounter | None = None,
    probabilities: Mapping[str, Mapping[str, float]] | None = None,
    vocabulary: Vocabulary | None = None,
) -> Plan:
    """What an edit would do to the captions in a scope. How frequent a tag is, is counted over the whole folder or the scope.

    Raises:
        InputError: the filter or an expression cannot be read, or something that the edit needs is not given.
        DatasetError: a path of the scope is not in the collection.
    """
    entries = select(collection, scope, count_tokens)
    counted = [entry.caption for entry in (collection if count_in == "folder" else entries) if entry.exists]
    function = edit.on(Facts(counted, count_tokens, probabilities or {}, vocabulary))
    changes = {}
    for entry in entries:
        new = function(entry.key, entry.caption)
        if new.raw != entry.caption.raw:
            changes[entry.key] = new
    words = edit.words() + (f" where {scope.where}" if scope.where else "") + (f" in {', '.join(scope.paths)}" if scope.paths else "")
    return Plan(collection, words, len(entries), changes)


# Views over several captions


def tags_of_any(captions: Iterable[Caption]) -> list[str]:
    """The union: tags that any of the captions has, the most frequent first, equal ones by name."""
    counts = Counter(tag for caption in captions for tag in set(caption.tags))
    return sorted(counts, key=lambda tag: (-counts[tag], tag))


def tags_of_all(captions: Iterable[Caption]) -> list[str]:
    """The intersection: tags that all of the captions have, in the first one's order."""
    captions = list(captions)
    shared = set.intersection(*({*caption.tags} for caption in captions)) if captions else set()
    return [tag for tag in dict.fromkeys(captions[0].tags if captions else ()) if tag in shared]


def tags_of_these_only(captions: Iterable[Caption], others: Iterable[Caption]) -> list[str]:
    """The difference: tags that any of the captions has and none of the others, the most frequent first."""
    elsewhere = set(tags_of_any(others))
    return [tag for tag in tags_of_any(captions) if tag not in elsewhere]


def _keys(tags: Iterable[str]) -> set[str]:
    return {tag_key(tag) for tag in tags}


def _first_of_each(tags: Iterable[str]) -> list[str]:
    """The tags in their order, of those that are the same the first."""
    first: dict[str, str] = {}
    for tag in tags:
        first.setdefault(tag_key(tag), tag)
    return [*first.values()]


def _matcher(tags: Collection[str], wildcards: bool) -> Callable[[str], bool]:
    if not wildcards:
        wanted = _keys(tags)
        return lambda tag: tag_key(tag) in wanted
    patterns = [wildcard(tag_key(tag)) for tag in tags]
    return lambda tag: any(pattern.match(tag_key(tag)) for pattern in patterns)


def _dropping(facts: Facts, keep: Collection[str], goes: Callable[[str], bool]) -> EditFunction:
    """Drops the tags (not the sentences) whose key `goes`, decided once for each tag."""
    gone = {tag for tag in facts.counts if goes(tag)} - _keys(keep)

    def dropped(_: str, caption: Caption) -> Caption:
        tags, sentence = caption.parts
        return caption.with_tags([*(tag for tag in tags if tag_key(tag) not in gone), *sentence])

    return dropped


def _needed(vocabulary: Vocabulary | None) -> Vocabulary:
    if vocabulary is None:
        raise InputError("Aliases and implications need a list of tags: give one with --vocabulary FILE.")
    return vocabulary
