"""The metadata of a LoRA file, in kohya's names (`ss_*`) and by ModelSpec (`modelspec.*`): what the UIs show of it.

There is no time stamp among them, so that a file depends on its content alone (decision 0004).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lorasmith.adapters.kinds.kind import Kind
from lorasmith.errors import AdapterError
from lorasmith.models.families import FAMILIES
from lorasmith.models.family import SdScripts
from lorasmith.registry import nearest

# What else kohya writes under ss_, each known name without it; what is given is written, the rest is left out.
OPTIONS = frozenset(
    [
        "adaptive_noise_scale",
        "apply_t5_attn_mask",
        "bucket_no_upscale",
        "cache_latents",
        "caption_dropout_every_n_epochs",
        "caption_dropout_rate",
        "caption_tag_dropout_rate",
        "color_aug",
        "datasets",
        "debiased_estimation",
        "discrete_flow_shift",
        "face_crop_aug_range",
        "flip_aug",
        "fp8_base",
        "fp8_base_unet",
        "full_fp16",
        "gradient_checkpointing",
        "guidance_scale",
        "huber_c",
        "huber_scale",
        "huber_schedule",
        "ip_noise_gamma",
        "ip_noise_gamma_random_strength",
        "keep_tokens",
        "logit_mean",
        "logit_std",
        "loss_type",
        "lowram",
        "max_bucket_reso",
        "max_token_length",
        "max_validation_steps",
        "min_bucket_reso",
        "mode_scale",
        "model_prediction_type",
        "model_type",
        "multires_noise_discount",
        "multires_noise_iterations",
        "network_dropout",
        "noise_offset_random_strength",
        "num_validation_images",
        "prior_loss_weight",
        "random_crop",
        "reg_dataset_dirs",
        "resize_interpolation",
        "scale_weight_norms",
        "sd_model_hash",
        "shuffle_caption",
        "sigmoid_scale",
        "timestep_sampling",
        "total_batch_size",
        "vae_hash",
        "vae_name",
        "new_vae_hash",
        "validate_every_n_epochs",
        "validate_every_n_steps",
        "validation_seed",
        "validation_split",
        "weighting_scheme",
        "zero_terminal_snr",
    ]
)
_SPEC = frozenset(
    [
        "author",
        "description",
        "license",
        "tags",
        "usage_hint",
        "thumbnail",
        "merged_from",
        "trigger_phrase",
        "preprocessor",
        "is_negative_embedding",
        "timestep_range",
        "encoder_layer",
    ]
)


def base_model_version(family: str, prediction_type: str) -> str:
    """kohya's name of a base, by its family and prediction type; the family's own name where kohya's trainer does not have it."""
    theirs = FAMILIES[family].sd_scripts
    return family if theirs is None else theirs.base_model_version[prediction_type]


def is_v2(version: str) -> bool:
    """`ss_v2` of a base model version: whether the base is a Stable Diffusion 2.x."""
    return any(theirs.v2 and version in theirs.architecture for theirs in _sd_scripts())


def architecture_of(version: str) -> tuple[str, str]:
    """`modelspec.architecture` without "/lora", and `modelspec.implementation`, of a base model version.

    Raises:
        AdapterError: there is no such version.
    """
    known = {name: (name, "diffusers") for name, family in FAMILIES.items() if family.sd_scripts is None}
    known |= {name: names for theirs in _sd_scripts() for name, names in theirs.architecture.items()}
    if version not in known:
        raise AdapterError(f"There is no base model version '{version}'; {nearest(version, known)}", code="metadata.version")
    return known[version]


def _sd_scripts() -> list[SdScripts]:
    return [family.sd_scripts for family in FAMILIES.values() if family.sd_scripts is not None]


def network_module(kind: Kind, family: str) -> str:
    """The trainers' module that would read a network of this kind; the UIs and other tools recognise the kind by it."""
    theirs = FAMILIES[family].sd_scripts
    if kind.algo is not None:
        return "lycoris.kohya"
    return "networks.lora" if theirs is None else theirs.network_module


@dataclass(frozen=True, kw_only=True)
class TrainingFacts:
    """What a LoRA file says about its training. Counts of images include repeats, as kohya counts them."""

    output_name: str
    base_model_version: str
    """Such as sd_v1, sd_v2_v (v: trained on v-prediction) or sdxl_base_v1-0; see the function of this name."""
    network_dim: int | str
    """The rank; "Dynamic" where it differs from layer to layer."""
    network_alpha: float | str
    resolution: tuple[int, int]
    """Width and height in pixels."""
    learning_rate: float
    unet_lr: float | None
    text_encoder_lr: float | None
    optimizer: str
    """Class path, with the arguments in brackets where some were given: torch.optim.adamw.AdamW(weight_decay=0.01)."""
    lr_scheduler: str
    num_train_images: int
    num_epochs: int
    epoch: int
    """Epochs done when the file was written, from 1."""
    max_train_steps: int
    steps: int
    """Steps done when the file was written."""
    seed: int
    mixed_precision: str
    """no, fp16 or bf16."""

    network_module: str = "networks.lora"
    """See the function of this name."""
    network_args: Mapping[str, object] = field(default_factory=dict)
    """Further settings of the network, in the trainers' names, such as {"algo": ..., "conv_dim": "4"}."""
    title: str | None = None
    """Shown by the UIs; the output name where none is given."""
    prediction_type: str | None = "epsilon"
    """epsilon or v; None for flow models, which have none in their files."""
    clip_skip: int | None = None
    min_snr_gamma: float | None = None
    noise_offset: float | None = None
    lr_warmup_steps: float = 0
    max_grad_norm: float = 0.0
    """0: gradients are not clipped."""
    batch_size: int | None = 1
    """Images on one device at once; None where the datasets differ."""
    gradient_accumulation_steps: int = 1
    num_batches_per_epoch: int | None = None
    num_reg_images: int = 0
    base_model_name: str | None = None
    base_model_sha256: str | None = None
    comment: str | None = None
    tag_frequency: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Folder -> tag -> in how many of its captions."""
    dataset_dirs: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Folder -> {"n_repeats": ..., "img_count": ...}."""
    bucket_info: Mapping[str, Any] | None = None
    """{"buckets": {"0": {"resolution": [width, height], "count": ...}}, "mean_img_ar_error": ...}; None without buckets."""
    options: Mapping[str, object] = field(default_factory=dict)
    """Further settings in kohya's names, without the ss_; one of OPTIONS. Lists and tables become JSON."""
    spec: Mapping[str, str] = field(default_factory=dict)
    """Further modelspec entries, without the modelspec. in front: author, description, license, tags, trigger_phrase ..."""
    software: str = "lorasmith"
    """Name and, after a slash, version of what trained it."""
    extra: Mapping[str, str] = field(default_factory=dict)
    """Further metadata under names of its own, say the settings and the hashes of the inputs."""


# Fields of TrainingFacts that are written under their own name with ss_ in front, as they are.
_PLAIN = (
    "network_module", "network_dim", "base_model_version", "clip_skip", "output_name", "learning_rate", "unet_lr", "text_encoder_lr",
    "optimizer", "lr_scheduler", "lr_warmup_steps", "noise_offset", "mixed_precision", "seed", "gradient_accumulation_steps",
    "num_train_images", "num_reg_images", "num_batches_per_epoch", "num_epochs", "epoch", "max_train_steps", "steps",
)  # fmt: skip


def kohya_metadata(facts: TrainingFacts) -> dict[str, str]:
    """The metadata of a LoRA file, in kohya's names and formats (every value is a string, None is 'None').

    `save_lora` adds the hashes of the content. kohya's times and session number are left out on purpose.

    Raises:
        AdapterError: an unknown base model version, option or modelspec entry.
    """
    for given, known, what in ((facts.options, OPTIONS, "ss_"), (facts.spec, _SPEC, "modelspec.")):
        if unknown := sorted(given.keys() - known):
            raise AdapterError(f"There is no metadata {what}{unknown[0]}; {nearest(unknown[0], sorted(known))}", code="metadata.unknown")
    entries = {**_ss_entries(facts), **_modelspec_entries(facts)}
    if clash := sorted(entries.keys() & facts.extra.keys()):
        raise AdapterError(f"The extra metadata sets {clash[0]}, which has its own field: choose another name.", code="metadata.clash")
    return {key: str(value) for key, value in entries.items()} | dict(facts.extra)


def _ss_entries(facts: TrainingFacts) -> dict[str, object]:
    """What kohya writes, under ss_."""
    entries: dict[str, object] = {f"ss_{name}": getattr(facts, name) for name in _PLAIN}
    entries |= {
        "ss_network_alpha": facts.network_alpha if isinstance(facts.network_alpha, str) else float(facts.network_alpha),
        "ss_v2": is_v2(facts.base_model_version),
        "ss_sd_model_name": facts.base_model_name,
        "ss_new_sd_model_hash": facts.base_model_sha256,
        "ss_training_comment": facts.comment,
        "ss_max_grad_norm": float(facts.max_grad_norm),
        "ss_min_snr_gamma": None if facts.min_snr_gamma is None else float(facts.min_snr_gamma),
        "ss_tag_frequency": json.dumps(facts.tag_frequency),
        "ss_dataset_dirs": json.dumps(facts.dataset_dirs),
    }
    if facts.batch_size is not None:  # kohya's folder mode; otherwise each dataset has its own in ss_datasets
        entries |= {
            "ss_batch_size_per_device": facts.batch_size,
            "ss_resolution": facts.resolution,
            "ss_enable_bucket": facts.bucket_info is not None,
        }
    if facts.network_args:
        entries["ss_network_args"] = json.dumps(facts.network_args)
    if facts.bucket_info is not None:
        entries["ss_bucket_info"] = json.dumps(facts.bucket_info)
    return entries | {f"ss_{name}": json.dumps(value) if isinstance(value, list | dict) else value for name, value in facts.options.items()}


def _modelspec_entries(facts: TrainingFacts) -> dict[str, object]:
    """What ModelSpec asks for, under modelspec."""
    architecture, implementation = architecture_of(facts.base_model_version)
    width, height = facts.resolution
    entries: dict[str, object] = {
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.architecture": f"{architecture}/lora",
        "modelspec.implementation": implementation,
        "modelspec.implementation_version": facts.software,
        "modelspec.title": facts.title or facts.output_name,
        "modelspec.resolution": f"{width}x{height}",
    }
    if facts.prediction_type is not None:
        entries["modelspec.prediction_type"] = facts.prediction_type
    if facts.clip_skip is not None:
        entries["modelspec.encoder_layer"] = facts.clip_skip
    return entries | {f"modelspec.{name}": value for name, value in facts.spec.items()}
