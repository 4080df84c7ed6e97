"""Lorasmith's own settings files: taken over as they are, for a training that begins as another one did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lorasmith.dotted import dotted
from lorasmith.training.importers.documents import read_toml
from lorasmith.training.importers.draft import Check, Draft
from lorasmith.training.settings.checks import check_together
from lorasmith.training.settings.tree import Settings, settings_from

_WHOLE = ("network.layers",)


def read_own_settings(file: Path) -> tuple[str, Draft, Check, Sequence[str]] | None:
    """The settings that the file gives, under their own names; None where it is for another importer.

    Raises:
        SettingsError: it cannot be read, or a setting in it does not exist or is out of range.
    """
    if file.suffix.lower() != ".toml":
        return None
    tree = read_toml(file)
    base = tree.get("base")
    if not isinstance(base, Mapping) or "path" not in base:
        return None
    given = settings_from(tree, str(file)).model_dump(mode="json", exclude_unset=True, exclude_none=True)
    draft = Draft()
    for name, value in dotted(given, _WHOLE, lists=True).items():
        if name != "version":
            draft.put(name, name, value)
    return "a settings file of Lorasmith", draft, _warnings, ()


def _warnings(settings: Settings) -> list[str]:
    return [finding.message for finding in check_together(settings)]
