"""What sd-scripts calls each of our settings, for people who know it by that name.

The importer is the one source: each option that it knows is read by itself, with values of several kinds and for one family after the
other, until settings come of it: these are what it is called here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from lorasmith.errors import SettingsError
from lorasmith.models.families import FAMILIES
from lorasmith.training.importers.found import Found
from lorasmith.training.importers.sd_scripts import draft_of
from lorasmith.training.importers.sd_scripts_network import NETWORK_ARGS
from lorasmith.training.importers.sd_scripts_options import OPTIONS
from lorasmith.training.settings.tree import setting_names

_VALUES = (1, 0.5, True, "cosine", "AdamW", "bf16", "euler", "networks.lora", "tensorboard")
"""A number, a share, a switch, and names of the things that options name: one of them is a value of each option."""
_FOLDER = {"image_dir": "pictures", "num_repeats": 2, "is_reg": True, "conditioning_data_dir": "masks"}


@cache
def names_in_sd_scripts() -> Mapping[str, tuple[str, ...]]:
    """Our name of a setting -> sd-scripts' options that set it, where they are called otherwise; `datasets.repeats` for each folder's."""
    found: dict[str, dict[str, None]] = {}
    known = {*setting_names()}
    for option, ours in _carried():
        if ours in known and option != ours.rpartition(".")[2]:
            found.setdefault(ours, {})[option] = None
    return {ours: tuple(options) for ours, options in found.items()}


def _carried() -> Iterator[tuple[str, str]]:
    """(sd-scripts' option, our setting) for all that the importer carries over."""
    families = [None, *(name for name, each in FAMILIES.items() if each.sd_scripts)]
    for option in OPTIONS:
        tried = (Found("", {"sample_prompts": "a", option: value}, family=family) for family in families for value in _VALUES)
        yield from ((option, ours) for ours in _first(tried, option))
    for argument in NETWORK_ARGS:
        tried = (Found("", {"network_args": [f"{argument}={value}"]}, family=family) for family in families for value in _VALUES)
        yield from ((argument, ours) for ours in _first(tried, f"network_args {argument}"))
    for option in _FOLDER:
        yield from ((option, ours) for ours in _first([Found("", subsets=[_FOLDER])], option))


def _first(tried: Iterable[Found], theirs: str) -> list[str]:
    """What an option becomes with the first value that it takes."""
    return next((settings for found in tried if (settings := _settings_of(found, theirs))), [])


def _settings_of(found: Found, theirs: str) -> list[str]:
    try:
        _, draft, _, _ = draft_of(found, Path("settings.toml"))
    except SettingsError:  # nothing came of it
        return []
    return [
        ".".join(part for part in each.ours.split(".") if not part.isdigit()) for each in draft.carried.values() if each.theirs == theirs
    ]
