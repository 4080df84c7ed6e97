"""The settings as a TOML file: read, and written complete, each with its description as a comment."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import tomlkit
from pydantic import BaseModel

from lorasmith.errors import SettingsError
from lorasmith.sections import fields_of
from lorasmith.stores import url_of
from lorasmith.training.settings.tree import Settings, settings_from


def load_settings(path: str | Path) -> Settings:
    """Settings from a TOML file, also of an earlier version; relative paths in it start from where the command runs.

    Raises
    ------
    SettingsError
        The file does not exist, is not TOML, or has a setting that cannot be used.

    Examples
    --------
    >>> settings = ls.load_settings("my-lora.toml")
    >>> settings.network.rank, settings.training.max_train_steps
    (2, 2)
    """
    path = Path(path)
    if not path.is_file():
        raise SettingsError(f"The settings file {path} does not exist. Give a TOML file.", code="settings.file_missing", path=str(path))
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"The settings file {path} is not valid TOML ({error}). Fix that line.", code="settings.not_toml", path=str(path)
        ) from error
    return settings_from(tree, str(path))


def settings_toml(settings: Settings) -> str:
    """The complete settings as TOML, each with its description as a comment; empty values are commented out.

    Of several folders the first has the comments; the others have their values alone.
    """
    document = tomlkit.document()
    sections = []
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            sections.append((name, value))
        elif isinstance(value, list):
            sections.extend((name, item) for item in value)
        else:
            document.add(tomlkit.comment(str(Settings.model_fields[name].description)))
            document.add(name, _plain(value))
    described: set[str] = set()
    tables = []
    for name, section in sections:
        tables.append(_table(name, section, several=isinstance(getattr(settings, name), list), described=name in described))
        described.add(name)
    return "\n".join((tomlkit.dumps(document), *tables))


def _table(name: str, section: BaseModel, several: bool, described: bool) -> str:
    """A section under its name, without comments where it has been described before.

    It is written apart from the others, since tomlkit takes time by the square of a list of tables.
    """
    table, document = tomlkit.table(), tomlkit.document()
    for field, info in fields_of(type(section)).items():
        value = getattr(section, field)
        if not described:
            table.add(tomlkit.comment(str(info.description)))
        if value is not None:
            table.add(field, _plain(value))
        elif not described:
            table.add(tomlkit.comment(f"{field} ="))
    if several:
        tables = tomlkit.aot()
        tables.append(table)
        document.add(name, tables)
    else:
        document.add(name, table)
    return tomlkit.dumps(document)


def _plain(value: Any) -> Any:
    """A value as TOML has it."""
    if isinstance(value, BaseModel):
        return _plain(value.model_dump(exclude_none=True))
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return url_of(value) or str(value)
    if isinstance(value, dict):
        table = tomlkit.inline_table()
        table.update({key: _plain(each) for key, each in value.items()})
        return table
    return value
