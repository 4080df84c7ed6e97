"""The metadata that sd-scripts writes into LoRA files (ss_*), as the options of the training that made them.

Every value is a string: `None`, `True`, numbers, and JSON for tables. It holds most options of a training, but neither where the base and the
folders are, nor what has no effect on the weights' meaning: samples, and when files are written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lorasmith.errors import SettingsError
from lorasmith.models.families import FAMILIES
from lorasmith.training.importers.found import Found, typed
from lorasmith.training.importers.sd_scripts_options import our_optimizer

NOT_HELD = (
    "Metadata does not hold where the base and the folders are (names alone), sample prompts, when files were written, "
    "and arguments of the schedule. Look at these settings."
)

NETWORK_ALONE = (
    "The metadata is of the network alone, as sd-scripts writes it with --no_metadata and tools that merge or resize leave it: rates, lengths, "
    "folders and all else are as Lorasmith has them."
)

_RENAMED = {
    "sd_model_name": "pretrained_model_name_or_path", "batch_size_per_device": "train_batch_size", "debiased_estimation": "debiased_estimation_loss",
    "vae_name": "vae",
}  # fmt: skip
"""What sd-scripts calls an option in metadata, without ss_ -> the option."""
_ABOUT_THE_FILE = frozenset({
    "base_model_version", "bucket_info", "dataset_dirs", "datasets", "epoch", "new_sd_model_hash", "new_vae_hash", "num_batches_per_epoch", "num_epochs",
    "num_reg_images", "num_train_images", "num_validation_images", "optimizer", "reg_dataset_dirs", "sd_model_hash", "sd_scripts_commit_hash", "session_id",
    "steps", "tag_frequency", "total_batch_size", "training_comment", "training_finished_at", "training_started_at", "v2", "vae_hash", "legacy_hash",
    "cache_latents", "lowram",
})  # fmt: skip
"""What is recorded beside the options, or is read by a function of its own."""
_OF_HUBER = ("huber_c", "huber_scale", "huber_schedule")
_DTYPES = {"F16": "fp16", "BF16": "bf16", "F32": "float"}


def found_in(metadata: Mapping[str, str], tensors: Mapping[str, str], file: Path) -> Found:
    """The options that a LoRA file records; `tensors` are its names with safetensors' dtypes.

    Raises:
        SettingsError: it was trained on a family that is not known here, or a table in it is damaged.
    """
    given = {name.removeprefix("ss_"): _value(text) for name, text in metadata.items() if name.startswith("ss_")}
    version = str(given.get("base_model_version") or "")
    found = Found("the metadata of a LoRA file that sd-scripts' names describe", family=_family(version, file))
    for name, value in given.items():
        if name not in _ABOUT_THE_FILE and value is not None:
            option = _RENAMED.get(name, name)
            found.options[option], found.called[option] = value, f"ss_{name}"
    _take_optimizer(found, str(given.get("optimizer") or ""))
    _take_network_args(found, _table(given.get("network_args"), "ss_network_args", file))
    _take_parts(found, tensors)
    _take_folders(found, given, file)
    if found.options.get("loss_type", "l2") == "l2":
        for name in _OF_HUBER:
            found.options.pop(name, None)
    if version.endswith("_v") or metadata.get("modelspec.prediction_type") == "v":
        found.options["v_parameterization"], found.called["v_parameterization"] = True, "ss_base_model_version"
    found.is_training = "learning_rate" in given
    if found.is_training:
        found.options.setdefault("min_snr_gamma", 0.0)
    else:
        found.notes.append(NETWORK_ALONE)
    dtypes = {dtype for dtype in tensors.values() if dtype in _DTYPES}
    if len(dtypes) == 1:
        found.options["save_precision"], found.called["save_precision"] = _DTYPES[dtypes.pop()], "(its tensors)"
    found.not_held = frozenset({"save_every_n_epochs", "sample_every_n_epochs", "caption_extension"})
    found.notes.append(NOT_HELD)
    return found


def _value(text: str) -> Any:
    """A value as Python wrote it."""
    return None if text in ("None", "") else typed(text)


def _family(version: str, file: Path) -> str | None:
    """The family of a base model version; None where the file does not say.

    Raises:
        SettingsError: the settings of such a family are not read.
    """
    if not version:
        return None
    for name, family in FAMILIES.items():
        theirs = family.sd_scripts
        if theirs and any(version.startswith(each) for each in (*theirs.base_model_version.values(), *theirs.architecture)):
            return name
    raise SettingsError(
        f"{file} was trained on {version}, for which settings are not read from LoRA files. They are for "
        f"{', '.join(family.title for family in FAMILIES.values() if family.sd_scripts)}.",
        code="import.family", path=str(file), family=version,
    )  # fmt: skip


def _table(value: Any, name: str, file: Path) -> Any:
    """What a JSON text holds; None where there is none."""
    if not isinstance(value, str):
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise SettingsError(
            f"{file} has a damaged {name} in its metadata. Remove it from the file, or write the settings by hand.",
            code="import.invalid", path=str(file), name=name,
        ) from error  # fmt: skip


def _take_optimizer(found: Found, text: str) -> None:
    """`torch.optim.adamw.AdamW(weight_decay=0.1,betas=(0.9, 0.99))` as a name and its arguments."""
    path, _, arguments = text.partition("(")
    if path:
        name = path.rpartition(".")[2]
        found.options["optimizer_type"] = name if our_optimizer(name) else path
        found.called["optimizer_type"] = "ss_optimizer"
    if words := list(_split(arguments.removesuffix(")"))):
        found.options["optimizer_args"], found.called["optimizer_args"] = words, "ss_optimizer"


def _split(text: str) -> Iterable[str]:
    """key=value parts, at the commas that are in no bracket."""
    part, depth = "", 0
    for char in text:
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(char, 0)
        if char == "," and not depth:
            yield part.strip()
            part = ""
        else:
            part += char
    if part.strip():
        yield part.strip()


def _take_network_args(found: Found, table: Any) -> None:
    found.options.pop("network_args", None)
    if isinstance(table, Mapping):
        found.options["network_args"] = [f"{name}={value}" for name, value in table.items() if value is not None]


def _take_parts(found: Found, tensors: Mapping[str, str]) -> None:
    """Which parts were trained, by what the file holds: a rate that is None may mean both."""
    has_encoder = any(name.startswith(("lora_te", "text_encoder")) for name in tensors)
    has_denoiser = any(name.startswith(("lora_unet", "unet", "transformer", "diffusion_model")) for name in tensors)
    if has_denoiser and not has_encoder:
        found.options["network_train_unet_only"], found.called["network_train_unet_only"] = True, "(its tensors)"
        found.options.pop("text_encoder_lr", None)
    if has_encoder and not has_denoiser:
        found.options["network_train_text_encoder_only"], found.called["network_train_text_encoder_only"] = True, "(its tensors)"
        found.options.pop("unet_lr", None)
    rates = found.options.get("text_encoder_lr")
    if isinstance(rates, str) and rates.startswith("["):
        found.options["text_encoder_lr"] = [rate.strip() for rate in rates.strip("[]").split(",") if rate.strip()]


def _take_folders(found: Found, given: Mapping[str, Any], file: Path) -> None:
    """The folders with what each had for itself, of a dataset configuration or of one folder with others in it."""
    datasets = _table(given.get("datasets"), "ss_datasets", file)
    for dataset in datasets if isinstance(datasets, list) else []:
        if not isinstance(dataset, Mapping):
            continue
        shared: dict[str, Any] = {ours: dataset[theirs] for theirs, ours in _OF_DATASET.items() if theirs in dataset}
        subsets = dataset.get("subsets")
        for subset in subsets if isinstance(subsets, list) else []:
            if isinstance(subset, Mapping):
                own = {name: value for name, value in subset.items() if name != "img_count" and value is not None}
                found.subsets.append({**shared, **own})
    if found.subsets:
        return
    for name, is_reg in (("dataset_dirs", False), ("reg_dataset_dirs", True)):
        folders = _table(given.get(name), f"ss_{name}", file)
        for folder, facts in folders.items() if isinstance(folders, Mapping) else ():
            repeats = facts.get("n_repeats", 1) if isinstance(facts, Mapping) else 1
            found.subsets.append({"image_dir": folder, "num_repeats": repeats, **({"is_reg": True} if is_reg else {})})


_OF_DATASET = {"batch_size_per_device": "batch_size"} | {
    name: name for name in ("resolution", "enable_bucket", "min_bucket_reso", "max_bucket_reso", "bucket_no_upscale")
}
"""What a dataset has for all its folders -> the option."""
