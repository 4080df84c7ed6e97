"""Edits that put tags in another order and lose none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar, Literal

from pydantic import Field

from lorasmith.captions.breaks import runs, with_breaks
from lorasmith.captions.caption import Caption, join_tags, plain_tag, tag_key
from lorasmith.captions.edits.edit import Edit, EditContext, EditFunction, Tag
from lorasmith.errors import InputError


class Front(Edit):
    """Move tags to the front of the captions that have them, in the order given.

    lorasmith captions front my-pictures zorvex
    """

    positional: ClassVar[tuple[str, ...]] = ("tags",)

    tags: list[Tag] = Field(min_length=1, description="Tags to move, the first in front.")

    def prepare(self, context: EditContext) -> EditFunction:
        order = {tag_key(tag): n for n, tag in reversed([*enumerate(self.tags)])}
        return lambda _, caption: caption.with_tags(sorted(caption.tags, key=lambda tag: order.get(tag_key(tag), len(self.tags))))

    def summary(self) -> str:
        return f"move {join_tags(self.tags)} to the front"


class Sort(Edit):
    """Sort tags; a sentence behind them stays there, and each tag on its side of a BREAK.

    lorasmith captions sort my-pictures --by probability --keep 1
    """

    counts_tags: ClassVar[bool] = True

    by: Literal["frequency", "name", "probability"] = Field(
        "frequency", description="frequency (the most frequent first), name, or probability (a tagger's most probable first)."
    )
    reverse: bool = Field(False, description="Sort the other way round.")
    keep: int = Field(0, ge=0, description="How many tags at the front stay where they are, such as 1 for a trigger word.")

    def prepare(self, context: EditContext) -> EditFunction:
        if self.by == "probability" and not context.probabilities:
            raise InputError(
                "No tagger's probabilities are stored to sort by: run `lorasmith captions tag` on the folder first.",
                code="captions.no_probabilities",
            )
        counts = context.counts if self.by == "frequency" else Counter[str]()
        probabilities = context.probabilities if self.by == "probability" else {}

        def sorted_tags(key: str, caption: Caption) -> Caption:
            tags, sentence = caption.parts
            own = probabilities.get(key, {})
            ranks: dict[str, Callable[[str], Any]] = {
                "frequency": lambda tag: -counts[tag_key(tag)],
                "name": lambda tag: (tag.casefold(), tag),
                "probability": lambda tag: -own.get(plain_tag(tag), 0.0),
            }
            head, rest = tags[: self.keep], tags[self.keep :]
            sides = [sorted(side, key=ranks[self.by], reverse=self.reverse) for side in runs(rest)]
            return caption.with_tags([*head, *with_breaks(sides), *sentence])

        return sorted_tags

    def summary(self) -> str:
        return f"sort by {self.by}" + (" backwards" if self.reverse else "")
