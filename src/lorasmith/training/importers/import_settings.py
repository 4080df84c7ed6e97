"""Settings of other trainers become ours, and nothing of them is lost in silence.

    imported = import_settings(Path("config_lora.json"))
    imported.settings            # ours, complete; None where they cannot be (imported.fault says why)
    imported.carried             # theirs -> ours, with the reason where the value had to change
    imported.findings            # what was not carried over and why, what nobody knows, what is missing on this machine

An importer is a function from a file to a draft, and one line in `IMPORTERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lorasmith.findings import Finding
from lorasmith.models.files.hub import is_hub_id
from lorasmith.models.open import SEPARATE_PARTS
from lorasmith.secrets import without_secrets
from lorasmith.training.importers.ai_toolkit import read_ai_toolkit
from lorasmith.training.importers.draft import Carried, Check, Draft, settled
from lorasmith.training.importers.easy_scripts import read_easy_scripts
from lorasmith.training.importers.lora_file import read_lora_file
from lorasmith.training.importers.onetrainer import read_onetrainer
from lorasmith.training.importers.own_settings import read_own_settings
from lorasmith.training.importers.sd_scripts import read_sd_scripts
from lorasmith.training.importers.simpletuner import read_simpletuner
from lorasmith.training.settings.tree import Settings

Importer = Callable[[Path], tuple[str, Draft, Check, Sequence[str]] | None]
"""A file to (its form in words, draft, check, notes); None where it is for another importer."""

IMPORTERS: dict[str, Importer] = {
    "sd-scripts": read_sd_scripts,
    "LoRA_Easy_Training_Scripts": read_easy_scripts,
    "SimpleTuner": read_simpletuner,
    "OneTrainer": read_onetrainer,
    "ai-toolkit": read_ai_toolkit,
    "LoRA files": read_lora_file,
    "Lorasmith": read_own_settings,
}
"""Trainer -> its importer. They are asked from the last to the first; the first takes every file, and says what is wrong with it."""

GIVEN = "(given beside the file)"


@dataclass(frozen=True)
class Imported:
    """What became of a file."""

    file: Path
    form: str
    settings: Settings | None
    fault: str
    """Why there are no settings, or why a run would refuse them; "" where all is well."""
    carried: tuple[Carried, ...]
    findings: tuple[Finding, ...]
    off: tuple[str, ...]
    """Options that are there and ask for nothing: empty, 0 or false."""

    def of(self, code: str) -> list[Finding]:
        """The findings with this code."""
        return [finding for finding in self.findings if finding.code == code]

    @property
    def as_data(self) -> dict[str, Any]:
        """For --json, without the settings themselves."""
        return {
            "file": str(self.file), "form": self.form, "fault": self.fault, "carried": [without_secrets(asdict(each)) for each in self.carried],
            "findings": [finding.as_data for finding in self.findings], "off": list(self.off),
        }  # fmt: skip


def import_settings(file: str | Path, base: str | Path | None = None, datasets: Sequence[str | Path] = ()) -> Imported:
    """Settings from a file of another trainer, and what became of each of its options.

    Parameters
    ----------
    file
        What the kohya_ss GUI saved (`.json`), sd-scripts' `--config_file` or `--dataset_config` (`.toml`), or a script with the command;
        a job of ai-toolkit (`.yaml`), settings of OneTrainer or SimpleTuner (`.json`) or of LoRA_Easy_Training_Scripts (`.toml`);
        a settings file of our own (`.toml`); or a LoRA file (`.safetensors`) with its training in its metadata.
    base, datasets
        Count before those in the file; a dataset configuration alone names no base.

    Raises
    ------
    SettingsError
        The file cannot be read, or belongs to no trainer that is known.

    Examples
    --------
    >>> imported = ls.import_settings("theirs.toml", base="base", datasets=["my-set"])
    >>> imported.settings.network.rank
    16
    """
    file = Path(file)
    form, draft, check, notes = next(found for importer in reversed(IMPORTERS.values()) if (found := importer(file)) is not None)
    if base is not None:
        draft.put(GIVEN, "base.path", str(base))
    if datasets:
        for each in [each for each in draft.carried.values() if each.ours.startswith("datasets.")]:
            draft.remove(each, "other datasets are given beside the file")
        for number, path in enumerate(datasets):
            draft.put(GIVEN, f"datasets.{number}.path", str(path))
    settings, fault, warnings = settled(draft, check)
    findings = (*draft.findings, *_missing(draft), *(_note(message) for message in (*notes, *warnings)))
    return Imported(file, form, settings, fault, tuple(draft.carried.values()), findings, tuple(draft.off))


def _missing(draft: Draft) -> list[Finding]:
    """Paths that are not on this machine; they are kept."""
    found = []
    for each in draft.carried.values():
        is_path = each.ours in ("base.path", *(f"base.{part}" for part in SEPARATE_PARTS), "network.weights") or (
            each.ours.startswith("datasets.") and each.ours.endswith(".path")
        )
        if is_path and not Path(each.value).exists() and not (each.ours == "base.path" and is_hub_id(str(each.value))):
            found.append(
                Finding(
                    code="import.missing_path",
                    severity="warning",
                    message=f"{each.ours} is {without_secrets(str(each.value))}, which is not here. Change it.",
                    about="setting",
                    subjects=(each.ours,),
                )
            )
    return found


def _note(message: str) -> Finding:
    return Finding(code="import.note", severity="note", message=without_secrets(message), about="file")
