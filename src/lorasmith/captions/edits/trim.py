"""Edits that shorten captions: repeated tags, tags beyond a limit, rare tags, common tags."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import ClassVar

from pydantic import Field

from lorasmith.captions.breaks import BREAK
from lorasmith.captions.caption import Caption, join_tags, tag_key
from lorasmith.captions.edits.edit import Edit, EditContext, EditFunction, Tag, keys_of
from lorasmith.errors import InputError, SettingsError
from lorasmith.pages.numbers import count


class Dedupe(Edit):
    """Remove tags that a caption repeats.

    lorasmith captions dedupe my-pictures
    """

    def prepare(self, context: EditContext) -> EditFunction:
        def without_repeats(_: str, caption: Caption) -> Caption:
            tags, sentence = caption.parts
            first = {tag_key(tag): place for place, tag in reversed([*enumerate(tags)])}
            kept = [tag for place, tag in enumerate(tags) if tag == BREAK or first[tag_key(tag)] == place]
            return caption.with_tags([*kept, *sentence])

        return without_repeats

    def summary(self) -> str:
        return "remove repeated tags"


class Truncate(Edit):
    """Drop tags from the end until few enough are left; the first tag always stays.

    lorasmith captions truncate my-pictures --tokens 75 --base my-base.safetensors
    """

    tags: int | None = Field(None, ge=1, description="Keep at most this many tags.")
    tokens: int | None = Field(None, ge=1, description="Keep at most this many tokens, as the --base counts them.")

    @property
    def token_limit(self) -> int | None:
        return self.tokens

    def prepare(self, context: EditContext) -> EditFunction:
        if self.tags is None and self.tokens is None:
            raise SettingsError("Truncating needs tags or tokens: say how many of them may stay.")
        if self.tokens is not None and context.count_tokens is None:
            raise InputError("Truncating to tokens needs a text encoder to count for: name the base model.", code="captions.no_tokenizer")

        def shortened(_: str, caption: Caption) -> Caption:
            tags = caption.tags[: self.tags]
            if self.tokens is not None and context.count_tokens is not None:
                while len(tags) > 1 and context.count_tokens(join_tags(tags)) > self.tokens:
                    tags.pop()
            return caption.with_tags(tags)

        return shortened

    def summary(self) -> str:
        limits = (count(self.tags, "tag") if self.tags else "", count(self.tokens, "token") if self.tokens else "")
        return f"truncate to {' and '.join(filter(None, limits))}"


class DropRare(Edit):
    """Remove tags that too few captions have.

    lorasmith captions drop-rare my-pictures --fewer-than 3
    """

    counts_tags: ClassVar[bool] = True

    fewer_than: int = Field(ge=2, description="Remove tags that fewer captions than this have.")
    keep: list[Tag] = Field([], description="Tags that stay in any case, such as the trigger word.")

    def prepare(self, context: EditContext) -> EditFunction:
        return _dropping(context, self.keep, lambda tag: context.counts[tag] < self.fewer_than)

    def summary(self) -> str:
        return f"remove tags of fewer than {self.fewer_than} captions"


class DropCommon(Edit):
    """Remove tags that nearly every caption has, so that the trigger word takes over what they say.

    lorasmith captions drop-common my-pictures --above 0.9 --keep zorvex
    """

    counts_tags: ClassVar[bool] = True

    above: float = Field(gt=0, lt=1, description="Remove tags that more than this share (0-1) of the captions have.")
    keep: list[Tag] = Field([], description="Tags that stay in any case, such as the trigger word.")

    def prepare(self, context: EditContext) -> EditFunction:
        limit = self.above * len(context.captions)
        return _dropping(context, self.keep, lambda tag: context.counts[tag] > limit)

    def summary(self) -> str:
        return f"remove tags of more than {self.above:.0%} of the captions"


def _dropping(context: EditContext, keep: Collection[str], is_dropped: Callable[[str], bool]) -> EditFunction:
    """Drops tags (not sentences) by their key, decided once for each tag."""
    gone = {tag for tag in context.counts if is_dropped(tag)} - keys_of((*keep, BREAK))

    def dropped(_: str, caption: Caption) -> Caption:
        tags, sentence = caption.parts
        return caption.with_tags([*(tag for tag in tags if tag_key(tag) not in gone), *sentence])

    return dropped
