"""Edits of how a caption is written: by regular expression, tags apart from the sentence, the spelling of tags."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar, Literal

from pydantic import Field

from lorasmith.captions.breaks import BREAK, sections
from lorasmith.captions.caption import (
    KAOMOJI,
    Caption,
    join_tags,
    split_tags,
    tag_key,
    with_escaped_parentheses,
    with_spaces,
    with_underscores,
)
from lorasmith.captions.edits.edit import Edit, EditContext, EditFunction
from lorasmith.errors import InputError


class Regex(Edit):
    r"""Search and replace with a regular expression.

    lorasmith captions regex my-pictures "\((.+?):[0-9.]+\)" "\1" --dry-run
    """

    positional: ClassVar[tuple[str, ...]] = ("pattern", "replacement")

    pattern: str = Field(min_length=1, description="Regular expression (Python's) to search for.")
    replacement: str = Field(description=r"Replacement, may be empty; \1 and \g<name> are groups of the expression.")
    each_tag: bool = Field(False, description="Search each tag by itself instead of the whole text.")
    ignore_case: bool = Field(False, description="Treat upper and lower case as the same.")

    def prepare(self, context: EditContext) -> EditFunction:
        try:
            pattern = re.compile(self.pattern, re.IGNORECASE if self.ignore_case else 0)
            pattern.sub(self.replacement, "")  # checks the replacement even where nothing will match
        except (re.error, IndexError) as error:
            raise InputError(
                f"The expression {self.pattern!r} -> {self.replacement!r} cannot be used ({error}): correct it.",
                code="captions.expression", pattern=self.pattern, replacement=self.replacement,
            ) from error  # fmt: skip
        if not self.each_tag:
            return lambda _, caption: caption.with_text(pattern.sub(self.replacement, caption.text))
        return lambda _, caption: caption.with_tags(
            [new for tag in caption.tags for new in split_tags(pattern.sub(self.replacement, tag).replace("\n", " "))]
        )

    def summary(self) -> str:
        return f"replace the expression {self.pattern} by {self.replacement!r} in each {'tag' if self.each_tag else 'caption'}"


class Split(Edit):
    """Separate the tags from the sentence of captions that have both: keep one of them, or put the sentence on a line of its own.

    lorasmith captions split my-pictures --keep lines --dry-run
    """

    keep: Literal["tags", "sentence", "lines"] = Field(description="tags, sentence, or lines: both, the sentence on a line of its own.")

    def prepare(self, context: EditContext) -> EditFunction:
        def separated(_: str, caption: Caption) -> Caption:
            tags, on_tag_line = caption.parts
            if self.keep == "lines":
                return caption.with_text(f"{join_tags(tags)}\n{caption.sentence}") if tags and on_tag_line else caption
            kept = join_tags(tags) if self.keep == "tags" else caption.sentence
            return caption.with_text(kept) if kept else caption  # a caption without that part stays, rather than becoming empty

        return separated

    def summary(self) -> str:
        return {"tags": "keep the tags", "sentence": "keep the sentences", "lines": "put sentences on their own lines"}[self.keep]


class Spell(Edit):
    """Spell all tags in one manner; kaomoji such as ^_^ stay as they are.

    lorasmith captions spell my-pictures spaces
    """

    positional: ClassVar[tuple[str, ...]] = ("manner",)

    manner: Literal["spaces", "underscores", "escaped", "unescaped", "lower"] = Field(
        description=r"spaces or underscores between words, escaped or unescaped parentheses (`\(` or `(`), or lower case."
    )

    def prepare(self, context: EditContext) -> EditFunction:
        manners: dict[str, Callable[[str], str]] = {
            "spaces": with_spaces,
            "underscores": with_underscores,
            "escaped": with_escaped_parentheses,
            "unescaped": tag_key,
            "lower": str.lower,
        }
        spelled = manners[self.manner]

        def respelled(_: str, caption: Caption) -> Caption:
            tags, sentence = caption.parts
            return caption.with_tags([*(tag if tag in KAOMOJI else _but_for_breaks(spelled, tag) for tag in tags), *sentence])

        return respelled

    def summary(self) -> str:
        return f"write tags with {self.manner}" if self.manner in ("spaces", "underscores") else f"write tags {self.manner}"


def _but_for_breaks(spelled: Callable[[str], str], tag: str) -> str:
    """The tag spelled, what is on each side of a BREAK by itself."""
    return f" {BREAK} ".join(map(spelled, sections(tag))).strip() if BREAK in tag else spelled(tag)
