"""Settings of SimpleTuner: a JSON of its command's options, with or without --, and a JSON of its folders beside it.

Defaults are those of simpletuner_sdk/server/services/field_registry/sections: training.py at 03b3fcb, lora.py and optimizer.py at 0e24e46,
advanced.py and validation.py at 02ec8f1, data.py at 01a4b05; of optimizers, helpers/training/optimizer_param.py at 06b96af; of folders,
documentation/DATALOADER.md at 04265fc. Without lora_alpha it is the rank: helpers/models/common.py, add_lora_adapter. Schedules are those
of get_lr_scheduler in helpers/training/custom_schedule.py at 03ab0ac, whose waves take lr_warmup_steps as their length.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lorasmith.dotted import dotted
from lorasmith.errors import SettingsError
from lorasmith.models.families import FAMILIES
from lorasmith.training.importers import option_rows as rows
from lorasmith.training.importers.documents import beside, read_json
from lorasmith.training.importers.draft import Check, Draft
from lorasmith.training.importers.found import typed
from lorasmith.training.importers.option_table import OptionTable, Row, family_or_refusal, fits, number_or, take_one

TRAINER = "SimpleTuner"
_PREFIXES = ("bnb-", "ao-", "optimi-", "torch-", "paged-")
_EPS = {"eps": 1e-6}
_OPTIMIZER_DEFAULTS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("adamw_bf16", "ao-adamw8bit", "ao-adamw4bit", "ao-adamwfp8", "bnb-adamw", "bnb-adamw8bit"), _EPS),
    "optimi-adamw": {"betas": [0.9, 0.99], "weight_decay": 0.0, **_EPS}, "optimi-lion": {"betas": [0.9, 0.99], "weight_decay": 0.0},
    "adamw_schedulefree": {"weight_decay": 0.01},
}  # fmt: skip

DEFAULTS: dict[str, Any] = {
    "learning_rate": 4e-7, "lr_scheduler": "constant_with_warmup", "train_batch_size": 4, "gradient_checkpointing": True, "mixed_precision": "bf16",
    "lora_dropout": 0.1, "optimizer": "adamw_bf16", "train_text_encoder": False, "checkpoint_step_interval": 500,
}  # fmt: skip
"""Option -> its default, where that is another than ours."""
SAMPLE_DEFAULTS: dict[str, Any] = {
    "validation_step_interval": 100, "validation_guidance": 7.5, "validation_num_inference_steps": 30, "validation_resolution": "1024x1024",
}  # fmt: skip
_FLUX_TARGETS = {
    **dict.fromkeys(("mmdit", "all"), ("attention", "the nearest choice of layers here")),
    **dict.fromkeys(("all+ffs", "ai-toolkit"), ("attention+mlp", "the nearest choice of layers here")),
}  # fmt: skip


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
    if (what := options.get("model_type") or "full") != "lora":
        raise SettingsError(
            f"{file} trains {what!r} with SimpleTuner, and no LoRA. Give settings of a LoRA.", code="import.page", path=str(file)
        )
    named = str(options.get("model_family") or "")
    family = family_or_refusal(named, file, TRAINER)
    is_flow = family is not None and FAMILIES[family].is_flow
    draft, notes = Draft(), list[str]()
    options = {name: value for name, value in options.items() if name not in ("model_family", "model_type")}
    _take_adapter(draft, options, named)
    if "checkpointing_steps" in options:  # its name before
        options["checkpoint_step_interval"] = options.pop("checkpointing_steps")
    _take_size(draft, options)
    captions = str(options.pop("caption_strategy", None) or "filename")
    _take_folders(draft, options.pop("data_backend_config", None), captions, file, notes)
    scaled = _scale_rate(draft, options)
    _take_schedule(draft, options)
    _take_length(draft, options)
    _take_optimizer_config(draft, options)
    _take_average(draft, options)
    _take_noise(draft, options)
    _take_clipping(draft, options)
    _take_layers(draft, options, is_flow)
    if is_flow:
        _take_timesteps(draft, options)
    options = dotted(options)
    TABLE.take(draft, options)
    TABLE.fill_in(draft, options, DEFAULTS)
    if scaled and (rate := draft.carried.get("optimizer.learning_rate")):
        draft.carried[rate.ours] = replace(rate, why=scaled)
    if draft.has("samples.prompts"):
        TABLE.fill_in(draft, options, SAMPLE_DEFAULTS)
    if is_flow or not draft.has("loss.min_snr_gamma"):
        draft.put(
            "snr_gamma", "loss.min_snr_gamma", 0.0, "it does nothing on a flow model" if is_flow else "left out, which means off there"
        )
    return "settings of SimpleTuner (JSON)", draft, fits(family), notes


_ZIMAGE_ADAPTERS = {
    "turbo": "ostris/zimage_turbo_training_adapter/zimage_turbo_training_adapter_v1.safetensors",
    "turbo-ostris-v2": "ostris/zimage_turbo_training_adapter/zimage_turbo_training_adapter_v2.safetensors",
}
_ADAPTERS: dict[str, dict[str, str]] = dict.fromkeys(("z_image", "z-image"), _ZIMAGE_ADAPTERS)
"""Its name of a family -> flavour -> the training adapter that it takes by itself: ASSISTANT_LORA_WEIGHT_NAMES in helpers/models/z_image/model.py
at 08debd7."""


def _take_adapter(draft: Draft, options: dict[str, Any], family: str) -> None:
    """The training adapter of a distilled base, which is frozen there and left out of samples."""
    names = ("assistant_lora_path", "assistant_lora_weight_name", "assistant_lora_strength", "disable_assistant_lora")
    path, file, strength, is_off = (options.pop(name, None) for name in names)
    flavour = str(options.get("model_flavour") or "")
    own = _ADAPTERS.get(family, {}).get(flavour)
    if typed(is_off) is True or not (path or own):
        return
    place = f"{path}/{file}" if path and file else str(path or own)
    merged: dict[str, Any] = {"path": place} | ({} if strength in (None, "") else {"strength": number_or(1.0, strength)})
    why = "merged while it trains, and left out of samples"
    theirs, why = ("assistant_lora_path", why) if path else ("model_flavour", f"{flavour} takes it by itself there; {why}")
    draft.put(theirs, "base.merge", [merged], why)


def _take_folders(draft: Draft, name: Any, captions: str, file: Path, notes: list[str]) -> None:
    """The folders of the JSON beside it, where it is there; those for embeddings hold no pictures."""
    if not name:
        return
    place = beside(str(name), file)
    if place is None:
        draft.leave("data_backend_config", name, "the file is not here; put it beside this one, or give the folders with --dataset")
        return
    listed = read_json(place)
    notes.append(f"The folders are those of {place}.")
    number = 0
    for folder in listed if isinstance(listed, list) else []:
        if not isinstance(folder, Mapping) or str(folder.get("dataset_type") or "image").endswith("_embeds"):
            continue
        label, where = f"{folder.get('id') or f'folder {number + 1}'}: ", folder.get("instance_data_dir")
        if folder.get("disabled") or folder.get("disable"):
            draft.leave(f"{label}disabled", True, "it is switched off")
        elif folder.get("dataset_type") == "eval" and where:
            draft.put(f"{label}instance_data_dir", "validation.path", str(where))
        elif folder.get("dataset_type", "image") != "image":
            draft.leave(f"{label}dataset_type", folder["dataset_type"], "pictures alone are trained here")
        elif folder.get("type", "local") != "local" or not where:
            draft.leave(f"{label}type", folder.get("type"), "its pictures are not in a folder on this machine; give one with --dataset")
        else:
            _take_folder(draft, {"caption_strategy": captions, **folder}, label, number)
            number += 1


_FOLDER_ITSELF = ("id", "type", "dataset_type", "disabled", "disable", "default")


def _take_folder(draft: Draft, folder: Mapping[str, Any], label: str, number: int) -> None:
    ours = f"datasets.{number}"
    options = {name: value for name, value in folder.items() if name not in _FOLDER_ITSELF}
    size, unit = options.pop("resolution", None), options.pop("resolution_type", "pixel_area")
    known: dict[str, Row] = {
        "instance_data_dir": rows.to(f"{ours}.path", str), "is_regularisation_data": rows.where_on(f"{ours}.is_reg"),
        "is_regularization_data": rows.where_on(f"{ours}.is_reg"),
        "repeats": rows.to(f"{ours}.repeats", lambda value: int(value) + 1, "it counts the times after the first there"),
        "caption_strategy": lambda draft, theirs, value: None if value == "textfile" else draft.leave(
            theirs, value, "captions are read from a .txt beside each picture; write them with: lorasmith captions"),
        "caption_dropout_probability": rows.to(f"{ours}.caption_dropout_rate"),
        "prepend_instance_prompt": lambda draft, theirs, value: draft.put(theirs, f"{ours}.caption_prefix", str(folder["instance_prompt"]),
                                                                         "the prompt goes before each caption") if value else None,
        "instance_prompt": lambda draft, theirs, value: None,
    }  # fmt: skip
    table = OptionTable(
        TRAINER, {f"{label}{key}": row for key, row in known.items()}, {f"{label}{name}": why for name, why in _LEFT_OF_FOLDERS.items()}
    )
    named = dotted(options, before=label)
    table.take(draft, named)
    if size:
        take_one(draft, f"{label}resolution", size, _size(f"{ours}.resolution", unit))


_LEFT_OF_FOLDERS = {
    **dict.fromkeys(("cache_*", "vae_cache_*", "text_embeds", "image_embeds", "preserve_data_backend_cache", "hash_filenames", "metadata_*"), "caches are kept by content"),
    "crop*": "look at buckets.enable_bucket and random_crop of the folder", "m??imum_*": "small pictures are named by: lorasmith audit",
    "target_downsample_size": "pictures are made smaller in one step", "only_instance_prompt": "write the captions with: lorasmith captions",
    "probability": "set repeats of the folder", "aspect_bucket_*": "look at the buckets section", "skip_file_discovery": "results do not depend on it",
    "conditioning*": "it is for models that edit pictures", "slider_strength": "it is not offered", "*": "folders here have no such option",
}  # fmt: skip


def _take_length(draft: Draft, options: dict[str, Any]) -> None:
    """Steps count before epochs; 0 is not given, and neither means one epoch."""
    steps, epochs = options.pop("max_train_steps", None), options.pop("num_train_epochs", None)
    if number_or(0, steps):
        take_one(draft, "max_train_steps", steps, rows.to("training.max_train_steps", int))
        if number_or(0, epochs):
            draft.leave("num_train_epochs", epochs, "max_train_steps decides")
    else:
        why = "" if number_or(0, epochs) else "left out, which means 1 there"
        take_one(draft, "num_train_epochs", epochs or 1, rows.to("training.epochs", int, why))


def _size(ours: str, unit: Any) -> Row:
    """A row of a size, in pixels of a side or in megapixels."""

    def row(draft: Draft, theirs: str, value: Any) -> None:
        if float(value) < 16 or unit == "area":
            side = round((float(value) * 1_000_000) ** 0.5 / 64) * 64
            draft.put(theirs, ours, side, f"{value} megapixels")
        else:
            draft.put(
                theirs,
                ours,
                int(float(value)),
                "the shorter side there, and the side of a square of the same area here" if unit == "pixel" else "",
            )

    return row


def _take_size(draft: Draft, options: dict[str, Any]) -> None:
    """The size of folders that have none of their own."""
    size, unit = options.pop("resolution", None), options.pop("resolution_type", None) or "pixel_area"
    take_one(draft, "resolution", size or 1024, _size("buckets.resolution", unit))


def _take_average(draft: Draft, options: dict[str, Any]) -> None:
    """EMA with its decay and how often it is updated, which are for nothing where EMA is off."""
    decay, every = number_or(0.995, options.pop("ema_decay", None)), number_or(1, options.pop("ema_update_interval", None))
    if options.get("use_ema") not in (None, ""):
        take_one(draft, "use_ema", typed(options.pop("use_ema")), rows.moving_average(decay, max(1, int(every))))


def _take_noise(draft: Draft, options: dict[str, Any]) -> None:
    """noise_offset is how strong offset_noise is, for a share of the batches; without that it is for nothing."""
    is_on, strength, share = (options.pop(name, None) for name in ("offset_noise", "noise_offset", "noise_offset_probability"))
    if typed(is_on) is True:
        draft.put(
            "noise_offset",
            "noise.noise_offset",
            number_or(0.1, strength),
            f"for all batches; there, for {number_or(0.25, share):.0%} of them",
        )
    elif strength:
        draft.off.append("noise_offset")
    steps = options.pop("input_perturbation_steps", None)
    if number_or(0, steps):
        draft.leave("input_perturbation_steps", steps, "noise.ip_noise_gamma holds for the whole run")


def _scale_rate(draft: Draft, options: dict[str, Any]) -> str:
    """Multiply the rate as lr_scale does, by the pictures of a step or their square root; why it is another one, "" where it is not."""
    is_scaled, by_root = (typed(options.pop(name, None)) is True for name in ("lr_scale", "lr_scale_sqrt"))
    if not is_scaled:
        draft.off += ["lr_scale_sqrt"] * by_root
        return ""
    rate = number_or(4e-7, options.get("learning_rate"))
    pictures = number_or(4, options.get("train_batch_size")) * number_or(1, options.get("gradient_accumulation_steps"))
    scale = math.sqrt(pictures) if by_root else pictures
    options["learning_rate"] = float(f"{rate * scale:.6g}")
    return f"{rate:g} times {scale:g}, as lr_scale has it there on one GPU"


def _take_schedule(draft: Draft, options: dict[str, Any]) -> None:
    """The schedule with the rate where it ends. A cosine has no warm-up there, and its length is what is called so."""
    name, warmup = str(options.get("lr_scheduler") or "").strip().lower(), int(number_or(0, options.get("lr_warmup_steps")))
    rate, end = number_or(4e-7, options.get("learning_rate")), number_or(4e-7, options.pop("lr_end", None))
    if name == "constant" and warmup > 0:
        options["lr_scheduler"] = "constant_with_warmup"
    elif name in ("cosine", "cosine_with_warmup"):
        options["lr_scheduler"], length = "cosine", options.pop("lr_warmup_steps", None)
        if (warmup or 1000) != number_or(0, options.get("max_train_steps")):
            why = f"there the rate falls to lr_end in {warmup or 1000} steps, rises again in as many, and so on; here it falls once"
            draft.leave("lr_warmup_steps", length, why)
    elif name == "cosine_with_restarts":
        draft.put(
            "lr_scheduler", "schedule.lr_scheduler", "constant", "its restarts come at every step there, so the rate stays where it is"
        )
        del options["lr_scheduler"]
        options.pop("lr_warmup_steps", None)
    if options.get("lr_scheduler") in ("cosine", "polynomial") and 0 < end < rate:
        draft.put("lr_end", "schedule.lr_scheduler_min_lr_ratio", round(end / rate, 6), f"{end:g} as a share of the rate")
    if name == "polynomial" and options.get("lr_power") in (None, ""):
        draft.put("lr_power", "schedule.lr_scheduler_power", 0.8, "left out, which means 0.8 there")


def _take_clipping(draft: Draft, options: dict[str, Any]) -> None:
    """Single values are clipped there, unless the norm is asked for."""
    method, largest = options.pop("grad_clip_method", None) or "value", options.pop("max_grad_norm", None)
    if method == "norm":
        take_one(draft, "max_grad_norm", 2.0 if largest is None else largest, rows.to("training.max_grad_norm", float))
    else:
        why = f"there, single values over {number_or(2.0, largest):g} are clipped, and no norm"
        draft.put("grad_clip_method", "training.max_grad_norm", 0.0, why)


def _take_layers(draft: Draft, options: dict[str, Any], is_flow: bool) -> None:
    """Attention alone is trained, unless Flux is told otherwise."""
    target = str(options.pop("flux_lora_target", None) or "all")
    if is_flow and target not in _FLUX_TARGETS:
        draft.leave("flux_lora_target", target, "choose layers with network.preset and network.layers")
    else:
        draft.put("flux_lora_target" if is_flow else "(not in the file)", "network.preset", *_FLUX_TARGETS[target if is_flow else "all"])


def _take_timesteps(draft: Draft, options: dict[str, Any]) -> None:
    """How timesteps of a flow model are drawn: normal or even, and shifted by 3 where nothing is said."""
    names = ("flow_use_uniform_schedule", "flow_schedule_auto_shift", "flow_sigmoid_scale", "flow_schedule_shift")
    is_even, by_size, scale, shift = (typed(options.pop(name, None)) for name in names)
    shift = number_or(3.0, shift)
    if options.get("flow_use_beta_schedule"):
        draft.leave("flow_use_beta_schedule", True, "it is not offered; look at flow.timestep_sampling")
    sampling = "sigma" if is_even else "flux_shift" if by_size else "shift" if shift else "sigmoid"
    draft.put(
        "flow_use_uniform_schedule" if is_even else "flow_schedule_shift", "flow.timestep_sampling", sampling, "the same by its name here"
    )
    if sampling in ("sigma", "shift"):
        draft.put("flow_schedule_shift", "flow.discrete_flow_shift", shift or 1.0)
    if sampling != "sigma" and number_or(1.0, scale) != 1:
        draft.put("flow_sigmoid_scale", "flow.sigmoid_scale", number_or(1.0, scale))


def _every_steps(draft: Draft, theirs: str, value: Any) -> None:
    if value:
        draft.put(theirs, "checkpoints.save_every_n_steps", int(value))
        draft.put(theirs, "checkpoints.save_every_n_epochs", 0, "files are written by steps alone there")


def _picture(draft: Draft, theirs: str, value: Any) -> None:
    """1024x768, or one side of a square."""
    sides = [int(side) for side in str(value).lower().split("x")]
    draft.put(theirs, "samples.width", sides[0])
    draft.put(f"{theirs} (height)", "samples.height", sides[-1])


def _take_optimizer_config(draft: Draft, options: dict[str, Any]) -> None:
    """Arguments of the optimizer as `weight_decay=0.1,eps=1e-8`, which are taken as options of their own."""
    for word in str(options.pop("optimizer_config", None) or "").split(","):
        key, equals, value = word.partition("=")
        if equals:
            options[f"optimizer_config {key.strip()}"] = value
            TABLE_OF_ARGUMENTS.take(draft, {f"optimizer_config {key.strip()}": options.pop(f"optimizer_config {key.strip()}")})


_ARGUMENTS = ("weight_decay", "eps", "d_coef", "decouple", "use_bias_correction", "safeguard_warmup", "momentum")
TABLE_OF_ARGUMENTS = OptionTable(TRAINER, {f"optimizer_config {key}": rows.optimizer_argument(key) for key in _ARGUMENTS}, {})


def _quantise(draft: Draft, theirs: str, value: Any) -> None:
    if "fp8" in str(value):
        draft.put(theirs, "base.quantize", "fp8", "with a scale for each row")
    elif "int8" in str(value):
        draft.put(theirs, "base.quantize", "int8", "whole numbers with a scale for each row")
    elif "nf4" in str(value):
        draft.put(theirs, "base.quantize", "nf4")
    elif value != "no_change":
        draft.leave(theirs, value, "it is not offered; look at base.quantize")


TABLE = OptionTable(
    TRAINER,
    rows={
        "pretrained_model_name_or_path": rows.to("base.path", str), "pretrained_vae_model_name_or_path": rows.to("base.vae", str),
        "lora_type": rows.kind({"standard": "lora", "lora": "lora"}), "lora_rank": rows.whole_rank("network.rank"), "lora_alpha": rows.to("network.alpha", float),
        "lora_dropout": rows.over_zero("network.dropout"), "use_dora": rows.where_on("network.dora"), "init_lora": rows.to("network.weights", str),
        "learning_rate": rows.to("optimizer.learning_rate", float), "text_encoder_lr": rows.to("optimizer.text_encoder_lr", float),
        "lr_scheduler": rows.schedule, "lr_warmup_steps": rows.over_zero("schedule.lr_warmup_steps"), "lr_num_cycles": rows.to("schedule.lr_scheduler_num_cycles", int),
        "lr_power": rows.to("schedule.lr_scheduler_power", float), "optimizer": rows.optimizer(_PREFIXES, _OPTIMIZER_DEFAULTS), "adam_weight_decay": rows.optimizer_argument("weight_decay"),
        "train_batch_size": rows.to("training.batch_size", int), "gradient_accumulation_steps": rows.to("training.gradient_accumulation_steps", int),
        "gradient_checkpointing": rows.to("training.gradient_checkpointing", bool), "dynamo_backend": rows.to("training.torch_compile", lambda value: str(value).lower() not in ("", "no", "none")), "mixed_precision": rows.precision("training.mixed_precision"),
        "base_model_precision": _quantise, "seed": rows.to("training.seed", int), "input_perturbation": rows.over_zero("noise.ip_noise_gamma"),
        "checkpoint_step_interval": _every_steps,
        "checkpoint_epoch_interval": rows.over_zero("checkpoints.save_every_n_epochs"), "caption_dropout_probability": rows.to("captions.caption_dropout_rate", float),
        "snr_gamma": rows.to("loss.min_snr_gamma", float), "train_text_encoder": rows.to("network.train_text_encoder", bool),
        "flux_guidance_value": rows.to("flow.guidance_scale", float), "validation_resolution": _picture, "prediction_type": lambda draft, theirs, value: (
            draft.put(theirs, "base.prediction_type", value) if value in ("epsilon", "v_prediction") else draft.leave(theirs, value, "it comes with the base")),
        "validation_prompt": rows.to("samples.prompts", lambda value: [str(value)]), "validation_guidance": rows.to("samples.cfg_scale", float),
        "validation_num_inference_steps": rows.to("samples.steps", int), "validation_steps": rows.sampled_by_steps,
        "validation_step_interval": rows.sampled_by_steps, "validation_seed": rows.to("samples.seed", int),
        "validation_negative_prompt": rows.to("samples.negative_prompt", str),
        "adam_beta1": lambda draft, theirs, value: None if value == 0.9 else draft.leave(theirs, value, "set optimizer.args.betas"),
        "adam_beta2": lambda draft, theirs, value: None if value == 0.999 else draft.leave(theirs, value, "set optimizer.args.betas"),
        "adam_epsilon": rows.optimizer_argument("eps"), "loss_type": rows.to("loss.loss_type", str),
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
        "compress_disk_cache": "caches are kept by content", "fuse_*": "results do not depend on it", "controlnet*": "it is for another kind of network", "flow_*": "look at the flow section", "flux_*": "it is not offered",
        "soft_*": "look at loss.min_snr_gamma", "use_soft_min_snr": "look at loss.min_snr_gamma",
        "ema_*": "results do not depend on it", "optimizer_*": "look at optimizer.args", "offload_*": "it is not offered", "*offload*": "it is not offered", "ramtorch*": "it is not offered",
        "musubi_*": "it is not offered", "gradient_checkpointing_*": "look at training.gradient_checkpointing", "gradient_precision": "gradients are summed in 32 bits", "dynamo_*": "blocks are compiled by torch's own backend, for fixed sizes",
        "tread_*": "it is not offered", "crepa_*": "it is for video", "scheduled_sampling_*": "it is not offered", "diff2flow_*": "it is not offered", "caption_strategy": "captions are read from a .txt beside each picture",
        "instance_prompt": "write captions, or set captions.caption_prefix", "save_*": "look at the checkpoints section", "lora_init_type": "look at network.weights", "peft_lora_mode": "it is not offered",
        "delete_*": "pictures are not deleted", "skip_file_discovery": "results do not depend on it", "ignore_*": "results do not depend on it", "i_know_what_i_am_doing": "it asks nothing of a run",
        "modelspec_comment": "the file's own metadata is written", "webhook_*": "every run writes its own events", "sana_*": "it is for another family", "set_grads_to_none": "results do not depend on it",
        "num_validation_images": "one picture is drawn for each prompt", "rescale_betas_zero_snr": "look at noise.zero_terminal_snr", "training_scheduler_timestep_spacing": "timesteps are as the base was trained",
        "user_prompt_library": "write the prompts into samples.prompts", "*_token": "nothing is uploaded",
    },
)  # fmt: skip
