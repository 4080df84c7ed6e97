"""Settings as a flat table: the values of a tree by their dotted names, such as training.epochs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any


def dotted(tree: Mapping[str, Any], whole: Collection[str] = (), lists: bool = False, before: str = "") -> dict[str, Any]:
    """Values by dotted names, each beginning with `before`.

    Tables named in `whole` are values. With `lists` the tables of a list are told by their numbers, from 0, and an empty table is a value.
    """
    found: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{before}{key}"
        inner = None if name in whole else _numbered(value) if lists else value
        if isinstance(inner, Mapping) and (inner or not lists):
            found |= dotted(inner, whole, lists, f"{name}.")
        else:
            found[name] = value
    return found


def _numbered(value: Any) -> Any:
    """A list of tables as a table by their numbers; anything else as it is."""
    if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        return {str(number): item for number, item in enumerate(value)}
    return value
