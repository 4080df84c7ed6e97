"""Settings of earlier versions become those of today: one function for each version, from the one before it.

    tree = migrate(tomllib.loads(text))

A file says its version in `version`; one that says none is taken as it is.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, Literal

from lorasmith.errors import SettingsError

VERSION: Literal[2] = 2

RENAMED: dict[int, dict[str, str]] = {
    2: {
        "training.max_spoilt_steps": "training.max_non_finite_steps",
        "validation.most_pictures": "validation.max_images",
    },
}
"""Version -> the names that a setting had before it, and those it has from then on."""


def migrate(tree: Mapping[str, Any], source: str = "The settings") -> dict[str, Any]:
    """The settings as nested dicts of today's version; `source` names them in errors.

    Raises:
        SettingsError: they are of a version that does not exist yet, or say a setting under two names.
    """
    found: dict[str, Any] = copy.deepcopy(dict(tree))
    version = found.get("version", VERSION)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise SettingsError(f"{source}: version is {version!r}, but must be a number from 1 to {VERSION}.", code="settings.version")
    if version > VERSION:
        raise SettingsError(
            f"{source}: version {version} is newer than this Lorasmith, which reads up to version {VERSION}. Update Lorasmith.",
            code="settings.version", version=version,
        )  # fmt: skip
    for target in range(version + 1, VERSION + 1):
        found = MIGRATIONS[target](found, source)
    return found | {"version": VERSION}


def to_version_2(tree: dict[str, Any], source: str) -> dict[str, Any]:
    """The field's words: non-finite steps, images."""
    for before, after in RENAMED[2].items():
        _rename(tree, before, after, source)
    return tree


MIGRATIONS: dict[int, Callable[[dict[str, Any], str], dict[str, Any]]] = {2: to_version_2}


def present_name(setting: str) -> str | None:
    """What a setting of an earlier version is called today; None where it never had another name."""
    found = None
    for version in sorted(RENAMED):
        found = RENAMED[version].get(found or setting, found)
    return found


def _rename(tree: dict[str, Any], before: str, after: str, source: str) -> None:
    section, _, name = before.rpartition(".")
    if name not in tree.get(section, {}):
        return
    new_section, _, new_name = after.rpartition(".")
    if new_name in tree.get(new_section, {}):
        raise SettingsError(f"{source}: {before} and {after} are the same setting. Remove {before}.", code="settings.contradiction")
    tree.setdefault(new_section, {})[new_name] = tree[section].pop(name)
