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


def dotted(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names and values of a tree of settings; the folders of a dataset by their numbers."""
    inner: Mapping[str, Any] = {}
    if isinstance(value, dict):
        inner = value
    elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        inner = {str(number): item for number, item in enumerate(value)}
    if not inner:
        yield name, value
    for key, item in inner.items():
        yield from dotted(item, f"{name}.{key}" if name else key)
