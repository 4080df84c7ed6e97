"""Settings of SimpleTuner: a JSON of its command's options, with or without --, and a JSON of its folders beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lorasmith.errors import SettingsError
from lorasmith.models.families import FAMILIES
from lorasmith.training.importers.documents import read_json
from lorasmith.training.importers.draft import Check, Draft
from lorasmith.training.importers.option_table import (
    OptionTable,
    family_or_refusal,
    fits,
    flat,
    kind,
    optimizer,
    optimizer_argument,
    over_zero,
    precision,
    schedule,
    take_one,
    to,
    where_on,
    whole_rank,
)  # fmt: skip

TRAINER = "SimpleTuner"
_PREFIXES = ("bnb-", "ao-", "optimi-", "torch-", "paged-")


def read_simpletuner(file: Path) -> tuple[str, Draft, Check, Sequence[str]] | None:
    """Its settings as a draft; None where the file is for another importer.

    Raises:
        SettingsError: it cannot be read, or trains no LoRA of a family that is known.
    """
    if file.suffix.lower() != ".json":
        return None
    tree = read_json(file)
    if not isinstance(tree, Mapping):
        return None
    options = {str(name).removeprefix("--"): value for name, value in tree.items()}
    if not {"model_family", "data_backend_config"} & options.keys():
        return None
    if (what := options.get("model_type", "lora")) != "lora":
        raise SettingsError(
            f"{file} trains {what!r} with SimpleTuner, and no LoRA. Give settings of a LoRA.", code="import.page", path=str(file)
        )
    named = str(options.get("model_family") or "")
    family = family_or_refusal(named, file, TRAINER)
    draft, notes = Draft(), list[str]()
    _take_folders(draft, options.pop("data_backend_config", None), file, notes)
    options = {name: value for name, value in options.items() if name not in ("model_family", "model_type")}
    _take_length(draft, options)
    _take_size(draft, options)
    _take_optimizer_config(draft, options)
    TABLE.take(draft, flat(options))
    given = {each.ours for each in draft.carried}
    if "loss.min_snr_gamma" not in given or (family is not None and FAMILIES[family].is_flow):
        draft.put("(not in the file)" if "loss.min_snr_gamma" not in given else "snr_gamma", "loss.min_snr_gamma", 0.0, "off there")
    return "settings of SimpleTuner (JSON)", draft, fits(family), notes


def _take_folders(draft: Draft, name: Any, file: Path, notes: list[str]) -> None:
    """The folders of the JSON beside it, where it is there."""
    if not name:
        return
    place = next((each for each in (Path(str(name)), file.parent / str(name), file.parent / Path(str(name)).name) if each.is_file()), None)
    if place is None:
        draft.leave("data_backend_config", name, "the file is not here; put it beside this one, or give the folders with --dataset")
        return
    folders = read_json(place)
    pictures = (
        [each for each in folders if isinstance(each, Mapping) and each.get("instance_data_dir")] if isinstance(folders, list) else []
    )
    for number, folder in enumerate(pictures):
        where = f"datasets.{number}"
        rows = {
            "instance_data_dir": to(f"{where}.path", str), "is_regularisation_data": where_on(f"{where}.is_reg"),
            "is_regularization_data": where_on(f"{where}.is_reg"),
            "repeats": to(f"{where}.repeats", lambda value: int(value) + 1, "it counts the times after the first there"),
        }  # fmt: skip
        table = OptionTable(
            TRAINER, {f"{where}.{key}": row for key, row in rows.items()}, {"datasets.*": "folders here have no such option"}
        )
        table.take(draft, flat({key: value for key, value in folder.items() if key not in ("id", "type", "dataset_type")}, f"{where}."))
    notes.append(f"The folders are those of {place}.")


def _take_length(draft: Draft, options: dict[str, Any]) -> None:
    """Steps count before epochs; 0 is not given."""
    steps, epochs = options.pop("max_train_steps", None), options.pop("num_train_epochs", None)
    if steps:
        take_one(draft, "max_train_steps", steps, to("training.max_train_steps", int))
        if epochs:
            draft.leave("num_train_epochs", epochs, "max_train_steps decides")
    elif epochs:
        take_one(draft, "num_train_epochs", epochs, to("training.epochs", int))


def _take_size(draft: Draft, options: dict[str, Any]) -> None:
    """The size, in pixels of a side or in megapixels."""
    size, unit = options.pop("resolution", None), options.pop("resolution_type", "pixel_area")

    def row(draft: Draft, theirs: str, value: Any) -> None:
        if float(value) < 16 or unit == "area":
            side = round((float(value) * 1_000_000) ** 0.5 / 64) * 64
            draft.put(theirs, "buckets.resolution", side, f"{value} megapixels")
        else:
            draft.put(theirs, "buckets.resolution", int(float(value)))

    if size:
        take_one(draft, "resolution", size, row)


def _take_optimizer_config(draft: Draft, options: dict[str, Any]) -> None:
    """Arguments of the optimizer as `weight_decay=0.1,eps=1e-8`, which are taken as options of their own."""
    for word in str(options.pop("optimizer_config", None) or "").split(","):
        key, equals, value = word.partition("=")
        if equals:
            options[f"optimizer_config {key.strip()}"] = value
            TABLE_OF_ARGUMENTS.take(draft, {f"optimizer_config {key.strip()}": options.pop(f"optimizer_config {key.strip()}")})


_ARGUMENTS = ("weight_decay", "eps", "d_coef", "decouple", "use_bias_correction", "safeguard_warmup", "momentum")
TABLE_OF_ARGUMENTS = OptionTable(TRAINER, {f"optimizer_config {key}": optimizer_argument(key) for key in _ARGUMENTS}, {})


def _quantise(draft: Draft, theirs: str, value: Any) -> None:
    if "int8" in str(value) or "fp8" in str(value):
        draft.put(theirs, "base.quantize", "int8", "whole numbers with a scale for each row")
    elif "nf4" in str(value):
        draft.put(theirs, "base.quantize", "nf4")
    elif value != "no_change":
        draft.leave(theirs, value, "it is not offered; look at base.quantize")


TABLE = OptionTable(
    TRAINER,
    rows={
        "pretrained_model_name_or_path": to("base.path", str), "pretrained_vae_model_name_or_path": to("base.vae", str),
        "lora_type": kind({"standard": "lora", "lora": "lora"}), "lora_rank": whole_rank("network.rank"), "lora_alpha": to("network.alpha", float),
        "lora_dropout": over_zero("network.dropout"), "use_dora": where_on("network.dora"), "init_lora": to("network.weights", str),
        "learning_rate": to("optimizer.learning_rate", float), "text_encoder_lr": to("optimizer.text_encoder_lr", float),
        "lr_scheduler": schedule, "lr_warmup_steps": over_zero("schedule.lr_warmup_steps"), "lr_num_cycles": to("schedule.lr_scheduler_num_cycles", int),
        "lr_power": to("schedule.lr_scheduler_power", float), "optimizer": optimizer(_PREFIXES), "adam_weight_decay": optimizer_argument("weight_decay"),
        "train_batch_size": to("training.batch_size", int), "gradient_accumulation_steps": to("training.gradient_accumulation_steps", int),
        "gradient_checkpointing": to("training.gradient_checkpointing", bool), "mixed_precision": precision("training.mixed_precision"),
        "base_model_precision": _quantise, "seed": to("training.seed", int), "max_grad_norm": to("training.max_grad_norm", float),
        "checkpointing_steps": over_zero("checkpoints.save_every_n_steps"), "checkpoint_step_interval": over_zero("checkpoints.save_every_n_steps"),
        "checkpoint_epoch_interval": over_zero("checkpoints.save_every_n_epochs"), "caption_dropout_probability": to("captions.caption_dropout_rate", float),
        "snr_gamma": to("loss.min_snr_gamma", float), "noise_offset": over_zero("noise.noise_offset"), "train_text_encoder": to("network.train_text_encoder", bool),
        "flow_schedule_shift": over_zero("flow.discrete_flow_shift"), "prediction_type": lambda draft, theirs, value: (
            draft.put(theirs, "base.prediction_type", value) if value in ("epsilon", "v_prediction") else draft.leave(theirs, value, "it comes with the base")),
        "validation_prompt": to("samples.prompts", lambda value: [str(value)]), "validation_guidance": to("samples.cfg_scale", float),
        "validation_num_inference_steps": to("samples.steps", int), "validation_steps": to("samples.every_n_steps", int),
        "validation_step_interval": to("samples.every_n_steps", int), "validation_seed": to("samples.seed", int),
        "validation_negative_prompt": to("samples.negative_prompt", str), "ema_decay": lambda draft, theirs, value: None,
        "use_ema": where_on("training.ema_decay", 0.995, "SimpleTuner's usual decay"),
    },
    left={
        "output_dir": "the run's folder holds everything; give it with: lorasmith train --out", "lycoris_config": "write its algorithm and sizes as network settings",
        "report_to": "every run writes its events and its TensorBoard files", "tracker_*": "every run writes its own events", "logging_dir": "a run has a folder of its own",
        "hub_*": "uploading is done apart from training", "push_*": "uploading is done apart from training", "checkpoints_total_limit": "all checkpoints are kept",
        "resume_from_checkpoint": "a run goes on with: lorasmith resume", "cache_*": "caches are kept by content", "preserve_data_backend_cache": "caches are kept by content",
        "aspect_bucket_*": "look at the buckets section", "minimum_image_size": "small pictures are named by: lorasmith audit", "write_batch_size": "results do not depend on it",
        "read_batch_size": "results do not depend on it", "vae_*": "latents are cached in any case", "validation_*": "look at the samples section",
        "num_eval_images": "look at the validation section", "eval_*": "look at the validation section", "disable_*": "it is not offered",
        "allow_tf32": "results do not depend on it", "attention_mechanism": "torch's own attention is used", "quantize_via": "look at base.quantize",
        "text_encoder_*_precision": "look at base.quantize", "model_flavour": "give the base with base.path", "max_workers": "results do not depend on it",
        "compress_disk_cache": "caches are kept by content", "user_prompt_library": "write the prompts into samples.prompts", "*_token": "nothing is uploaded",
    },
)  # fmt: skip
