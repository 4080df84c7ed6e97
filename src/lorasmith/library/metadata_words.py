"""The metadata of a LoRA file made readable: what each known entry is called, and how its text is read.

Trainers write every value as text: numbers, JSON, seconds since 1970, `None`. The table has the entries of sd-scripts (`ss_*`), of ModelSpec
(`modelspec.*`) and our own; others are shown as they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lorasmith.json_text import json_of, table_of
from lorasmith.pages.numbers import count, duration

Read = Callable[[str], str]


@dataclass(frozen=True)
class Said:
    """One thing that a file says of itself."""

    key: str
    group: str
    """Under what it is shown: model, network, training, data ..."""
    title: str
    text: str
    """For people, on one line."""
    partial: bool = False
    """Whether the entry has more than the text says: of a table there are the names alone."""

    @property
    def as_data(self) -> dict[str, str]:
        """For --json."""
        return {"key": self.key, "group": self.group, "title": self.title, "text": self.text}


def _plain(text: str) -> str:
    return " ".join(text.split())


def _number(text: str) -> str:
    try:
        return f"{float(text):g}" if "." in text or "e" in text.lower() else f"{int(text):,}"
    except (ValueError, OverflowError):
        return _plain(text)


def _yes(text: str) -> str:
    return {"true": "yes", "false": "no", "1": "yes", "0": "no"}.get(text.strip().lower(), _plain(text))


def _time(text: str) -> str:
    try:
        return datetime.fromtimestamp(float(text), UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return _plain(text)


def _size(text: str) -> str:
    """(512, 768), [512, 768] or 512x768 as 512 x 768."""
    sides = [side.strip() for side in text.strip("()[] ").replace("x", ",").split(",") if side.strip()]
    return " x ".join(sides) if sides and all(side.isdecimal() for side in sides) else _plain(text)


def _tags(text: str) -> str:
    """The most frequent tags over all folders, with their numbers."""
    tags: Counter[str] = Counter()
    for of_folder in table_of(text).values():
        if isinstance(of_folder, dict):
            tags.update({tag.strip(): number for tag, number in of_folder.items() if type(number) is int})
    shown = ", ".join(f"{tag} {number}" for tag, number in tags.most_common(12))
    more = len(tags) - 12
    return f"{count(len(tags), 'tag')}: {shown}" + (f" and {more:,} more" if more > 0 else "") if tags else _plain(text)


def _images(number: Any) -> str:
    return count(number, "image") if isinstance(number, int) else f"{number} images"


def _folders(text: str) -> str:
    found = []
    for name, of_folder in table_of(text).items():
        if isinstance(of_folder, dict):
            images, repeats = of_folder.get("img_count"), of_folder.get("n_repeats")
            found.append(f"{name}: {_images(images)} x {repeats}")
    return "; ".join(found) or _plain(text)


def _buckets(text: str) -> str:
    buckets = table_of(text).get("buckets")
    found = []
    for bucket in buckets.values() if isinstance(buckets, dict) else ():
        sides = bucket.get("resolution") if isinstance(bucket, dict) else None
        if isinstance(sides, list):
            found.append((bucket.get("count"), " x ".join(map(str, sides))))
    return ", ".join(f"{size} ({number})" for number, size in found) or _plain(text)


def _datasets(text: str) -> str:
    found = json_of(text)
    if not isinstance(found, list):
        return _plain(text)
    described = []
    for dataset in found:
        if isinstance(dataset, dict):
            parts = [_images(dataset.get("num_train_images"))]
            if "resolution" in dataset:
                parts.append(f"at {_size(str(dataset['resolution']))}")
            if "batch_size_per_device" in dataset:
                parts.append(f"batch {dataset['batch_size_per_device']}")
            described.append(" ".join(parts))
    return "; ".join(described)


def _arguments(text: str) -> str:
    return ", ".join(f"{key}={value}" for key, value in table_of(text).items()) or _plain(text)


def _picture(text: str) -> str:
    return f"a picture ({count(len(text), 'letter')} of data)" if text.startswith("data:") else _plain(text)


def _table(text: str) -> str:
    found = table_of(text)
    return ", ".join(found) or _plain(text)


# Group -> entry without its beginning -> (title, how its text is read).
_SS: dict[str, dict[str, tuple[str, Read]]] = {
    "model": {
        "base_model_version": ("base model version", _plain), "sd_model_name": ("base model", _plain), "sd_model_hash": ("base's AutoV1", _plain),
        "new_sd_model_hash": ("base's SHA256", _plain), "vae_name": ("VAE", _plain), "vae_hash": ("VAE's AutoV1", _plain),
        "new_vae_hash": ("VAE's SHA256", _plain), "v2": ("Stable Diffusion 2", _yes), "clip_skip": ("clip skip", _number),
        "max_token_length": ("most tokens of a caption", _number), "model_type": ("model type", _plain),
        "model_prediction_type": ("prediction type", _plain), "zero_terminal_snr": ("zero terminal SNR", _yes),
        "apply_t5_attn_mask": ("T5's padding masked", _yes),
    },
    "network": {
        "network_module": ("network module", _plain), "network_dim": ("rank", _number), "network_alpha": ("alpha", _number),
        "network_args": ("network arguments", _arguments), "network_dropout": ("network dropout", _number),
        "scale_weight_norms": ("most norm of a layer", _number),
    },
    "training": {
        "output_name": ("name", _plain), "training_comment": ("comment", _plain), "training_started_at": ("started", _time),
        "training_finished_at": ("finished", _time), "session_id": ("session", _plain), "sd_scripts_commit_hash": ("sd-scripts commit", _plain),
        "epoch": ("epoch", _number), "num_epochs": ("epochs planned", _number), "steps": ("steps", _number),
        "max_train_steps": ("steps planned", _number), "num_batches_per_epoch": ("batches per epoch", _number),
        "learning_rate": ("learning rate", _number), "unet_lr": ("denoiser's learning rate", _number),
        "text_encoder_lr": ("text encoders' learning rate", _plain), "lr_scheduler": ("schedule", _plain), "lr_warmup_steps": ("warmup steps", _number),
        "optimizer": ("optimizer", _plain), "max_grad_norm": ("most gradient norm", _number), "gradient_accumulation_steps": ("gradient accumulation", _number),
        "gradient_checkpointing": ("gradient checkpointing", _yes), "mixed_precision": ("mixed precision", _plain), "full_fp16": ("weights in fp16", _yes),
        "fp8_base": ("base in fp8", _yes), "fp8_base_unet": ("denoiser in fp8", _yes), "lowram": ("base loaded into GPU memory", _yes),
        "seed": ("seed", _plain), "noise_offset": ("noise offset", _number), "noise_offset_random_strength": ("noise offset of random strength", _yes), "adaptive_noise_scale": ("adaptive noise scale", _number),
        "multires_noise_iterations": ("multires noise iterations", _number), "multires_noise_discount": ("multires noise discount", _number),
        "ip_noise_gamma": ("input perturbation", _number), "ip_noise_gamma_random_strength": ("input perturbation of random strength", _yes), "min_snr_gamma": ("Min-SNR gamma", _number), "loss_type": ("loss", _plain),
        "huber_schedule": ("Huber schedule", _plain), "huber_c": ("Huber c", _number), "huber_scale": ("Huber scale", _number), "debiased_estimation": ("debiased estimation", _yes),
        "prior_loss_weight": ("weight of regularisation", _number), "caption_dropout_rate": ("caption dropout", _number),
        "caption_dropout_every_n_epochs": ("epochs without captions, one in", _number), "caption_tag_dropout_rate": ("tag dropout", _number), "timestep_sampling": ("timestep sampling", _plain), "guidance_scale": ("guidance", _number),
        "discrete_flow_shift": ("flow shift", _number), "sigmoid_scale": ("sigmoid scale", _number), "weighting_scheme": ("weighting", _plain),
        "logit_mean": ("mean of logit-normal timesteps", _number), "logit_std": ("deviation of logit-normal timesteps", _number), "mode_scale": ("mode scale", _number),
        "validate_every_n_epochs": ("epochs from one validation to the next", _number), "validate_every_n_steps": ("steps from one validation to the next", _number),
        "max_validation_steps": ("most steps of a validation", _number), "validation_seed": ("seed of the validation", _plain),
    },
    "data": {
        "num_train_images": ("images with repeats", _number), "num_reg_images": ("regularisation images", _number),
        "num_validation_images": ("held-out images", _number), "resolution": ("resolution", _size), "batch_size_per_device": ("batch size", _number),
        "total_batch_size": ("batch size on all devices", _number), "enable_bucket": ("buckets", _yes), "bucket_no_upscale": ("no upscaling into buckets", _yes),
        "min_bucket_reso": ("smallest side of a bucket", _number), "max_bucket_reso": ("largest side of a bucket", _number),
        "bucket_info": ("images by bucket", _buckets), "dataset_dirs": ("folders", _folders), "reg_dataset_dirs": ("regularisation folders", _folders),
        "datasets": ("datasets", _datasets), "tag_frequency": ("tags", _tags), "shuffle_caption": ("tags shuffled", _yes), "keep_tokens": ("tags kept in front", _number),
        "flip_aug": ("mirrored", _yes), "color_aug": ("colours changed", _yes), "random_crop": ("cropped at random", _yes), "cache_latents": ("latents cached", _yes),
        "resize_interpolation": ("images resized with", _plain), "face_crop_aug_range": ("cropped about faces", _plain), "validation_split": ("share held out", _number),
    },
}  # fmt: skip
_SPEC: dict[str, tuple[str, Read]] = {
    "title": ("title", _plain), "author": ("author", _plain), "license": ("licence", _plain), "description": ("description", _plain),
    "trigger_phrase": ("trigger", _plain), "usage_hint": ("usage", _plain), "tags": ("tags", _plain), "thumbnail": ("thumbnail", _picture),
    "date": ("date", _plain), "architecture": ("architecture", _plain), "implementation": ("implementation", _plain),
    "implementation_version": ("written by", _plain), "resolution": ("resolution", _size), "prediction_type": ("prediction type", _plain),
    "encoder_layer": ("clip skip", _number), "preprocessor": ("preprocessor", _plain), "is_negative_embedding": ("negative embedding", _yes), "merged_from": ("merged from", _plain), "timestep_range": ("timesteps", _plain),
    "hash_sha256": ("SHA256 of the tensors, as written", _plain), "sai_model_spec": ("ModelSpec version", _plain),
}  # fmt: skip
_OWN: dict[str, tuple[str, str, Read]] = {
    "sshs_model_hash": ("hashes", "sshs_model_hash, as written", _plain), "sshs_legacy_hash": ("hashes", "sshs_legacy_hash, as written", _plain),
    "lorasmith_weight": ("description", "weight to use it at", _number), "lorasmith_settings": ("training", "Lorasmith's settings", _table), "lorasmith_inputs": ("data", "Lorasmith's inputs, by their hashes", _table),
    "lorasmith_alphas": ("network", "alphas, which are in the weights", _plain), "lora_adapter_metadata": ("network", "peft's configuration", _arguments),
    "adapter_config.json": ("network", "peft's adapter_config.json", _arguments),
}  # fmt: skip
WORDS: dict[str, tuple[str, str, Read]] = {
    **{f"ss_{name}": (group, *words) for group, entries in _SS.items() for name, words in entries.items()},
    **{f"modelspec.{name}": ("description", *words) for name, words in _SPEC.items()},
    **_OWN,
}
"""Key -> group, title, how its text is read."""
GROUPS = ("description", "model", "network", "training", "data", "hashes", "other")
NOTHING_HASHED = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def said_in(metadata: Mapping[str, Any]) -> tuple[Said, ...]:
    """What a file says of itself, by group; entries in which a trainer wrote that there is nothing (None, empty) are left out."""
    found = []
    for key, value in metadata.items():
        text = str(value)
        if text.strip() in ("", "None", "{}", "[]"):
            continue
        group, title, read = WORDS.get(key, ("other", key, _plain))
        found.append(Said(key, group, title, read(text), partial=read is _table and bool(table_of(text))))
    if (time := _training_time(metadata)) is not None:
        found.append(Said("", "training", "training time", time))
    if metadata.get("sshs_model_hash") == NOTHING_HASHED:
        found.append(
            Said("", "hashes", "note", "sshs_model_hash is that of nothing, by a fault of the trainer: sites take the file for another")
        )
    order = list(WORDS)
    return tuple(
        sorted(found, key=lambda said: (GROUPS.index(said.group), order.index(said.key) if said.key in order else len(order), said.key))
    )


def _training_time(metadata: Mapping[str, Any]) -> str | None:
    try:
        seconds = float(metadata["ss_training_finished_at"]) - float(metadata["ss_training_started_at"])
    except (KeyError, ValueError):
        return None
    return duration(seconds) if 0 < seconds < 10**9 else None
