"""The files in which users of sd-scripts and its front ends keep their settings, read into options under sd-scripts' names.

.json                     what the kohya_ss GUI saves, or a dataset configuration
.toml                     a --config_file, with or without the dataset in it, or a --dataset_config
.ipynb                    a notebook with the command in a cell
.sh .bat .cmd .ps1 .txt   a command: accelerate launch ... sdxl_train_network.py --network_dim=16 ...
"""

from __future__ import annotations

from pathlib import Path

from lorasmith.training.importers.documents import read_json, read_toml
from lorasmith.training.importers.found import Found
from lorasmith.training.importers.sd_scripts_command import from_command
from lorasmith.training.importers.sd_scripts_gui import from_json
from lorasmith.training.importers.sd_scripts_toml import from_toml, settings_tree


def read_settings_file(path: Path) -> Found:
    """The options of a file.

    Raises SettingsError where it cannot be read, is none of the forms, or names a configuration that is not there.
    """
    if path.suffix.lower() == ".json":
        return from_json(settings_tree(read_json(path), path), path)
    if path.suffix.lower() == ".toml":
        return from_toml(read_toml(path), path)
    return from_command(path)
