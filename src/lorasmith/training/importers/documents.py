"""Files of settings as text and as trees: what cannot be read is one sentence that names the file, whatever is wrong with it."""

from __future__ import annotations

import codecs
import json
import tomllib
from pathlib import Path
from typing import Any

from lorasmith.errors import SettingsError

MOST_BYTES = 4_000_000
"""Settings are small; what is larger is another kind of file."""
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


MOST_BRACKETS = 100
"""That are open at one place of a YAML file; settings have two or three."""
TOO_DEEP = "its brackets are nested too deeply"


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, or in UTF-16 as PowerShell writes it.

    Raises:
        SettingsError: it cannot be opened, is too large, or is no text.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise SettingsError(f"{path} is too large to be settings. Give the file with the settings.", code="import.form", path=str(path))
        data = path.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be opened ({error.strerror}). Check its name.", code="import.missing", path=str(path)
        ) from error
    try:
        return data.decode(next((encoding for bom, encoding in _BOMS if data.startswith(bom)), "utf-8"))
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8 ({error.reason}). Save it as UTF-8.", code="import.form", path=str(path)) from error


def beside(name: str, file: Path) -> Path | None:
    """A file that `file` names: from where the command runs, or beside `file`; None where it is in neither place."""
    places = (Path(name), file.parent / name, file.parent / Path(name.replace("\\", "/")).name)
    return next((place for place in places if place.is_file()), None)


def read_json(path: Path) -> Any:
    """What a JSON file holds; raises SettingsError where it is not valid."""
    text = read_text(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise _invalid(path, "JSON", str(error), "Fix that line.") from error
    except RecursionError as error:
        raise _invalid(path, "JSON", TOO_DEEP, "Give another file.") from error


def read_toml(path: Path) -> dict[str, Any]:
    """What a TOML file holds; raises SettingsError where it is not valid."""
    return toml_from(read_text(path), path)


def toml_from(text: str, path: Path) -> dict[str, Any]:
    """What a text in TOML holds, which `path` is or writes; raises SettingsError where it is not valid."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _invalid(path, "TOML", str(error), "Fix that line (Windows paths need 'single quotes').") from error
    except RecursionError as error:
        raise _invalid(path, "TOML", TOO_DEEP, "Give another file.") from error


def read_yaml(path: Path) -> Any:
    """What a YAML file holds; raises SettingsError where it is not valid.

    Anchors are refused, of which a few can stand for gigabytes, and so are many open brackets, whose reading takes their number squared.
    """
    import yaml

    text = read_text(path)
    try:
        depth = 0
        for token in yaml.scan(text, yaml.SafeLoader):
            if isinstance(token, yaml.AliasToken):
                raise _invalid(path, "YAML for settings", "it refers to anchors with *", "Write the values out.")
            depth += isinstance(token, yaml.FlowSequenceStartToken | yaml.FlowMappingStartToken)
            depth -= isinstance(token, yaml.FlowSequenceEndToken | yaml.FlowMappingEndToken)
            if depth > MOST_BRACKETS:
                raise _invalid(path, "YAML", TOO_DEEP, "Give another file.")
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # a date such as 2024-99-99 is a ValueError
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}" if mark is not None else "a value that YAML does not have"
        raise _invalid(path, "YAML", place, "Fix that line.") from error
    except RecursionError as error:
        raise _invalid(path, "YAML", TOO_DEEP, "Give another file.") from error


def _invalid(path: Path, form: str, reason: str, fix: str) -> SettingsError:
    return SettingsError(f"{path} is not valid {form} ({reason}). {fix}", code="import.invalid", path=str(path))
