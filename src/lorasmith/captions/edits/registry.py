"""All edits by the name that users type."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from lorasmith.captions.edits.edit import Edit
from lorasmith.captions.edits.order import Front, Sort
from lorasmith.captions.edits.tags import Add, Remove, Rename, Replace
from lorasmith.captions.edits.text import Regex, Spell, Split
from lorasmith.captions.edits.triggers import FolderTriggers, MendTriggers, SetTriggers
from lorasmith.captions.edits.trim import Dedupe, DropCommon, DropRare, Truncate
from lorasmith.captions.edits.vocabulary import Aliases, Implications
from lorasmith.errors import SettingsError
from lorasmith.registry import nearest

EDITS: dict[str, type[Edit]] = {
    "add": Add,
    "remove": Remove,
    "replace": Replace,
    "rename": Rename,
    "regex": Regex,
    "front": Front,
    "sort": Sort,
    "dedupe": Dedupe,
    "truncate": Truncate,
    "drop-rare": DropRare,
    "drop-common": DropCommon,
    "split": Split,
    "spell": Spell,
    "implications": Implications,
    "aliases": Aliases,
    "set-triggers": SetTriggers,
    "folder-triggers": FolderTriggers,
    "mend-triggers": MendTriggers,
}


def edit_of(name: str, **settings: Any) -> Edit:
    """An edit by its name in the registry.

    Raises:
        SettingsError: there is none of that name, or a setting is unknown, missing or out of range.
    """
    if name not in EDITS:
        raise SettingsError(f"There is no edit {name!r}; {nearest(name, EDITS)}", code="captions.unknown_edit", edit=name)
    try:
        return EDITS[name](**settings)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise SettingsError(
            f"The edit {name} cannot use {where} = {first['input']!r}: {first['msg'].lower()}.",
            code="captions.edit_setting", edit=name, setting=where,
        ) from error  # fmt: skip
