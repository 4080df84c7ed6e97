"""Configurations of sd-scripts: a --config_file in TOML, with or without its dataset, and a --dataset_config in TOML or JSON.

An option of a subset counts before one of its dataset, and that before one of [general].
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from lorasmith.dotted import dotted
from lorasmith.errors import SettingsError
from lorasmith.training.importers.documents import beside, read_json, read_toml, toml_from
from lorasmith.training.importers.found import Found


def from_toml(tree: dict[str, Any], path: Path, written: Mapping[str, str] | None = None, with_its_dataset: bool = True) -> Found:
    """A configuration as options; `written` are files that a script writes itself. A command may have a dataset that counts before its own."""
    if not isinstance(tree.get("datasets"), list):
        found = Found("a configuration of sd-scripts (TOML)", _without_sections(tree))
    elif tree.keys() <= {"general", "datasets"}:
        return dataset_alone(tree, path)
    else:
        found = Found(
            "a configuration of sd-scripts with its dataset (TOML)",
            _without_sections({k: v for k, v in tree.items() if k not in ("datasets", "general")}),
        )
        found.subsets = _subsets(tree, path) if with_its_dataset else []
    return with_dataset(found, path, written) if with_its_dataset else found


def _without_sections(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Sections are only for reading: sd-scripts puts all their options together."""
    return {name.rpartition(".")[2]: value for name, value in dotted(tree).items()}


def dataset_alone(tree: Mapping[str, Any], path: Path) -> Found:
    return Found("a dataset configuration of sd-scripts", subsets=_subsets(tree, path), is_training=False)


def _subsets(tree: Mapping[str, Any], path: Path) -> list[dict[str, Any]]:
    """The folders, each with what holds for it; a dataset configuration of any other shape is one sentence."""
    datasets, general = tree["datasets"], tree.get("general", {})
    of_each = [dataset.get("subsets", []) if isinstance(dataset, dict) else None for dataset in datasets if isinstance(datasets, list)]
    is_sound = isinstance(general, dict) and all(
        isinstance(folders, list) and all(isinstance(one, dict) for one in folders) for folders in of_each
    )
    if not is_sound or not any(of_each):
        raise SettingsError(
            f"{path} has no [[datasets.subsets]] with the folders. Give a dataset configuration of sd-scripts.",
            code="import.form",
            path=str(path),
        )
    found = []
    for dataset in datasets:
        shared = {**general, **{key: value for key, value in dataset.items() if key != "subsets"}}
        found += [{**shared, **subset} for subset in dataset.get("subsets", [])]
    return found


def with_dataset(found: Found, path: Path, written: Mapping[str, str] | None = None) -> Found:
    """With the dataset configuration that the options name, if they do."""
    name = found.options.get("dataset_config")
    if name and not found.subsets:
        place, tree = named_tree(str(name), path, written or {})
        found.subsets = _subsets({"datasets": [], **tree}, place)
        found.notes.append(f"The dataset is that of {place}.")
        for option in ("train_data_dir", "reg_data_dir", "in_json"):
            if found.options.pop(option, None):
                found.unused[option] = "dataset_config decides"
    return found


def named_tree(name: str, path: Path, written: Mapping[str, str]) -> tuple[Path, dict[str, Any]]:
    """The configuration of a name that `path` gives: one that it writes itself, or a file; and where that is.

    Raises:
        SettingsError: there is none, or it is not valid.
    """
    text = next((text for place, text in written.items() if PurePath(place).name == PurePath(name).name), None)
    if text is not None:
        return Path(name), toml_from(text, path)
    place = named_file(name, path)
    return place, settings_tree(read_json(place), place) if place.suffix == ".json" else read_toml(place)


def named_file(name: str, path: Path) -> Path:
    """A file that `path` names: from where the command runs, or beside `path`."""
    found = beside(name, path) or beside(str(Path(name).with_suffix(".toml")), path)
    if found is None:
        raise SettingsError(
            f"{path} names {name}, which is not here. Put it beside {path.name}.", code="import.missing", path=str(path), name=name
        )
    return found


def settings_tree(tree: Any, path: Path) -> dict[str, Any]:
    if not isinstance(tree, dict):
        raise SettingsError(f"{path} has no settings in it. Give a file that kohya_ss saved.", code="import.form", path=str(path))
    return tree
