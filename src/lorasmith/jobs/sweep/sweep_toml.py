"""A sweep as a file that `lorasmith sweep` takes: what varies and how it is searched, and the settings in it, so that it needs no other file."""

from __future__ import annotations

import re

import tomlkit

from lorasmith.jobs.sweep.sweep_file import Sweep, SweepFile
from lorasmith.training.settings.toml import settings_toml

BEFORE_TABLES = [name for name in SweepFile.model_fields if name not in ("settings", "vary")]
_HEADING = re.compile(r"^(\[\[?)(?=\w)", re.MULTILINE)
"""Of a table of the settings; a value that begins with a bracket never begins a line."""


def sweep_toml(sweep: Sweep) -> str:
    """The file. What is as usual is left out, except of the settings, which are complete and described."""
    document, said = tomlkit.document(), sweep.file.model_dump(mode="json")
    for name in BEFORE_TABLES:
        value = sweep.name if name == "name" else said[name]
        if value is not None and value != SweepFile.model_fields[name].default:
            document.add(tomlkit.comment(str(SweepFile.model_fields[name].description)))
            document.add(name, value)
    vary = tomlkit.table()
    for name, value in said["vary"].items():
        vary.add(tomlkit.key(name.split(".")) if re.fullmatch(r"\w+(\.\w+)*", name) else tomlkit.key(name), _inline(value))
    document.add("vary", vary)
    settings = _HEADING.sub(r"\1settings.", settings_toml(sweep.settings))
    return f"{tomlkit.dumps(document)}\n[settings]\n{settings}"


def _inline(value: object) -> object:
    if isinstance(value, dict):
        table = tomlkit.inline_table()
        table.update(value)
        return table
    return value
