"""Tagging many pictures: run a tagger and store its probabilities, then turn what is stored into captions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from lorasmith.captions.caption import Caption
from lorasmith.captions.collection import Entry
from lorasmith.captions.taggers.probabilities import ProbabilityStore, StoredRow, stored_row
from lorasmith.captions.taggers.tag_choice import Mode, TagChoice, choose_tags, merge_tags
from lorasmith.captions.taggers.tagger import Tagger
from lorasmith.captions.triggers import likely_triggers
from lorasmith.captions.vocabulary import Vocabulary
from lorasmith.errors import DatasetError
from lorasmith.images.read import content_hash, read_picture
from lorasmith.progress import Progress


@dataclass
class TaggedPictures:
    """Which pictures have stored probabilities of a tagger."""

    contents: dict[Path, str] = field(default_factory=dict)
    """Content hash of each picture whose probabilities are stored."""
    tagged: int = 0
    """Pictures that the tagger was run on."""
    known: int = 0
    """Pictures whose probabilities were stored before."""
    failures: dict[Path, str] = field(default_factory=dict)
    """What is wrong with each picture that has none."""
    stopped: bool = False
    """Whether the job was cancelled before the end."""

    def take(self, store: ProbabilityStore, identity: str, looks: Iterable[TaggerLook]) -> None:
        """Store what a tagger gave, and count it."""
        rows: dict[str, StoredRow] = {}
        for look in looks:
            if look.problem:
                self.failures[look.path] = look.problem
                continue
            self.contents[look.path] = look.content
            if look.row is None:
                self.known += 1
            else:
                rows[look.content] = look.row
                self.tagged += 1
        if rows:
            store.put(identity, rows)


@dataclass(frozen=True)
class TaggerLook:
    """What came of one picture: the hash of its content and, unless that is stored, what is to be; or what is wrong with it."""

    path: Path
    content: str = ""
    row: StoredRow | None = None
    problem: str = ""


def look_at_batch(tagger: Tagger, paths: Sequence[Path], is_stored: Callable[[str], bool], batch_size: int) -> list[TaggerLook]:
    """Run the tagger over those pictures of a batch whose contents are not stored; equal ones are looked at once."""
    images: dict[str, Image.Image] = {}
    contents: dict[Path, str] = {}
    looks: list[TaggerLook] = []
    fresh: set[Path] = set()
    for path in paths:
        try:
            content = content_hash(path)
            if content not in images and not is_stored(content):
                images[content] = read_picture(path)
                fresh.add(path)
        except DatasetError as error:
            looks.append(TaggerLook(path, problem=str(error)))
            continue
        contents[path] = content
    found = tagger.probabilities(list(images.values()), batch_size) if images else ()
    rows = {content: stored_row(row) for content, row in zip(images, found, strict=True)}
    return [*looks, *(TaggerLook(path, content, rows[content] if path in fresh else None) for path, content in contents.items())]


def tag_pictures(
    store: ProbabilityStore,
    tagger: Tagger,
    pictures: Sequence[Path],
    *,
    batch_size: int = 8,
    again: bool = False,
    progress: Progress = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> TaggedPictures:
    """Run the tagger over the pictures that it was not run on yet (with `again`, over all) and store its probabilities.

    A picture that cannot be read is reported and left out. `progress` is called with (done, total) after each batch, `cancelled` before
    each. Whatever ends the job early, what was stored stays, and the next call continues from there.
    """
    store.register(tagger)
    result = TaggedPictures()
    stored = set() if again else store.contents(tagger.identity)
    for first in range(0, len(pictures), batch_size):
        if cancelled():
            result.stopped = True
            break
        looks = look_at_batch(tagger, pictures[first : first + batch_size], stored.__contains__, batch_size)
        result.take(store, tagger.identity, looks)
        stored.update(look.content for look in looks if look.content)
        progress(min(first + batch_size, len(pictures)), len(pictures))
    return result


def tagged_before(store: ProbabilityStore, identity: str, pictures: Sequence[Path]) -> TaggedPictures:
    """What is stored of the pictures, without running the tagger; those that it was never run on are failures."""
    result = TaggedPictures()
    stored = store.contents(identity)
    for path in pictures:
        try:
            content = content_hash(path)
        except DatasetError as error:
            result.failures[path] = str(error)
            continue
        if content in stored:
            result.contents[path] = content
        else:
            result.failures[path] = f"The tagger was not run on {path} yet: name the tagger with --tagger."
    result.known = len(result.contents)
    return result


def tagged_captions(
    store: ProbabilityStore,
    identity: str,
    entries: Sequence[Entry],
    contents: Mapping[str, str],
    choice: TagChoice,
    mode: Mode,
    vocabulary: Vocabulary | None = None,
) -> dict[str, Caption]:
    """Key -> new caption, for the entries that would differ. `contents` are the content hashes of their pictures by key."""
    stored = dict(store.tags(identity, set(contents.values())))
    changes: dict[str, Caption] = {}
    for entry in entries:
        if entry.key not in contents:
            continue
        chosen = choose_tags(stored[contents[entry.key]], choice, vocabulary)
        tags, sentence = entry.caption.parts
        new = merge_tags(tags if mode == "append" else entry.caption.tags, chosen, mode)
        if new is not None:
            caption = entry.caption.with_tags([*new, *sentence] if mode == "append" else new)
            if caption.raw != entry.caption.raw:
                changes[entry.key] = caption
    return changes


def lost_triggers(entries: Sequence[Entry], changes: Mapping[str, Caption]) -> list[str]:
    """Tags that are first in nearly all captions now and would be missing from some."""
    now = likely_triggers(entry.caption for entry in entries)
    return [trigger for trigger in now if any(trigger not in caption.tags for caption in changes.values())]
