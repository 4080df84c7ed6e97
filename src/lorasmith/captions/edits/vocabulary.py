"""Edits by a list of tags: implied tags, aliases."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from lorasmith.captions.caption import Caption, tag_key
from lorasmith.captions.edits.edit import Edit, EditContext, EditFunction, Tag, keys_of


class Implications(Edit):
    """Remove tags that another tag of the caption implies, or add all that its tags imply.

    lorasmith captions implications my-pictures --vocabulary tags.csv.gz --vocabulary tag_implications.csv.gz
    """

    uses_vocabulary: ClassVar[bool] = True

    add: bool = Field(False, description="Add the tags that are implied instead of removing them.")
    keep: list[Tag] = Field([], description="Tags that stay in any case.")

    def prepare(self, context: EditContext) -> EditFunction:
        vocabulary = context.required_vocabulary()

        def applied(_: str, caption: Caption) -> Caption:
            tags, sentence = caption.parts
            new = vocabulary.with_implied(tags) if self.add else vocabulary.without_implied(tags, self.keep)
            return caption.with_tags([*new, *sentence])

        return applied

    def summary(self) -> str:
        return f"{'add' if self.add else 'drop'} implied tags"


class Aliases(Edit):
    """Replace aliases by the name that the tag list uses.

    lorasmith captions aliases my-pictures --vocabulary danbooru.csv
    """

    uses_vocabulary: ClassVar[bool] = True

    def prepare(self, context: EditContext) -> EditFunction:
        vocabulary = context.required_vocabulary()

        def resolved(_: str, caption: Caption) -> Caption:
            tags, sentence = caption.parts
            names = [vocabulary.resolve(tag) for tag in tags]
            if names == tags:
                return caption
            present = keys_of(tags)
            new: list[str] = []
            for tag, name in zip(tags, names, strict=True):
                if name == tag or tag_key(name) not in present:
                    new.append(name)
                    present.add(tag_key(name))
            return caption.with_tags([*new, *sentence])

        return resolved

    def summary(self) -> str:
        return "resolve aliases"
