"""What several settings files, or files that carry settings, say differently."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Difference:
    """A setting by its dotted name, and its value in each; None where one has no such setting."""

    setting: str
    values: tuple[Any, ...]


def differences(each: Sequence[Mapping[str, Any]], ignored: frozenset[str] = frozenset()) -> Iterator[Difference]:
    """Every setting that is not the same in all, in the order of the first that has it; `each` is setting -> value."""
    for name in dict.fromkeys(name for settings in each for name in settings):
        values = tuple(settings.get(name) for settings in each)
        if name not in ignored and any(value != values[0] for value in values):
            yield Difference(name, values)
