"""Settings of LoRA_Easy_Training_Scripts (derrian-distro): a TOML whose sections hold sd-scripts' options by topic.

[[subsets]]                               a folder
[general_args.args]                       options
[general_args.dataset_args]               options of all folders
[optimizer_args.args.optimizer_args]      arguments of the optimizer, each under its name
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lorasmith.errors import SettingsError
from lorasmith.training.importers.documents import read_toml
from lorasmith.training.importers.draft import Check, Draft
from lorasmith.training.importers.found import Found, typed
from lorasmith.training.importers.sd_scripts import draft_of
from lorasmith.training.importers.sd_scripts_gui import family_of_switches

_ARGUMENTS = ("network_args", "optimizer_args", "lr_scheduler_args")


def read_easy_scripts(file: Path) -> tuple[str, Draft, Check, Sequence[str]] | None:
    """Its settings as a draft; None where the file is for another importer.

    Raises:
        SettingsError: it cannot be read, or trains no LoRA.
    """
    if file.suffix.lower() != ".toml":
        return None
    tree = read_toml(file)
    sections = {
        name: section for name, section in tree.items() if isinstance(section, Mapping) and {"args", "dataset_args"} & section.keys()
    }
    if not sections:
        return None
    mode = tree.get("train_mode")
    if isinstance(mode, Mapping) and mode.get("train_mode", "lora") != "lora":
        raise SettingsError(
            f"{file} trains {mode['train_mode']!r}, and no LoRA. Give settings of a LoRA.", code="import.page", path=str(file)
        )
    found = Found("settings of LoRA_Easy_Training_Scripts (TOML)")
    for section in sections.values():
        for part in ("args", "dataset_args"):
            values = section.get(part)
            if isinstance(values, Mapping):
                found.options |= {name: _listed(value) if name in _ARGUMENTS else value for name, value in values.items()}
    subsets = tree.get("subsets", [])
    if not isinstance(subsets, list) or not all(isinstance(subset, Mapping) and "image_dir" in subset for subset in subsets):
        raise SettingsError(f"{file} has a [[subsets]] without an image_dir. Give each its folder.", code="import.form", path=str(file))
    found.subsets = [{name: value for name, value in subset.items() if name != "name"} for subset in subsets]
    _rename(found)
    return draft_of(found, file)


def _listed(value: Any) -> Any:
    """Arguments of a section as sd-scripts is handed them: key=value."""
    return [f"{key}={each}" for key, each in value.items()] if isinstance(value, Mapping) else value


def _rename(found: Found) -> None:
    """Where its words are not those of sd-scripts."""
    options = found.options
    found.family = family_of_switches(options)
    module = _module(options)
    if module:
        options.setdefault("network_module", module)
    if (share := options.pop("warmup_ratio", None)) is not None:
        options["lr_warmup_steps"] = typed(share)
        found.called["lr_warmup_steps"] = "warmup_ratio"
    for name in ("optimizer_type", "lr_scheduler_type"):
        own = str(options.get(name) or "")
        if own.startswith("LoraEasyCustomOptimizer."):
            options[name] = own.rpartition(".")[2]


def _module(options: dict[str, Any]) -> str:
    """The network's module, which the page chooses by the arguments of its kind (main_ui_files/NetworkUI.py at 07b7dcf)."""
    given = {word.partition("=")[0] for word in options.get("network_args", [])}
    is_frozen = options.pop("fa", False)
    return "lycoris.kohya" if "algo" in given else "networks.dylora" if "unit" in given else "networks.lora_fa" if is_frozen else ""
