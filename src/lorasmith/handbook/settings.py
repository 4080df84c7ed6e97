"""The reference of settings, made from their tree: every setting with its type, its default and what it does, and a link to each."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from lorasmith.handbook.tables import linked, table
from lorasmith.sections import fields_of
from lorasmith.training.settings.tree import Settings, setting_names

PAGE = "reference/settings.md"

OF_A_FOLDER = re.compile(r"^datasets\.\d+\.")


def address(setting: str) -> str:
    """Where the handbook has a setting, by its dotted name: `network.rank`; each folder of pictures has the same ones. All where it is none."""
    name = OF_A_FOLDER.sub("datasets.", setting)
    return f"{PAGE}#{name}" if name in setting_names() else PAGE


def page() -> str:
    """The whole reference, in Markdown."""
    parts = [
        "# Settings",
        "Every setting with its type, what it is when it is left out, and what it does. `lorasmith new` writes a file of them.",
    ]
    for place, model, fields in _sections_of(Settings):
        parts.append(f"## {linked(place, place) if place else 'At the top of the file'}")
        if (words := inspect.getdoc(model)) and words != inspect.getdoc(BaseModel):
            parts.append(words.partition("\n\n")[0])
        if fields:
            parts.append(table(("setting", "type", "left out", "what it does"), (_row(place, name, field) for name, field in fields)))
    return "\n\n".join(parts)


def _row(place: str, name: str, field: Any) -> tuple[str, str, str, str]:
    default = "needed" if field.is_required() else f"`{_shown(field.get_default(call_default_factory=True))}`"
    return linked(f"{place}.{name}".lstrip("."), f"`{name}`"), _spoken_type(field.annotation), default, field.description or ""


def _sections_of(model: type[BaseModel], place: str = "") -> Iterator[tuple[str, type[BaseModel], list[tuple[str, Any]]]]:
    """(dotted place, model, its own fields) of a tree of settings, from the root down."""
    own, below = [], []
    for name, field in fields_of(model).items():
        kinds: tuple[Any, ...] = (field.annotation, *getattr(field.annotation, "__args__", ()))
        models: list[type[BaseModel]] = [kind for kind in kinds if inspect.isclass(kind) and issubclass(kind, BaseModel)]
        if models:
            below.append((f"{place}.{name}".lstrip("."), models[0]))
        else:
            own.append((name, field))
    yield place, model, own
    for where, inner in below:
        yield from _sections_of(inner, where)


def _spoken_type(annotation: Any) -> str:
    """A field's type as a reader of settings would write it."""
    name = annotation.__name__ if inspect.isclass(annotation) else str(annotation)
    name = re.sub(r"\b(typing|pathlib|collections\.abc|lorasmith(\.\w+)*)\.", "", name)
    return re.sub(r"Annotated\[(.*?), .*\]$", r"\1", name)


def _shown(value: Any) -> str:
    """A default as a settings file would write it; nothing is "-"."""
    if value is None or value in ((), [], {}, ""):
        return "-"
    return str(value).lower() if isinstance(value, bool) else str(value)
