"""Settings of OneTrainer: a JSON of all its options, with its folders (concepts) in it or in a JSON beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lorasmith.errors import SettingsError
from lorasmith.training.importers.documents import read_json
from lorasmith.training.importers.draft import Check, Draft
from lorasmith.training.importers.option_table import (
    OptionTable,
    Row,
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

TRAINER = "OneTrainer"


def read_onetrainer(file: Path) -> tuple[str, Draft, Check, Sequence[str]] | None:
    """Its settings as a draft; None where the file is for another importer.

    Raises:
        SettingsError: it cannot be read, or trains no LoRA of a family that is known.
    """
    if file.suffix.lower() != ".json":
        return None
    tree = read_json(file)
    if not isinstance(tree, Mapping) or not {"training_method", "base_model_name", "concept_file_name"} & tree.keys():
        return None
    options = dict(tree)
    if (method := options.pop("training_method", "LORA")) != "LORA":
        raise SettingsError(
            f"{file} trains {method} with OneTrainer, and no LoRA. Give settings of a LoRA.", code="import.page", path=str(file)
        )
    named = str(options.pop("model_type", None) or "")
    family = family_or_refusal(named, file, TRAINER)
    draft, notes = Draft(), list[str]()
    _take_concepts(draft, options.pop("concepts", None), options.pop("concept_file_name", None), file, notes)
    for option in ("learning_rate_scheduler", "learning_rate_warmup_steps"):  # before the arguments that depend on it
        TABLE.take(draft, {option: options.pop(option, None)})
    TABLE.take(draft, flat(options))
    given = {each.ours for each in draft.carried}
    for setting, default in {"loss.min_snr_gamma": 0.0, "network.alpha": 1.0, "schedule.lr_scheduler": "constant"}.items():
        if setting not in given:
            draft.put("(not in the file)", setting, default, f"left out, which means {default} there")
    return "settings of OneTrainer (JSON)", draft, fits(family), notes


def _take_concepts(draft: Draft, concepts: Any, name: Any, file: Path, notes: list[str]) -> None:
    """The folders, which newer files hold themselves and others name."""
    if not isinstance(concepts, list) and name:
        place = next(
            (each for each in (Path(str(name)), file.parent / str(name), file.parent / Path(str(name)).name) if each.is_file()), None
        )
        if place is None:
            draft.leave("concept_file_name", name, "the file is not here; put it beside this one, or give the folders with --dataset")
            return
        concepts = read_json(place)
        notes.append(f"The folders are those of {place}.")
    number = 0
    for each in concepts if isinstance(concepts, list) else []:
        if not isinstance(each, Mapping) or not each.get("path"):
            continue
        if each.get("enabled") is False:
            draft.leave(f"concept {each.get('name') or each['path']}", str(each["path"]), "it is switched off")
        elif each.get("type") == "VALIDATION":
            draft.put("concept of the type VALIDATION", "validation.path", str(each["path"]))
        else:
            take_one(draft, f"concept {number + 1}", each, _concept(number))
            number += 1


def _concept(number: int) -> Row:
    """A row of a whole folder."""
    return lambda draft, theirs, value: _take_concept(draft, value, number)


def _take_concept(draft: Draft, concept: Mapping[str, Any], number: int) -> None:
    where, label = f"datasets.{number}", f"concept {number + 1}:"
    draft.put(f"{label} path", f"{where}.path", str(concept["path"]))
    balancing = float(concept.get("balancing") or 1)
    if concept.get("balancing_strategy", "REPEATS") == "REPEATS":
        repeats = max(1, round(balancing))
        draft.put(f"{label} balancing", f"{where}.repeats", repeats, "" if repeats == balancing else f"{balancing:g} repeats, rounded")
    else:
        draft.leave(f"{label} balancing", balancing, "it counts pictures an epoch; set datasets.repeats")
    if concept.get("loss_weight", 1.0) != 1.0:
        draft.put(f"{label} loss_weight", f"{where}.loss_weight", float(concept["loss_weight"]))
    if concept.get("type") == "PRIOR_PREDICTION":
        draft.leave(f"{label} type", concept["type"], "look at loss.prior_preservation, which needs no pictures")
    image, text = concept.get("image") or {}, concept.get("text") or {}
    if image and image.get("enable_random_flip"):
        draft.put(f"{label} enable_random_flip", f"{where}.flip_aug", True)
    if text and text.get("enable_tag_shuffling"):
        draft.put(f"{label} enable_tag_shuffling", "captions.shuffle_caption", True, "of all folders here" if number else "")
        draft.put(f"{label} keep_tags_count", "captions.keep_tokens", int(text.get("keep_tags_count") or 0))
    if text and text.get("prompt_source", "sample") != "sample":
        draft.leave(
            f"{label} prompt_source",
            text["prompt_source"],
            "captions are read from a .txt beside each picture; bring them in with: lorasmith import",
        )


def _resolution(draft: Draft, theirs: str, value: Any) -> None:
    sides = [int(side) for side in re.findall(r"\d+", str(value))]
    if "x" in str(value) and len(sides) == 2:
        draft.put(theirs, "buckets.resolution", sides)
    else:
        draft.put(theirs, "buckets.resolution", max(sides), "the largest of them; one size is trained here" if len(sides) > 1 else "")


def _warmup(draft: Draft, theirs: str, value: Any) -> None:
    constant = any(each.ours == "schedule.lr_scheduler" and each.value == "constant" for each in draft.carried)
    if value and constant:
        draft.put("learning_rate_scheduler", "schedule.lr_scheduler", "constant_with_warmup", "with the warm-up")
    if value:
        draft.put(theirs, "schedule.lr_warmup_steps", value)


def _loss_weight(draft: Draft, theirs: str, value: Any) -> None:
    if value == "MIN_SNR_GAMMA":
        draft.put(theirs, "loss.min_snr_gamma", 5.0, "with a strength of 5, unless loss_weight_strength says otherwise")
    elif value == "DEBIASED_ESTIMATION":
        draft.put(theirs, "loss.debiased_estimation", True)
    elif value != "CONSTANT":
        draft.leave(theirs, value, "it is not offered; look at loss.min_snr_gamma")


def _loss_weight_strength(draft: Draft, theirs: str, value: Any) -> None:
    if any(each.ours == "loss.min_snr_gamma" for each in draft.carried):
        draft.put(theirs, "loss.min_snr_gamma", float(value))
    else:
        draft.off.append(theirs)


def _betas(draft: Draft, theirs: str, value: Any) -> None:
    draft.leave(theirs, value, "set optimizer.args.betas where it is not the optimizer's usual one")


def _checkpointing(draft: Draft, theirs: str, value: Any) -> None:
    draft.put(
        theirs,
        "training.gradient_checkpointing",
        value not in ("OFF", False),
        "" if value in ("ON", "OFF", True, False) else "without moving it to the CPU",
    )


def _save_every(draft: Draft, theirs: str, value: Any) -> None:
    draft.leave(theirs, value, "set checkpoints.save_every_n_epochs or save_every_n_steps")


_UNKNOWN_TO_RUNS = ("workspace_dir", "cache_dir", "tensorboard*", "backup*", "rolling_backup*", "debug*", "continue_last_backup", "include_train_config", "only_cache",
                    "clear_cache*", "latent_caching", "dataloader_threads", "train_device", "temp_device", "multi_gpu", "device_indexes", "cloud.*", "secrets.*", "__version",
                    "validation*", "validate*", "compile", "async*", "enable_*offloading*", "layer_offload*", "save_filename_prefix", "save_skip_first")  # fmt: skip
TABLE = OptionTable(
    TRAINER,
    rows={
        "base_model_name": to("base.path", str), "output_model_destination": to("name", lambda value: Path(str(value).replace("\\", "/")).stem or "lora"),
        "batch_size": to("training.batch_size", int), "epochs": to("training.epochs", int), "seed": to("training.seed", int),
        "gradient_accumulation_steps": to("training.gradient_accumulation_steps", int), "gradient_checkpointing": _checkpointing,
        "learning_rate": to("optimizer.learning_rate", float), "learning_rate_scheduler": schedule, "learning_rate_warmup_steps": _warmup,
        "learning_rate_cycles": to("schedule.lr_scheduler_num_cycles", lambda value: max(1, int(value))), "learning_rate_min_factor": over_zero("schedule.lr_scheduler_min_lr_ratio"),
        "resolution": _resolution, "aspect_ratio_bucketing": to("buckets.enable_bucket", bool), "clip_grad_norm": to("training.max_grad_norm", float),
        "peft_type": kind({"lora": "lora", "loha": "loha", "lokr": "lokr"}), "lora_rank": whole_rank("network.rank"), "lora_alpha": to("network.alpha", float),
        "lora_decompose": where_on("network.dora", True, "the same by its name here"), "lora_model_name": to("network.weights", str), "dropout_probability": over_zero("network.dropout"),
        "optimizer.optimizer": optimizer(), "optimizer.weight_decay": optimizer_argument("weight_decay"), "optimizer.eps": optimizer_argument("eps"),
        "optimizer.d_coef": optimizer_argument("d_coef"), "optimizer.use_bias_correction": optimizer_argument("use_bias_correction"),
        "optimizer.safeguard_warmup": optimizer_argument("safeguard_warmup"), "optimizer.decouple": optimizer_argument("decouple"),
        "optimizer.beta1": _betas, "optimizer.beta2": _betas,
        "unet.train": to("network.train_unet", bool), "transformer.train": to("network.train_unet", bool), "text_encoder.train": to("network.train_text_encoder", bool),
        "unet.learning_rate": to("optimizer.unet_lr", float), "transformer.learning_rate": to("optimizer.unet_lr", float),
        "text_encoder.learning_rate": to("optimizer.text_encoder_lr", float), "text_encoder_2.learning_rate": to("optimizer.text_encoder_2_lr", float),
        "train_dtype": precision("training.mixed_precision"), "output_dtype": precision("checkpoints.save_precision"),
        "offset_noise_weight": over_zero("noise.noise_offset"), "loss_weight_fn": _loss_weight, "loss_weight_strength": _loss_weight_strength,
        "force_v_prediction": where_on("base.prediction_type", "v_prediction"), "rescale_noise_scheduler_to_zero_terminal_snr": where_on("base.zero_terminal_snr"),
        "unmasked_weight": over_zero("loss.unmasked_weight"), "max_noising_strength": lambda draft, theirs, value: (
            draft.put(theirs, "noise.max_timestep", round(float(value) * 1000), "a share of 1000 timesteps there") if value != 1 else None),
        "min_noising_strength": lambda draft, theirs, value: (
            draft.put(theirs, "noise.min_timestep", round(float(value) * 1000), "a share of 1000 timesteps there") if value else None),
        "ema": lambda draft, theirs, value: draft.put(theirs, "training.ema_decay", 0.999, "OneTrainer's usual decay") if value != "OFF" else None,
        "save_every": _save_every,
    },
    left={
        **dict.fromkeys(_UNKNOWN_TO_RUNS, "how OneTrainer runs, which says nothing about the LoRA"),
        "optimizer.*": "it is OneTrainer's default, or is not offered; look at optimizer.args", "sample*": "write the prompts into samples.prompts",
        "ema_*": "look at training.ema_decay", "save_*": "look at the checkpoints section", "output_model_format": "LoRA files are safetensors",
        "text_encoder*": "it is not offered for one encoder", "unet.*": "it is not offered", "transformer.*": "it is not offered", "prior.*": "it is for another family",
        "vae.*": "the autoencoder is not trained", "decoder*": "it is for another family", "effnet*": "it is for another family", "quantization.*": "look at base.quantize",
        "embedding*": "embeddings are not trained", "additional_embeddings*": "embeddings are not trained", "mse_strength": "look at loss.loss_type", "mae_strength": "look at loss.loss_type",
        "*_strength": "it is not offered; look at the loss section", "timestep_*": "look at the flow section", "noising_*": "look at the flow section", "dynamic_timestep_shifting": "look at flow.timestep_sampling",
        "masked_*": "masks count where a folder has them: datasets.alpha_mask or datasets.mask_path", "normalize_masked_area_loss": "look at loss.normalize_masked_area",
        "layer_filter*": "write layers as network.layers", "lora_*": "it is not offered", "oft_*": "it is not offered", "*_dtype": "look at base.quantize and training.weight_dtype",
        "learning_rate_*": "rates are as the settings give them", "custom_*": "write the schedule as settings", "attention_mechanism": "torch's own attention is used",
        "frames": "it is for video", "preserve_embedding_norm": "embeddings are not trained", "perturbation_noise_weight": "look at noise.ip_noise_gamma",
        "generalized_offset_noise": "it is not offered", "loss_scaler": "it is not offered", "gradient_*": "it is not offered", "fused_*": "it is not offered", "scheduler_params*": "write the schedule as settings",
    },
)  # fmt: skip
