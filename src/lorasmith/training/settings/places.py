"""The files and folders that settings name, by dotted names: `base.path`, `datasets.0.path`, `network.weights` ...

places(settings)["datasets.0.path"]
with_place(settings, "datasets.0.path", Path("elsewhere"))
starting_from(Path("lora"), settings)
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from lorasmith.models.files.hub import is_elsewhere
from lorasmith.training.settings.tree import Settings, settings_from


def places(settings: Settings) -> dict[str, Path]:
    """Every file and folder that is read, by its setting; the cache, which is written, is none of them."""
    sections: dict[str, Any] = {name: getattr(settings, name) for name in Settings.model_fields if name not in ("cache", "datasets")}
    sections |= {f"datasets.{number}": dataset for number, dataset in enumerate(settings.datasets)}
    sections |= {f"base.merge.{number}": lora for number, lora in enumerate(settings.base.merge)}
    return {
        f"{section}.{name}": value
        for section, model in sections.items()
        if isinstance(model, BaseModel)
        for name in type(model).model_fields
        if isinstance(value := getattr(model, name), Path)
    }


def with_place(settings: Settings, name: str, value: Path | int | None) -> Settings:
    """The settings with another place (or repeats) under a dotted name; None takes it out."""
    tree = settings.model_dump(mode="json", exclude_none=True)
    put(tree, name, None if value is None else value if isinstance(value, int) else str(value))
    return settings_from(tree)


def starting_from(folder: Path, settings: Settings) -> Settings:
    """The settings with whole paths, of which relative ones start from `folder`; ids of the hub stay what they are."""
    tree = settings.model_dump(mode="json", exclude_unset=True)
    for name, value in {**places(settings), "cache": settings.cache}.items():
        whole = folder / os.path.expanduser(value)
        if whole.exists() or not is_elsewhere(value):
            put(tree, name, str(whole))
    return settings_from(tree)


def put(tree: dict[str, Any], name: str, value: Any) -> None:
    """Set an entry of nested tables and lists by its dotted name."""
    *sections, last = name.split(".")
    table: Any = tree
    for each in sections:
        table = table[int(each)] if isinstance(table, list) else table[each]
    if value is None:
        table.pop(last, None)
    else:
        table[last] = value
