"""Settings of sd-scripts and of the kohya_ss GUI.

`sd_scripts_files` reads the file, `sd_scripts_options` holds the tables. An option is in one of them, or has the name of a setting of
ours; what the file leaves out and sd-scripts fills in otherwise than we do is filled in as there.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lorasmith.dataset_folder import CAPTION_SUFFIXES
from lorasmith.errors import LorasmithError, SettingsError
from lorasmith.models.families import FAMILIES
from lorasmith.models.open import detect_family
from lorasmith.training.importers.draft import Check, Draft
from lorasmith.training.importers.found import Found, family_of_options, switch
from lorasmith.training.importers.sd_scripts_files import read_settings_file
from lorasmith.training.importers.sd_scripts_folders import OF_FOLDERS, take_folders
from lorasmith.training.importers.sd_scripts_options import DEFAULTS, LEFT, OPTIONS, drop_rates, finds_own_rate
from lorasmith.training.importers.sd_scripts_rows import SdScriptsDraft, our_name
from lorasmith.training.settings.checks import check_fits_base, check_together
from lorasmith.training.settings.tree import Settings, setting_names

OFF: tuple[Any, ...] = (None, "", False, 0, [], "no", "none")
"""Values of options that ask for nothing."""


def read_sd_scripts(file: Path) -> tuple[str, Draft, Check, Sequence[str]]:
    """A file of sd-scripts or of the kohya_ss GUI as a draft.

    Raises:
        SettingsError: it cannot be read, or is none of theirs.
    """
    return draft_of(read_settings_file(file), file)


def draft_of(found: Found, file: Path) -> tuple[str, Draft, Check, Sequence[str]]:
    """What a file of sd-scripts holds as a draft; raises SettingsError where it holds no option."""
    found.file = file
    draft = SdScriptsDraft(found=found, off=list(found.off))
    for option, why in found.unused.items():
        draft.leave(option, None, why)
    _complete_names(found)
    found.family = (
        found.family or family_of_options(found.options) or _family_of_base(str(found.options.get("pretrained_model_name_or_path") or ""))
    )
    take_folders(draft)
    if finds_own_rate(found.options):
        drop_rates(draft, found.options, found.called)
    for option, value in list(found.options.items()):
        _take(draft, option, value)
    if not draft.carried and not draft.of("import.not_carried"):
        raise SettingsError(
            f"{file} has no option of sd-scripts in it. Give the file with its settings.", code="import.form", path=str(file)
        )
    unknown = draft.of("import.unknown")
    if len(unknown) > max(2, len({*draft.carried, *draft.off}) + len(draft.of("import.not_carried"))) and not found.of_command:
        first, more = ", ".join(each.subjects[0] for each in unknown[:3]), f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        raise SettingsError(
            f"{file} is not of sd-scripts, which does not know its options {first}{more}. Give settings of a trainer that is read "
            "(lorasmith import-settings --help), or start from scratch: lorasmith new.",
            code="import.form", path=str(file),
        )  # fmt: skip
    if found.is_training:
        _fill_in(draft)
        if not {"caption_extension", "caption_extention"} & {
            *found.options,
            *found.not_held,
            *(name for subset in found.subsets for name in subset),
        }:
            found.notes.append(
                f"caption_extension is left out, so that sd-scripts reads captions in .caption alone; here they are read from {', '.join(CAPTION_SUFFIXES)}."
            )
    else:
        draft.put("(not in the file)", "training.epochs", 10, "it does not say how long to train; 10 is usual")
    return found.form, draft, lambda settings: _warnings(settings, found), found.notes


def _family_of_base(path: str) -> str | None:
    """The family of a base that is here; None where it is not, or is not one that sd-scripts trains."""
    if not path or not Path(path).exists():
        return None
    try:
        family = detect_family(path)
    except LorasmithError:
        return None
    return family if FAMILIES[family].sd_scripts is not None else None


def _warnings(settings: Settings, found: Found) -> list[str]:
    warnings = [finding.message for finding in check_together(settings)]
    if found.is_training:
        check_fits_base(settings, "flow" if found.is_flow else settings.base.prediction_type or "epsilon")
    return warnings


def _take(draft: SdScriptsDraft, option: str, value: Any) -> None:
    """One option into the draft, by its row, by its name, or with the reason why not."""
    theirs = draft.found.called.get(option, option)
    row, ours = OPTIONS.get(option), our_name(option)
    value = switch(value)
    if value is None or value in ("", []):
        draft.off.append(theirs)
    elif option in OF_FOLDERS and ours is None:
        for number in draft.folders:
            draft.put(theirs, f"datasets.{number}.{option}", value)
    elif row is not None:
        before = draft.made
        try:
            row(draft, theirs, value)
        except (ValueError, TypeError, IndexError, AttributeError, OverflowError):
            draft.leave(theirs, value, "its value cannot be read; set it by hand")
        if draft.made == before:
            draft.off.append(theirs)
    elif ours is not None:
        draft.put(theirs, ours, value)
    elif option not in LEFT:
        near = difflib.get_close_matches(option, [*OPTIONS, *LEFT, *_names()], n=1, cutoff=0.8)
        meant = f"; {near[0]}, perhaps" if near else ""
        draft.unknown(theirs, value, f"no option of sd-scripts that Lorasmith knows{meant}")
    elif value in OFF or value == LEFT[option][1]:
        draft.off.append(theirs)
    else:
        draft.leave(theirs, value, LEFT[option][0])


def _complete_names(found: Found) -> None:
    """Options of a command of which only the beginning is given, where it means one alone, as argparse has it."""
    known = {*OPTIONS, *LEFT, *_names(), "train_data_dir", "reg_data_dir", "dataset_config"}
    for option in found.of_command:
        longer = [name for name in known if name.startswith(option)]
        if option not in known and len(longer) == 1 and longer[0] not in found.of_command:
            found.options[longer[0]] = found.options.pop(option)
            found.called[longer[0]] = option


def _names() -> list[str]:
    """Last names of all settings."""
    return [name.split(".")[-1] for name in setting_names()]


def _fill_in(draft: SdScriptsDraft) -> None:
    """What is left out means their default, where that is another than ours."""
    known = draft.found.sd_scripts
    own = {option: (default, lambda *_: True) for option, default in known.defaults.items()} if known else {}
    for option, (default, applies) in {**DEFAULTS, **own}.items():
        is_left_out = draft.options.get(option) in (None, "") and option not in draft.found.not_held
        if default is not None and is_left_out and applies(draft.options, draft.found):
            before = dict(draft.carried)
            _take(draft, option, default)
            for ours, each in draft.carried.items():
                if before.get(ours) != each:
                    why = f"left out, which means {default} there"
                    draft.carried[ours] = replace(each, why=f"{why}; {each.why}" if each.why else why)
