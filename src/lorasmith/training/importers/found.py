"""What a file of sd-scripts or of its front ends holds, as options under sd-scripts' names, and the values that its texts stand for."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lorasmith.models.families import FAMILIES
from lorasmith.models.family import SdScripts
from lorasmith.models.open import SEPARATE_PARTS

SD_TRAINER = "SD-Trainer"
"""The page of lora-scripts, whose files name what is trained as `model_train_type`."""

SCRIPTS: Mapping[str, tuple[str, ...]] = {
    script: tuple(name for name, family in FAMILIES.items() if family.sd_scripts and family.sd_scripts.script == script)
    for script in dict.fromkeys(family.sd_scripts.script for family in FAMILIES.values() if family.sd_scripts)
}
"""Script -> the families that it trains, the usual one first."""


def family_of_script(script: str, model_type: str) -> str | None:
    """The family that a script trains with this option --model_type ("": left out); None where only the base tells."""
    families = SCRIPTS[script]
    types = {FAMILIES[name].sd_scripts.model_type: name for name in families}  # type: ignore[union-attr]
    return types.get(model_type, families[0]) if len(types) == len(families) else None


def family_of_options(options: Mapping[str, Any]) -> str | None:
    """The family that options of no known script are for: SD-Trainer names it, or the network's module or the parts of the base are its own.

    None where only the base tells.
    """
    named = [name for name, family in FAMILIES.items() if options.get("model_train_type") in family.called_elsewhere.get(SD_TRAINER, ())]
    if len(named) == 1:
        return named[0]
    known = (family.sd_scripts for family in FAMILIES.values())
    scripts = {each.script for each in known if each is not None and _is_for(each, options)}
    return family_of_script(scripts.pop(), str(options.get("model_type") or "")) if len(scripts) == 1 else None


def _is_for(family: SdScripts, options: Mapping[str, Any]) -> bool:
    parts = [option for option, ours in family.options.items() if ours.removeprefix("base.") in SEPARATE_PARTS]
    has_its_parts = bool(parts) and all(options.get(option) for option in parts)
    return has_its_parts or options.get("network_module") == family.network_module != SdScripts.network_module


@dataclass
class Found:
    """What a file holds."""

    form: str
    """What kind of file it is, in words."""
    options: dict[str, Any] = field(default_factory=dict)
    """sd-scripts' name of an option -> its value, numbers and booleans as such."""
    called: dict[str, str] = field(default_factory=dict)
    """Option -> what the file calls it, where that differs."""
    subsets: list[dict[str, Any]] = field(default_factory=list)
    """The folders of a dataset configuration, each with all options that hold for it."""
    file: Path = Path()
    """Where it is, which other files may be beside."""
    family: str | None = None
    """Family of the base, where the file tells."""
    is_training: bool = True
    """Whether it describes a training, so that what is left out has sd-scripts' default; a dataset configuration alone does not."""
    not_held: frozenset[str] = frozenset()
    """Options that such a file never holds, so that leaving them out says nothing."""
    unused: dict[str, str] = field(default_factory=dict)
    """Option -> why it does nothing there."""
    off: list[str] = field(default_factory=list)
    """Options that are empty, 0 or false, as the file calls them, and so do nothing."""
    notes: list[str] = field(default_factory=list)
    of_command: tuple[str, ...] = ()
    """Options of a command, which argparse takes in part, too: --max_train_epoch."""

    @property
    def sd_scripts(self) -> SdScripts | None:
        """What sd-scripts does for the family; None where that is not known."""
        return FAMILIES[self.family].sd_scripts if self.family is not None else None

    @property
    def is_flow(self) -> bool:
        """Whether the base is known to be a flow model."""
        return self.family is not None and FAMILIES[self.family].is_flow


def switch(value: Any) -> Any:
    """true or false that was written as text, as such; everything else as it is."""
    return {"true": True, "false": False}.get(value.strip().lower(), value) if isinstance(value, str) else value


def typed(value: Any) -> Any:
    """A number or boolean that was written as text, as such; everything else as it is."""
    if not isinstance(value, str):
        return value
    if isinstance(switch(value), bool):
        return switch(value)
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def words_of(value: Any) -> list[str]:
    """Arguments such as `conv_dim=8 algo=lokr`, from a list or from one text."""
    if isinstance(value, str):
        try:
            return shlex.split(value)
        except ValueError:
            return value.split()
    return [str(word) for word in value] if isinstance(value, list | tuple) else [str(value)]
