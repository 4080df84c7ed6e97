"""The folders of sd-scripts, each with what holds for it alone.

An option holds for a folder as the nearest place gives it: its subset, its dataset, [general], the command. What all folders have alike is
an option of the whole. What they have differently becomes each folder's own setting; where Lorasmith has none for a folder, the option is
listed with the folder that it was for, and no other folder gets it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PureWindowsPath
from typing import Any

from lorasmith.datasets.settings import DatasetSettings
from lorasmith.training.importers.found import switch
from lorasmith.training.importers.sd_scripts_options import LEFT, OPTIONS
from lorasmith.training.importers.sd_scripts_rows import SdScriptsDraft, our_name

OF_FOLDERS = frozenset(DatasetSettings.model_fields) - {"path", "repeats", "is_reg", "masked_loss"}
"""Options that each folder may have for itself here; some of them can be said of all at once, too."""

LEFT_OUT: Mapping[str, Any] = {
    "color_aug": False, "face_crop_aug_range": None, "flip_aug": False, "keep_tokens": 0, "random_crop": False, "shuffle_caption": False,
    "caption_prefix": None, "caption_suffix": None, "caption_separator": ",", "keep_tokens_separator": None, "secondary_separator": None,
    "enable_wildcard": False, "resize_interpolation": None, "token_warmup_min": 1, "token_warmup_step": 0, "caption_dropout_rate": 0,
    "caption_dropout_every_n_epochs": 0, "caption_tag_dropout_rate": 0, "caption_extension": None, "cache_info": False, "alpha_mask": False,
    "custom_attributes": None, "validation_split": 0, "validation_seed": None, "batch_size": 1, "bucket_no_upscale": False,
    "bucket_reso_steps": 64, "enable_bucket": False, "max_bucket_reso": 1024, "min_bucket_reso": 256, "resolution": None,
    "skip_image_resolution": None, "network_multiplier": 1.0,
}  # fmt: skip
"""Option of a subset or of a dataset -> what leaving it out means: sd-scripts, docs/config_README-en.md (063ef10) and
library/config_util.py (0253472)."""

_OF_THE_FOLDER = ("image_dir", "num_repeats", "is_reg", "class_tokens", "metadata_file", "conditioning_data_dir")
_OF_COMMAND = {"batch_size": "train_batch_size", "num_repeats": "dataset_repeats"}
"""Option of a subset -> what the command calls it, where that differs."""


def take_folders(draft: SdScriptsDraft) -> None:
    """All folders of the file, with the options that hold for them."""
    subsets = [{name: switch(value) for name, value in subset.items()} for subset in draft.found.subsets]
    labels = [_label(subset, number, len(subsets)) for number, subset in enumerate(subsets)]
    folders = [subset for subset in subsets if "image_dir" in subset]
    number = len(draft.folders)
    for subset, label in zip(subsets, labels, strict=True):
        _take_subset(draft, subset, number, label)
        number += "image_dir" in subset
    labels = [label for subset, label in zip(subsets, labels, strict=True) if "image_dir" in subset]
    for name in dict.fromkeys(name for subset in folders for name in subset if name not in _OF_THE_FOLDER):
        _take_option(draft, name, folders, labels)
    for option, is_reg in (("train_data_dir", False), ("reg_data_dir", True)):
        _take_data_dir(draft, option, is_reg)


def _label(subset: Mapping[str, Any], number: int, count: int) -> str:
    """What the options of a subset are called beside others'."""
    name = PureWindowsPath(str(subset.get("image_dir", ""))).name
    return f"subset {number + 1}{f' ({name})' if name else ''}: " if count > 1 else ""


def _take_data_dir(draft: SdScriptsDraft, option: str, is_reg: bool) -> None:
    if option not in draft.options:
        return
    if folder := draft.options.pop(option):
        number = len(draft.folders)
        draft.put(option, f"datasets.{number}.path", str(folder))
        if is_reg:
            draft.put(option, f"datasets.{number}.is_reg", True)
    else:
        draft.off.append(option)


def _take_subset(draft: SdScriptsDraft, subset: Mapping[str, Any], number: int, label: str) -> None:
    """Where the folder is, and what it has for itself alone."""
    ours = f"datasets.{number}"
    if subset.get("metadata_file"):
        draft.leave(f"{label}metadata_file", subset["metadata_file"], "captions in one JSON; bring them in with: lorasmith import")
    if subset.get("class_tokens"):
        why = "it stands in for missing captions; name the folder N_name, or write captions"
        draft.leave(f"{label}class_tokens", subset["class_tokens"], why)
    if "image_dir" not in subset:
        return
    draft.put(f"{label}image_dir", f"{ours}.path", str(subset["image_dir"]).replace("\\", "/"))
    draft.put(f"{label}num_repeats", f"{ours}.repeats", subset.get("num_repeats", draft.options.get("dataset_repeats", 1)))
    if subset.get("is_reg"):
        draft.put(f"{label}is_reg", f"{ours}.is_reg", True)
    if subset.get("conditioning_data_dir"):
        draft.put(f"{label}conditioning_data_dir", f"{ours}.mask_path", subset["conditioning_data_dir"], "its grey pictures are masks")


def _take_option(draft: SdScriptsDraft, name: str, folders: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> None:
    """An option that some folders have: of all at once where it holds for all alike, else of each where that can be."""
    if name not in LEFT_OUT:
        for folder, label in zip(folders, labels, strict=True):
            if name in folder:
                draft.unknown(f"{label}{name}", folder[name], "no option of sd-scripts for a folder, which would refuse the file")
        return
    of_command = switch(draft.options.get(_OF_COMMAND.get(name, name)))
    of_all = LEFT_OUT[name] if of_command is None else of_command
    values = [of_all if folder.get(name) is None else folder[name] for folder in folders]
    if all(value == values[0] for value in values):
        draft.options[name] = values[0]
    elif name in OF_FOLDERS:
        if our_name(name) is None and name not in OPTIONS:
            of_all = DatasetSettings.model_fields[name].default
            draft.options.pop(name, None)
        elif of_all not in values:
            of_all = draft.options[name] = values[0]
        for number, (value, label) in enumerate(zip(values, labels, strict=True)):
            if value != of_all:
                draft.put(f"{label}{name}", f"datasets.{number}.{name}", value)
    else:
        for value, label in zip(values, labels, strict=True):
            if value != of_all:
                draft.leave(f"{label}{name}", value, _why_left(name))


def _why_left(name: str) -> str:
    """What becomes of an option that a folder cannot have for itself here."""
    if name in LEFT:
        return LEFT[name][0]
    return f"a folder has none of its own here, and {our_name(name) or name} holds for all folders; it is not taken over, so that no other folder gets it"
