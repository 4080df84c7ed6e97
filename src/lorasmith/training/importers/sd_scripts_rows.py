"""What rows of the tables for sd-scripts are made of: where they put what they make, and the rows that many options share."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from lorasmith.models.families import FAMILIES
from lorasmith.training.importers.draft import Draft
from lorasmith.training.importers.found import Found, typed, words_of
from lorasmith.training.settings.tree import setting_names


@dataclass
class SdScriptsDraft(Draft):
    """A draft with the file that it is made from."""

    found: Found = field(default_factory=lambda: Found(""))

    @property
    def options(self) -> dict[str, Any]:
        return self.found.options


Row = Callable[[SdScriptsDraft, str, Any], None]
"""(where to, what the file calls the option, its value)"""


@cache
def _by_last_name() -> dict[str, str]:
    names = [name for name in setting_names() if not name.startswith("datasets.")]
    counts = Counter(name.split(".")[-1] for name in names)
    return {last: name for name in names if counts[last := name.split(".")[-1]] == 1}


# Words that both know, and that do not mean the same.
_FALSE_FRIENDS = frozenset(
    {"name", "path", "config", "steps", "type", "args", "device", "trigger", "cache", "rank", "alpha", "layers", "kind", "weights"}
)


def our_name(option: str) -> str | None:
    """The setting that bears the option's name, if there is just one."""
    return None if option in _FALSE_FRIENDS else _by_last_name().get(option)


def to(ours: str, change: Callable[[Any], Any] | None = None, why: str = "") -> Row:
    """A row that sets one setting."""
    return lambda draft, theirs, value: draft.put(theirs, ours, change(value) if change else value, why)


def where_on(ours: str, setting: Any, why: str = "") -> Row:
    """A row of a flag that sets one setting where it is on."""
    return lambda draft, theirs, value: draft.put(theirs, ours, setting, why) if value else None


def over_zero(ours: str) -> Row:
    """A row that is off at 0."""
    return lambda draft, theirs, value: draft.put(theirs, ours, value) if typed(value) else None


def of_flow(ours: str) -> Row:
    """A row of an option that is for flow models."""

    def row(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
        if draft.found.is_flow:
            draft.put(theirs, ours, value)
        elif value not in (0, False):
            draft.leave(theirs, value, f"it is for flow models, and {_not_that(draft)}")

    return row


def _not_that(draft: SdScriptsDraft) -> str:
    return "this is another family" if draft.found.family is not None else "the file does not say that its base is one"


def of_families(option: str) -> Row:
    """A row of an option that some families alone have, each with its own setting for it."""
    having = [family for family in FAMILIES.values() if family.sd_scripts and family.sd_scripts.options.get(option)]

    def row(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
        own = draft.found.sd_scripts
        if own is not None and own.options.get(option):
            draft.put(theirs, own.options[option], value)
        elif value not in (0, False):
            titles = " and ".join(family.title for family in having)
            draft.leave(theirs, value, f"it is for {titles}, and {_not_that(draft)}")

    return row


def pairs(draft: SdScriptsDraft, theirs: str, value: Any) -> list[tuple[str, Any]]:
    """key=value words, their values as Python writes them; a word without = is listed as left."""
    found = []
    for word in words_of(value):
        key, equals, text = word.partition("=")
        if not equals:
            draft.leave(theirs, word, "it is not key=value, which sd-scripts would refuse")
            continue
        found.append((key, literal(text)))
    return found


def literal(text: str) -> Any:
    value = typed(text)
    if isinstance(value, str):
        try:
            return ast.literal_eval(value)
        except (ValueError, SyntaxError):
            return value
    return value


def silent_pairs(draft: SdScriptsDraft) -> list[tuple[str, str]]:
    words = words_of(draft.options.get("network_args") or [])
    return [(key, text) for key, equals, text in (word.partition("=") for word in words) if equals]
