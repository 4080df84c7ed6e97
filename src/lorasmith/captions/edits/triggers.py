"""Edits that put trigger words where they belong. `lorasmith captions triggers` offers them together with the search for leaks."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from lorasmith.captions.caption import Caption, join_tags
from lorasmith.captions.edits.edit import Edit, EditContext, EditFunction, Tag
from lorasmith.captions.triggers import mended, triggers_of_caption, with_triggers


class SetTriggers(Edit):
    """Make trigger words the first tags of each caption.

    lorasmith captions set-triggers my-pictures zorvex
    """

    positional: ClassVar[tuple[str, ...]] = ("triggers",)
    listed: ClassVar[bool] = False

    triggers: list[Tag] = Field(min_length=1, description="Trigger words, in their order.")
    replacing: list[Tag] = Field([], description="Old trigger words to remove.")

    def prepare(self, context: EditContext) -> EditFunction:
        return lambda _, caption: with_triggers(caption, self.triggers, replacing=self.replacing)

    def summary(self) -> str:
        return f"set the trigger {join_tags(self.triggers)}"


class FolderTriggers(Edit):
    """Make the trigger words that a folder is named after (`10_anna, red dress`) the first tags of its captions.

    lorasmith captions folder-triggers my-pictures
    """

    listed: ClassVar[bool] = False

    replacing: list[Tag] = Field([], description="Old trigger words to remove.")

    def prepare(self, context: EditContext) -> EditFunction:
        def with_own(key: str, caption: Caption) -> Caption:
            triggers = triggers_of_caption(key, context.folder_name)
            return with_triggers(caption, triggers, replacing=self.replacing) if triggers else caption

        return with_own

    def summary(self) -> str:
        return "set the trigger of each folder"


class MendTriggers(Edit):
    """Make trigger words the first tags, once, and take them out of other tags and words.

    lorasmith captions mend-triggers my-pictures zorvex
    """

    positional: ClassVar[tuple[str, ...]] = ("triggers",)
    listed: ClassVar[bool] = False

    triggers: list[Tag] = Field(min_length=1, description="Trigger words, in their order.")

    def prepare(self, context: EditContext) -> EditFunction:
        return lambda _, caption: mended(caption, self.triggers)

    def summary(self) -> str:
        return f"mend the trigger {join_tags(self.triggers)}"
