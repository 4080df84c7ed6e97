"""Commands of sd-scripts, alone or in a script or a notebook: accelerate launch ... sdxl_train_network.py --network_dim=16 ...

A command may name a --config_file and a --dataset_config; they are read along, also where the script writes them. As in sd-scripts, an option
of the command counts before one of the file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from lorasmith.errors import SettingsError
from lorasmith.secrets import without_secrets
from lorasmith.training.importers.batch import read_batch
from lorasmith.training.importers.documents import read_json, read_text
from lorasmith.training.importers.found import SCRIPTS, Found, family_of_script, typed
from lorasmith.training.importers.notebook import read_notebook
from lorasmith.training.importers.powershell import read_powershell
from lorasmith.training.importers.sd_scripts_toml import from_toml, named_tree, with_dataset
from lorasmith.training.importers.shell import Script, read_shell

_VARIABLE = re.compile(r"\$\{\w+[^}]*\}|\$(?:env:)?\w+|%\w+%|\$\(")
_NAMED_LIKE_A_TRAINER = re.compile(r"(\w*train\w*|fine_tune\w*|train_db)\.py")
LISTS = frozenset({"network_args", "optimizer_args", "lr_scheduler_args", "text_encoder_lr", "base_weights", "base_weights_multiplier"})


def from_command(path: Path) -> Found:
    """The options of a file's first training.

    Raises:
        SettingsError: it has none, or is not a script that closes its quotes.
    """
    try:
        read = _reader(path)
    except ValueError as error:
        raise SettingsError(
            f"{path} cannot be read as a script, because {error}. Close them.", code="import.script", path=str(path)
        ) from error
    commands = [command for words in read.commands if (command := _training(words)) is not None]
    if not commands:
        apart = f" apart from what could not be decided ({', '.join(read.unread[:3])})" if read.unread else ""
        raise SettingsError(
            f"{path} has no training of a LoRA with sd-scripts in it{apart}. Give a command with one of {', '.join(SCRIPTS)}.",
            code="import.form", path=str(path),
        )  # fmt: skip
    before, script, after = commands[0]
    if script not in SCRIPTS:
        raise SettingsError(
            f"{path} runs {script}, whose settings are not read. Give a command of {', '.join(SCRIPTS)}, or start from scratch: lorasmith new.",
            code="import.script",
            path=str(path),
        )
    options = options_of(after)
    if not options:
        raise SettingsError(
            f"{path} runs {script} without an option. Give the command with its options.", code="import.script", path=str(path)
        )
    found = Found(f"a command for {script}")
    found.unused = {f"accelerate launch --{name}": "it is for the launcher; Lorasmith starts by itself" for name in options_of(before)}
    found.notes += [f"What the script does where {condition} was not read." for condition in read.unread]
    found.notes += [f"The loop over {variable} runs several times; this is its first turn." for variable in read.loops]
    if len(commands) > 1:
        found.notes.append(f"The file has {len(commands)} trainings; this is the first.")
    if name := options.pop("config_file", None):
        place, tree = named_tree(str(name), path, read.files)
        config = from_toml(tree, place, read.files, with_its_dataset="dataset_config" not in options)
        found.options, found.subsets = config.options, config.subsets
        found.unused |= config.unused
        found.notes += [f"With the configuration {place}.", *config.notes]
    found.options = {**found.options, **options}
    found.of_command = tuple(options)
    found.family = family_of_script(script, str(found.options.get("model_type", "")))
    left_open = sorted(name for name, value in found.options.items() if isinstance(value, str) and _VARIABLE.search(value))
    found.notes += [
        f"{name} contains a variable that the file does not set: {without_secrets(found.options[name], name)}." for name in left_open
    ]
    return with_dataset(found, path, read.files)


def _reader(path: Path) -> Script:
    """The script, read as its ending says, or as its text does."""
    suffix = path.suffix.lower()
    if suffix == ".ipynb":
        return read_notebook(read_json(path), path)
    text = read_text(path).replace("\r\n", "\n")
    if suffix == ".ps1" or (suffix == ".txt" and re.search(r"`[ \t]*\n", text)):
        return read_powershell(text)
    if suffix in (".bat", ".cmd") or re.search(r"\^[ \t]*\n", text):
        return read_batch(text)
    if suffix == ".txt" and re.search(r"\b[A-Za-z]:\\", text):
        return read_batch(re.sub(r"\\[ \t]*\n", " ", text))
    return read_shell(text)


def _training(words: list[str]) -> tuple[list[str], str, list[str]] | None:
    """(words before the script, its name, words after it) where a command trains something."""
    for n, word in enumerate(words):
        script = re.split(r"[\\/]", word)[-1]
        if _NAMED_LIKE_A_TRAINER.fullmatch(script):
            return words[:n], script, words[n + 1 :]
    return None


def options_of(words: list[str]) -> dict[str, Any]:
    """--name value, --name=value, --name a b c, and --flag; a name given twice counts as given last."""
    options: dict[str, Any] = {}
    name = ""
    for word in words:
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            options[name] = [value] if equals else []
        elif name:
            options[name].append(word)
    return {
        name: values if name in LISTS else True if not values else typed(values[0]) if len(values) == 1 else " ".join(values)
        for name, values in options.items()
    }
