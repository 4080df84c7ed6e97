"""Settings of sd-scripts and of the kohya_ss GUI become ours, and nothing of them is lost in silence.

    imported = import_settings(Path("config_lora.json"))
    imported.settings            # ours, complete; None where they cannot be (imported.fault says why)
    imported.carried             # theirs -> ours, with the reason where the value had to change
    imported.left                # what it did there, and why it has no place here
    imported.unknown             # options that nobody knows, a typing error perhaps

`sd_scripts_files` reads the file, `sd_scripts_options` holds the tables. An option stands in one of them, or bears the name of a
setting of ours; what the file leaves out and sd-scripts fills in otherwise than we do is filled in as there. In the end the settings
are checked as a run would check them: what then turns out to have no effect here is taken out again and listed with that reason.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lorasmith.datasets.settings import DatasetSettings
from lorasmith.errors import SettingsError
from lorasmith.models.files.hub import is_hub_id
from lorasmith.training.importers.sd_scripts_files import Found, read_settings_file
from lorasmith.training.importers.sd_scripts_options import DEFAULTS, LEFT, OPTIONS, our_name
from lorasmith.training.settings.checks import check_fits_base, check_together
from lorasmith.training.settings.tree import Settings, setting_names, settings_from

OFF: tuple[Any, ...] = (None, "", False, 0, [], "no", "none")
"""Values of options that ask for nothing."""


@dataclass(frozen=True)
class Carried:
    """An option that became a setting."""

    theirs: str
    ours: str
    value: Any
    why: str = ""
    """Why the value is another than theirs; "" where it is the same."""


@dataclass(frozen=True)
class Left:
    """An option that did not become a setting, and why."""

    theirs: str
    value: Any
    why: str


@dataclass
class Draft:
    """Settings in the making. The rows of `sd_scripts_options` work on it."""

    found: Found
    carried: list[Carried] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    unknown: list[Left] = field(default_factory=list)
    off: list[str] = field(default_factory=list)

    @property
    def options(self) -> Mapping[str, Any]:
        return self.found.options

    @property
    def folders(self) -> list[int]:
        """Numbers of the folders so far."""
        return sorted({int(each.ours.split(".")[1]) for each in self.carried if each.ours.startswith("datasets.")})

    @property
    def made(self) -> tuple[list[Carried], int, int]:
        """What rows change."""
        return list(self.carried), len(self.left), len(self.off)

    def put(self, theirs: str, ours: str, value: Any, why: str = "") -> None:
        """A setting; the later option counts where two mean the same."""
        for before in [each for each in self.carried if each.ours == ours]:
            self.carried.remove(before)
            if before.value != value:
                self.leave(before.theirs, before.value, f"{theirs} decides")
        self.carried.append(Carried(theirs, ours, value, why))

    def leave(self, theirs: str, value: Any, why: str) -> None:
        self.left.append(Left(theirs, value, why))

    def tree(self, without: Carried | None = None) -> dict[str, Any]:
        """The settings as nested sections."""
        tree: dict[str, Any] = {}
        folders: dict[int, dict[str, Any]] = {}
        for each in self.carried:
            if each is without:
                continue
            *section, name = each.ours.split(".")
            if section[:1] == ["datasets"]:
                folders.setdefault(int(section[1]), {})[name] = each.value
            elif section[:2] == ["optimizer", "args"]:
                tree.setdefault("optimizer", {}).setdefault("args", {})[name] = each.value
            elif section:
                tree.setdefault(section[0], {})[name] = each.value
            else:
                tree[name] = each.value
        return tree | ({"datasets": [folders[n] for n in sorted(folders)]} if folders else {})


@dataclass(frozen=True)
class Imported:
    """What became of a file."""

    file: Path
    form: str
    settings: Settings | None
    fault: str
    """Why there are no settings, or why a run would refuse them; "" where all is well."""
    carried: tuple[Carried, ...]
    left: tuple[Left, ...]
    unknown: tuple[Left, ...]
    off: tuple[str, ...]
    """Options that are there and ask for nothing: empty, 0 or false."""
    missing: tuple[str, ...]
    """Paths that are not on this machine, a sentence each; they are kept."""
    warnings: tuple[str, ...]


def import_settings(file: str | Path, base: str | Path | None = None, datasets: Sequence[str | Path] = ()) -> Imported:
    """Settings from a file of sd-scripts or of the kohya_ss GUI, and what became of each of its options.

    Parameters
    ----------
    file
        What the GUI saved (`.json`), a `--config_file` or `--dataset_config` (`.toml`), or a script with the command.
    base, datasets
        Count before those in the file; a dataset configuration alone names no base.

    Raises
    ------
    SettingsError
        The file cannot be read, or is none of theirs.

    Examples
    --------
    >>> imported = ls.import_settings("theirs.toml", base="base", datasets=["my-set"])
    >>> imported.settings.network.rank
    16
    """
    file = Path(file)
    found = read_settings_file(file)
    draft = Draft(found, off=list(found.off))
    for option, why in found.unused.items():
        draft.leave(option, None, why)
    _take_datasets(draft)
    for option, value in list(found.options.items()):
        _take(draft, option, value)
    if found.is_training:
        _fill_in(draft)
    else:
        draft.put("(not in the file)", "training.epochs", 10, "a dataset configuration does not say how long to train; 10 is usual")
    if base is not None:
        draft.put("(given beside the file)", "base.path", str(base))
    if datasets:
        for each in [each for each in draft.carried if each.ours.startswith("datasets.")]:
            draft.carried.remove(each)
            draft.leave(each.theirs, each.value, "other datasets are given beside the file")
        for number, path in enumerate(datasets):
            draft.put("(given beside the file)", f"datasets.{number}.path", str(path))
    settings, fault, warnings = _settled(draft)
    return Imported(
        file, found.form, settings, fault, tuple(draft.carried), tuple(draft.left), tuple(draft.unknown), tuple(draft.off),
        tuple(_missing(draft)), (*found.notes, *warnings),
    )  # fmt: skip


def _take(draft: Draft, option: str, value: Any) -> None:
    """One option into the draft, by its row, by its name, or with the reason why not."""
    theirs = draft.found.called.get(option, option)
    row, ours = OPTIONS.get(option), our_name(option)
    if value is None or value in ("", []):
        draft.off.append(theirs)
    elif option in _OF_FOLDERS and ours is None:
        for number in draft.folders:
            draft.put(theirs, f"datasets.{number}.{option}", value)
    elif row is not None:
        before = draft.made
        try:
            row(draft, theirs, value)
        except (ValueError, TypeError, IndexError):
            draft.leave(theirs, value, "its value cannot be read; set it by hand")
        if draft.made == before:
            draft.off.append(theirs)
    elif ours is not None:
        draft.put(theirs, ours, value)
    elif option not in LEFT:
        near = difflib.get_close_matches(option, [*OPTIONS, *LEFT, *_names()], n=1, cutoff=0.8)
        draft.unknown.append(Left(theirs, value, f"no option of sd-scripts that Lorasmith knows{f'; {near[0]}, perhaps' if near else ''}"))
    elif value in OFF or value == LEFT[option][1]:
        draft.off.append(theirs)
    else:
        draft.leave(theirs, value, LEFT[option][0])


def _names() -> list[str]:
    """Last names of all settings."""
    return [name.split(".")[-1] for name in setting_names()]


def _fill_in(draft: Draft) -> None:
    """What is left out means their default, where that is another than ours."""
    for option, (default, applies) in DEFAULTS.items():
        if draft.options.get(option) in (None, "") and applies(draft.options, draft.found):
            before = list(draft.carried)
            _take(draft, option, default)
            for n, each in enumerate(draft.carried):
                if each not in before:
                    why = f"left out, which means {default} there"
                    draft.carried[n] = replace(each, why=f"{why}; {each.why}" if each.why else why)


# -- folders ----------------------------------------------------------------------------------------------------------

_OF_FOLDERS = frozenset(DatasetSettings.model_fields) - {"path", "repeats", "is_reg"}
"""Options that each folder may have for itself here; some of them can be said of all at once, too."""
_OF_SUBSET = ("image_dir", "num_repeats", "is_reg", "class_tokens", "metadata_file", "conditioning_data_dir", "caption_extension")


def _take_datasets(draft: Draft) -> None:
    """The folders; what holds for all of them alike becomes an option of the whole."""
    subsets = draft.found.subsets
    for number, subset in enumerate(subsets):
        where = f"subset {number + 1}: " if len(subsets) > 1 else ""
        if "image_dir" in subset:
            draft.put(f"{where}image_dir", f"datasets.{number}.path", subset["image_dir"])
            repeats = subset.get("num_repeats", 1)
            draft.put(f"{where}num_repeats", f"datasets.{number}.repeats", repeats)
        else:
            draft.leave(f"{where}metadata_file", subset.get("metadata_file"), "captions in one JSON; bring them in with: lorasmith import")
        if subset.get("is_reg"):
            draft.put(f"{where}is_reg", f"datasets.{number}.is_reg", True)
        if subset.get("class_tokens"):
            draft.leave(
                f"{where}class_tokens",
                subset["class_tokens"],
                "it stands in for missing captions; name the folder N_name, or write captions",
            )
        if subset.get("conditioning_data_dir"):
            draft.put(
                f"{where}conditioning_data_dir",
                f"datasets.{number}.mask_path",
                subset["conditioning_data_dir"],
                "its grey pictures are masks",
            )
    shared = dict.fromkeys(name for subset in subsets for name in subset if name not in _OF_SUBSET[:-1])
    for name in shared:
        values = [subset.get(name) for subset in subsets]
        if any(value != values[0] for value in values):
            if name not in _OF_FOLDERS:
                draft.leave(
                    f"{name} of the other subsets", values[1:], "Lorasmith has one value for all folders; that of the first is taken"
                )
            else:
                of_all = None if None in values or our_name(name) is None else values[0]
                for number, value in enumerate(values):
                    if value not in (None, of_all):
                        draft.put(f"subset {number + 1}: {name}", f"datasets.{number}.{name}", value)
                if of_all is None:
                    continue
        draft.found.options[name] = values[0]
    for option, is_reg in (("train_data_dir", False), ("reg_data_dir", True)):
        if option not in draft.options:
            continue
        if folder := draft.found.options.pop(option):
            number = len(draft.folders)
            draft.put(option, f"datasets.{number}.path", folder)
            if is_reg:
                draft.put(option, f"datasets.{number}.is_reg", True)
        else:
            draft.off.append(option)


# -- at the end -------------------------------------------------------------------------------------------------------


def _settled(draft: Draft) -> tuple[Settings | None, str, list[str]]:
    """The settings, what a run would still refuse them for, and its warnings; what has no effect here is taken out and listed."""
    while True:
        try:
            settings = Settings.model_validate(draft.tree())
        except ValidationError as error:
            culprit = _of_place(draft, error.errors(include_url=False)[0]["loc"])
            reason = _refusal(draft.tree(), draft)
            if culprit is None:
                return None, reason, []
            draft.carried.remove(culprit)
            draft.leave(culprit.theirs, culprit.value, f"Lorasmith refuses it: {reason}")
            continue
        try:
            return settings, "", _checked(settings, draft)
        except SettingsError as error:
            named = sorted((place, n) for n, each in enumerate(draft.carried) if (place := _place_in(str(error), each.ours)) >= 0)
            culprit = next(
                (draft.carried[n] for _, n in named if _helps(draft, draft.carried[n], str(error))), None
            )  # what is at fault is named first
            if culprit is None:
                return settings, str(error), []
            draft.carried.remove(culprit)
            draft.leave(culprit.theirs, culprit.value, str(error))


def _place_in(sentence: str, setting: str) -> int:
    """Where a sentence names a setting (and not one that begins alike); -1 where it does not."""
    found = re.search(rf"(?<![\w.]){re.escape(setting)}(?![\w.]*\w)", sentence)
    return found.start() if found else -1


def _checked(settings: Settings, draft: Draft) -> list[str]:
    warnings = [finding.message for finding in check_together(settings)]
    if draft.found.is_training:
        check_fits_base(settings, "flow" if draft.found.family == "flux" else settings.base.prediction_type or "epsilon")
    return warnings


def _helps(draft: Draft, each: Carried, complaint: str) -> bool:
    """Whether the complaint is gone without this setting."""
    try:
        _checked(Settings.model_validate(draft.tree(without=each)), draft)
    except SettingsError as error:
        return str(error) != complaint
    except ValidationError:
        return False
    return True


def _of_place(draft: Draft, place: tuple[int | str, ...]) -> Carried | None:
    """The setting that a fault is in."""
    words = [str(part) for part in place]
    return next((each for each in draft.carried if each.ours.split(".") == words[: len(each.ours.split("."))]), None)


def _refusal(tree: dict[str, Any], draft: Draft) -> str:
    if not tree.get("base", {}).get("path"):
        return "the file names no base model; give one with --base"
    if not tree.get("datasets"):
        return "the file names no folder of pictures; give one with --dataset"
    try:
        settings_from(tree, "its settings")
    except SettingsError as error:
        return str(error)
    return ""


def _missing(draft: Draft) -> list[str]:
    found = []
    for each in draft.carried:
        is_path = each.ours in ("base.path", "base.vae", "base.text_encoder", "base.text_encoder_2", "network.weights") or (
            each.ours.startswith("datasets.") and each.ours.endswith(".path")
        )
        if is_path and not Path(each.value).exists() and not (each.ours == "base.path" and is_hub_id(str(each.value))):
            found.append(f"{each.ours} is {each.value}, which is not here; change it")
    return found
