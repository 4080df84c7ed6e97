"""A LoRA file's metadata as the settings of the training that made it; its header alone is read.

Lorasmith's own files hold all settings, OneTrainer's hold its options where it was told to write them (`ot_config`), those of sd-scripts and of
the programs that write its names (`ss_*`) hold most. What diffusers and peft write is the network alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lorasmith.adapters.files.header import read_lora_header
from lorasmith.errors import SettingsError
from lorasmith.training.importers.draft import Check, Draft
from lorasmith.training.importers.kohya_metadata import found_in
from lorasmith.training.importers.onetrainer import onetrainer_draft
from lorasmith.training.importers.option_table import fits
from lorasmith.training.importers.sd_scripts import draft_of
from lorasmith.training.settings.migrations import migrate
from lorasmith.training.settings.tree import Settings, section_type

OURS = "lorasmith_settings"
_TELLS_A_TRAINING = ("ss_network_dim", "ss_learning_rate", "ss_network_module")
_MAKERS = (
    ("ot_revision", "", "OneTrainer, which writes its settings into a file only with include_train_config"),
    ("software", "ai-toolkit", "ai-toolkit, whose settings are in config.yaml beside it"),
)
"""A key, a word in its value, and whose file it then is."""


def read_lora_file(file: Path) -> tuple[str, Draft, Check, Sequence[str]] | None:
    """What a LoRA file says of its training as a draft; None where the file is for another importer.

    Raises:
        AdapterError: it is not a safetensors file, or is cut short.
        SettingsError: it has no settings in its metadata.
    """
    if file.suffix.lower() != ".safetensors":
        return None
    header = read_lora_header(file)
    metadata = header.metadata
    if OURS in metadata:
        return _ours(_table(metadata[OURS], OURS, file), file)
    if "ot_config" in metadata:
        return onetrainer_draft(_table(metadata["ot_config"], "ot_config", file), file, "a LoRA file with OneTrainer's settings in it")
    if any(name in metadata for name in _TELLS_A_TRAINING):
        return draft_of(found_in(metadata, {name: entry.dtype for name, entry in header.tensors.items()}, file), file)
    if "lora_adapter_metadata" in metadata:
        return _of_peft(_table(metadata["lora_adapter_metadata"], "lora_adapter_metadata", file))
    maker = next((f" It is of {words}." for name, part, words in _MAKERS if name in metadata and part in metadata[name]), "")
    raise SettingsError(
        f"{file} has no settings in its metadata.{maker} Give the settings that it was trained with, or look at it with: lorasmith lora show",
        code="import.no_metadata", path=str(file),
    )  # fmt: skip


def _table(text: str, name: str, file: Path) -> dict[str, Any]:
    try:
        table = json.loads(text)
    except (ValueError, RecursionError):
        table = None
    if not isinstance(table, dict):
        raise SettingsError(
            f"{file} has a damaged {name} in its metadata. Give the settings that it was trained with.",
            code="import.invalid", path=str(file), name=name,
        )  # fmt: skip
    return table


def _ours(table: Mapping[str, Any], file: Path) -> tuple[str, Draft, Check, Sequence[str]]:
    """Our own settings: those that are not the defaults, since the others need no line."""
    draft = Draft()
    for name, value in migrate(table, str(file)).items():
        if name not in Settings.model_fields:
            draft.unknown(name, value, "this Lorasmith does not have it: the file may be of a newer one")
            continue
        section = section_type(Settings, name)
        if name == "datasets" and isinstance(value, list):
            for number, folder in enumerate(value):
                _put_section(draft, f"datasets.{number}", folder)
        elif section is not None and isinstance(value, Mapping):
            defaults = {
                key: field.get_default(call_default_factory=True) for key, field in section.model_fields.items() if not field.is_required()
            }
            _put_section(draft, name, {key: each for key, each in value.items() if each is not None and each != _plain(defaults.get(key))})
        elif name != "version":
            draft.put(OURS, name, value)
    notes = ["Folders and files are private, so the file holds the last part of their paths. Complete them."]
    return "a LoRA file of Lorasmith", draft, fits(None), notes


def _put_section(draft: Draft, where: str, values: Any) -> None:
    if not isinstance(values, Mapping):
        return
    for key, value in values.items():
        if where == "optimizer" and key == "args" and isinstance(value, Mapping):
            for name, argument in value.items():
                draft.put(OURS, f"optimizer.args.{name}", argument)
        elif value is not None:
            draft.put(OURS, f"{where}.{key}", value)


def _plain(value: Any) -> Any:
    """A default as JSON has it."""
    return list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value


_OF_PEFT = {
    "r": "network.rank",
    "lora_alpha": "network.alpha",
    "lora_dropout": "network.dropout",
    "use_dora": "network.dora",
    "use_rslora": "network.rs_lora",
}
"""peft's name of an option -> ours."""


def _of_peft(table: Mapping[str, Any]) -> tuple[str, Draft, Check, Sequence[str]]:
    """What diffusers and SimpleTuner write: the network of the denoiser, and that of the text encoders beside it."""
    draft = Draft()
    parts = {name.partition(".")[0] for name in table}
    denoiser = next((part for part in ("transformer", "unet") if part in parts), next(iter(sorted(parts)), ""))
    for name, value in table.items():
        part, _, option = name.partition(".")
        if option in _OF_PEFT and part == denoiser and value not in (None, False, 0, 0.0):
            draft.put(name, _OF_PEFT[option], value)
        elif option in _OF_PEFT and part != denoiser and value != table.get(f"{denoiser}.{option}"):
            draft.leave(name, value, "all parts have one size here; look at network.layers")
        elif option == "target_modules" and part == denoiser:
            draft.leave(name, value, "write layers as network.layers")
    draft.put("(its parts)", "network.train_text_encoder", any(part.startswith("text_encoder") for part in parts))
    draft.put("(not in the file)", "training.epochs", 10, "the file does not say how long it was trained; 10 is usual")
    notes = ["The metadata is of the network alone: rates, lengths, folders and all else are as Lorasmith has them."]
    return "a LoRA file with the network's settings in it (peft)", draft, fits(None), notes
