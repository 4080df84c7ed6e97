"""A recipe of one's own: a TOML file that begins with one of ours and changes what it likes.

begin_with = "style/sdxl/standard"

[settings]
"network.rank" = 24

[reasons]
"network.rank" = "line art needs little"
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lorasmith.dotted import dotted
from lorasmith.errors import SettingsError
from lorasmith.models.widths import FULL_SIZE, Widths
from lorasmith.registry import nearest
from lorasmith.sentences import Sentence
from lorasmith.training.recipes.reasons import because
from lorasmith.training.recipes.recipes import Choice, recipe
from lorasmith.training.settings.tree import setting_names


def is_recipe(path: str | Path) -> bool:
    """Whether a file is a recipe of one's own, though perhaps a wrong one."""
    try:
        return "begin_with" in tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return False


def own_recipe(path: str | Path, images: int, widths: Widths = FULL_SIZE) -> list[Choice]:
    """The choices of a recipe file for this many pictures on a base of these widths; what it changes has the file as its source.

    Raises:
        SettingsError: the file cannot be read, begins with nothing known, or sets something that does not exist.
    """
    path = Path(path)
    content = _read(path)
    try:
        kind, family, level = str(content.get("begin_with", "")).split("/")
    except ValueError:
        raise SettingsError(
            f'The recipe {path} must begin with another one. Write begin_with = "style/sdxl/standard".',
            code="recipe.begin_with",
            path=str(path),
        ) from None
    choices = {choice.setting: choice for choice in recipe(kind, family, level, images, widths)}
    reasons: Mapping[str, str] = content.get("reasons", {})
    known = set(setting_names())
    for name, value in dotted(content.get("settings", {}), whole=("optimizer.args",)).items():
        if name not in known:
            raise SettingsError(
                f"The recipe {path} sets {name!r}, which does not exist; {nearest(name, known)}", code="settings.unknown_key", setting=name
            )
        why = Sentence("recipe.own", english=reasons[name]) if name in reasons else because("yours")
        choices[name] = Choice(name, value, why, path.name)
    if strange := sorted(reasons.keys() - choices.keys()):
        raise SettingsError(f"The recipe {path} gives a reason for {strange[0]!r}, which it does not set. Remove one, or add the other.")
    return list(choices.values())


def _read(path: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingsError(
            f"The recipe {path} cannot be opened ({error.strerror}). Check its name.", code="recipe.file_missing", path=str(path)
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"The recipe {path} is not valid TOML ({error}). Fix that line.", code="recipe.not_toml", path=str(path)
        ) from error
    if odd := sorted(content.keys() - {"begin_with", "settings", "reasons"}):
        raise SettingsError(f"The recipe {path} has {odd[0]!r}. It may have begin_with, [settings] and [reasons].")
    return content
