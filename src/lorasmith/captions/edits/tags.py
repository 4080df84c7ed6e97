"""Edits that add, remove, replace and rename tags."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from pydantic import Field

from lorasmith.captions.caption import Caption, join_tags, tag_key
from lorasmith.captions.edits.edit import Edit, EditContext, EditFunction, Tag, keys_of, matcher
from lorasmith.errors import SettingsError


class Add(Edit):
    """Add tags to captions that do not have them; a picture without a caption file gets one.

    lorasmith captions add my-pictures zorvex --front
    lorasmith captions add my-pictures "red hat" --after zorvex --where "NOT tag:*hat" --dry-run
    """

    positional: ClassVar[tuple[str, ...]] = ("tags",)

    tags: list[Tag] = Field(min_length=1, description="Tags to add, in this order.")
    front: bool = Field(False, description="Put them in front of the other tags instead of behind.")
    after: Tag | None = Field(None, description="Put them behind this tag instead; captions without it stay as they are.")
    move: bool = Field(False, description="Move tags that a caption already has to that place, instead of leaving them where they are.")

    def prepare(self, context: EditContext) -> EditFunction:
        if self.front and self.after is not None:
            raise SettingsError(
                f"Tags cannot be put both in front of the others and behind {self.after}: choose one of front and after.",
                code="captions.edit_setting", edit="add", setting="after",
            )  # fmt: skip
        return lambda _, caption: add_tags(caption, self.tags, self.front, self.after, self.move)

    def summary(self) -> str:
        where = f"behind {self.after}" if self.after is not None else f"at the {'front' if self.front else 'back'}"
        return f"add {join_tags(self.tags)} {where}"


class Remove(Edit):
    """Remove tags.

    lorasmith captions remove my-pictures watermark "* background" --wildcards
    """

    positional: ClassVar[tuple[str, ...]] = ("tags",)

    tags: list[Tag] = Field(min_length=1, description="Tags to remove.")
    wildcards: bool = Field(False, description="Read * as anything and ? as any one character.")

    def prepare(self, context: EditContext) -> EditFunction:
        is_removed = matcher(self.tags, self.wildcards)
        return lambda _, caption: caption.with_tags([tag for tag in caption.tags if not is_removed(tag)])

    def summary(self) -> str:
        return f"remove {join_tags(self.tags)}"


class Replace(Edit):
    """Replace tags with other tags; where a caption has several of them, the first one's place is taken.

    lorasmith captions replace my-pictures crimson scarlet --by red
    """

    positional: ClassVar[tuple[str, ...]] = ("tags",)

    tags: list[Tag] = Field(min_length=1, description="Tags to replace, any of them.")
    by: list[Tag] = Field(min_length=1, description="Tags that replace them.")
    wildcards: bool = Field(False, description="Read * as anything and ? as any one character, in the tags to replace.")

    def prepare(self, context: EditContext) -> EditFunction:
        is_replaced = matcher(self.tags, self.wildcards)
        return lambda _, caption: replace_tags(caption, is_replaced, self.by)

    def summary(self) -> str:
        return f"replace {join_tags(self.tags)} by {join_tags(self.by)}"


class Rename(Edit):
    """Rename a tag; a caption that would then have it twice keeps the first.

    lorasmith captions rename my-pictures grey_hair "gray hair"
    """

    positional: ClassVar[tuple[str, ...]] = ("old", "new")

    old: Tag = Field(description="The tag as it is called now.")
    new: Tag = Field(description="Its new name.")

    def prepare(self, context: EditContext) -> EditFunction:
        is_old = matcher([self.old], wildcards=False)
        return lambda _, caption: rename_tag(caption, is_old, self.new)

    def summary(self) -> str:
        return f"rename {self.old} to {self.new}"


def add_tags(caption: Caption, new: Sequence[str], front: bool = False, after: str | None = None, move: bool = False) -> Caption:
    """The caption with the new tags that it lacks: at its back, at its front, or behind the tag `after`."""
    tags = caption.tags
    if move:
        moved = keys_of(new) - ({tag_key(after)} if after is not None else set())
        tags = [tag for tag in tags if tag_key(tag) not in moved]
    present = keys_of(tags)
    new = [tag for tag in dict.fromkeys(new) if tag_key(tag) not in present]
    if after is not None:
        at = next((n for n, tag in enumerate(tags, 1) if tag_key(tag) == tag_key(after)), None)
        if at is None:
            return caption
    else:
        at = 0 if front else len(tags)
    return caption.with_tags([*tags[:at], *new, *tags[at:]])


def replace_tags(caption: Caption, is_replaced: Callable[[str], bool], by: Sequence[str]) -> Caption:
    """The caption with the tags `by` where the first replaced tag was; the other replaced ones are removed."""
    tags = caption.tags
    at = next((n for n, tag in enumerate(tags) if is_replaced(tag)), None)
    if at is None:
        return caption
    head, tail = tags[:at], [tag for tag in tags[at:] if not is_replaced(tag)]
    present = keys_of(head) | keys_of(tail)
    return caption.with_tags([*head, *(tag for tag in dict.fromkeys(by) if tag_key(tag) not in present), *tail])


def rename_tag(caption: Caption, is_old: Callable[[str], bool], new: str) -> Caption:
    """The caption with `new` for the old tag, once."""
    tags = caption.tags
    if not any(map(is_old, tags)):
        return caption
    renamed: list[str] = []
    has_new = False
    for tag in tags:
        is_new = is_old(tag) or tag_key(tag) == tag_key(new)
        if not (is_new and has_new):
            renamed.append(new if is_new else tag)
        has_new = has_new or is_new
    return caption.with_tags(renamed)
