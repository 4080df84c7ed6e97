"""LoRA files: what is in one, writing and reading them.

A file is a safetensors file in kohya's layout, three tensors a layer:

    <name>.lora_down.weight    <name>.lora_up.weight    <name>.alpha (a single number; strength 1 means alpha / rank)

and a table of strings, the metadata, which the UIs show: `ss_*` (kohya), `sshs_*` (hashes of the content) and
`modelspec.*` (https://github.com/Stability-AI/ModelSpec). A file depends on its content alone: same weights and facts,
same bytes. There is no time stamp in it, and names and metadata are sorted, so a resumed run can be compared with an
uninterrupted one by their hashes.
"""

from __future__ import annotations

import difflib
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from lorasmith.atomic import write_atomically
from lorasmith.errors import AdapterError

DOWN, UP, ALPHA = ".lora_down.weight", ".lora_up.weight", ".alpha"


@dataclass(frozen=True)
class LoraFile:
    """What a LoRA file holds: tensors by key, on the CPU, in the file's dtype; and its metadata."""

    tensors: dict[str, Tensor]
    metadata: dict[str, str]


# ---- reading


def load_lora(path: str | Path) -> LoraFile:
    """Read a LoRA file in kohya's layout; safetensors only, nothing in it is run. Other layouts: see `dialects`.

    Raises:
        AdapterError: no such file, no safetensors file, cut short, or no LoRA in it.
    """
    file = load_tensors(path)
    if not any(key.endswith(DOWN) for key in file.tensors):
        raise AdapterError(f"{path} has no LoRA in kohya's layout (no '{DOWN[1:]}'): it is another kind of network, or a whole model.")
    return file


def load_tensors(path: str | Path) -> LoraFile:
    """Read a safetensors file, whatever is in it; nothing in it is run.

    Raises:
        AdapterError: no such file, no safetensors file, or cut short.
    """
    path = Path(path)
    if not path.is_file():
        raise AdapterError(f"There is no LoRA file {path}: check the name.")
    if path.suffix in (".pt", ".pth", ".ckpt", ".bin"):
        raise AdapterError(f"{path} is a pickle, which can run code when it is opened: convert it to safetensors first.")
    try:
        with safe_open(path, framework="pt", device="cpu") as opened:
            # Cloned: what safe_open gives is a window on the file, which may be replaced while we hold it.
            tensors = {key: opened.get_tensor(key).clone() for key in opened.keys()}  # noqa: SIM118, it has no iterator
            metadata = dict(opened.metadata() or {})
    except SafetensorError as error:
        raise AdapterError(f"{path} is no safetensors file, or is cut short ({error}): fetch it again.") from None
    return LoraFile(tensors, metadata)


# ---- writing


def save_lora(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str], dtype: torch.dtype) -> None:
    """Write a LoRA file, all tensors in `dtype`, and add the hashes of its content to the metadata.

    The file appears whole or not at all: it is written beside, flushed to the disk, and renamed.
    """
    path = Path(path)
    content = _with_hashes(tensors, metadata, dtype)
    write_atomically(path, content)


def _with_hashes(tensors: Mapping[str, Tensor], metadata: Mapping[str, str], dtype: torch.dtype) -> bytes:
    # kohya's old hash covers the ss_ metadata but not the hashes themselves, so it is taken of a first draft.
    draft = io.BytesIO(_serialize(tensors, {key: value for key, value in metadata.items() if key.startswith("ss_")}, dtype))
    hashes = {"sshs_model_hash": model_hash(draft), "sshs_legacy_hash": legacy_hash(draft)}
    return _serialize(tensors, {**metadata, **hashes}, dtype)


def _serialize(tensors: Mapping[str, Tensor], metadata: Mapping[str, str], dtype: torch.dtype) -> bytes:
    """A safetensors file. The safetensors library orders the metadata by chance, differently in each process."""
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))}
    parts: list[bytes] = []
    end = 0
    for key, tensor in sorted(tensors.items()):
        data = tensor.detach().to("cpu", dtype).contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        header[key] = {"dtype": _DTYPES[dtype], "shape": list(tensor.shape), "data_offsets": [end, end + len(data)]}
        parts.append(data)
        end += len(data)
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join((len(text).to_bytes(8, "little"), text, *parts))


_DTYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}


# ---- hashes


def model_hash(file: BinaryIO) -> str:
    """sha256 of all tensor bytes of an open safetensors file: 64 hex digits.

    The metadata does not count. kohya writes it as `sshs_model_hash`; its first 12 digits are Civitai's AutoV3.
    """
    file.seek(0)
    file.seek(8 + int.from_bytes(file.read(8), "little"))
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def legacy_hash(file: BinaryIO) -> str:
    """The old hash of A1111 (AutoV1, `sshs_legacy_hash`): the sha256 of 64 KiB at 1 MiB, cut to 8 hex digits.

    All files under 1 MiB have the same: e3b0c442, that of nothing.
    """
    file.seek(0x100000)
    return hashlib.sha256(file.read(0x10000)).hexdigest()[:8]


# ---- metadata

# ss_base_model_version -> modelspec.architecture without its "/lora", modelspec.implementation
_MODELSPEC = {
    "sd_v1": ("stable-diffusion-v1", "diffusers"),
    "sd_v1_v": ("stable-diffusion-v1", "diffusers"),
    "sd_v2": ("stable-diffusion-v2-512", "diffusers"),
    "sd_v2_v": ("stable-diffusion-v2-768-v", "diffusers"),
    "sdxl_base_v1-0": ("stable-diffusion-xl-v1-base", "https://github.com/Stability-AI/generative-models"),
    "flux1": ("flux-1-dev", "https://github.com/black-forest-labs/flux"),
}
_VERSIONS = {"sd1": "sd_v1", "sd2": "sd_v2", "sdxl": "sdxl_base_v1-0", "flux": "flux1"}

# What else kohya writes under ss_, each known name without it; what is told goes in, the rest stays out.
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
    """kohya's name of a base, by our family and what the base predicts ("epsilon", "v_prediction" or "flow")."""
    version = _VERSIONS[family]
    return f"{version}_v" if prediction_type == "v_prediction" and family in ("sd1", "sd2") else version


def network_module(kind: str, family: str) -> str:
    """The module of the trainers that would read a network of this kind; the UIs and other tools tell the kind by it."""
    if kind in ("lora", "dylora"):  # a DyLoRA is written as a plain LoRA
        return "networks.lora_flux" if family == "flux" else "networks.lora"
    return "lycoris.kohya"


@dataclass(frozen=True, kw_only=True)
class TrainingFacts:
    """What a LoRA file tells of its training. Counts of pictures include repeats, as kohya counts them."""

    output_name: str
    base_model_version: str
    """One of sd_v1, sd_v1_v, sd_v2, sd_v2_v (v: trained on v-prediction), sdxl_base_v1-0, flux1; see the function of this name."""
    network_dim: int | str
    """The rank; "Dynamic" where it differs from layer to layer."""
    network_alpha: float | str
    resolution: tuple[int, int]
    """Width and height in pixels."""
    learning_rate: float
    unet_lr: float | None
    text_encoder_lr: float | None
    optimizer: str
    """Class path, and arguments in brackets where some were given: torch.optim.adamw.AdamW(weight_decay=0.01)."""
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
    """What else was said about the network, in the trainers' names: {"algo": "loha", "conv_dim": "4"}."""
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
    """Pictures on one device at once; None where the datasets differ."""
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


def kohya_metadata(facts: TrainingFacts) -> dict[str, str]:
    """The metadata of a LoRA file, in kohya's names and formats (every value is a string, None is 'None').

    The hashes of the content are added by `save_lora`. kohya's times and session number are left out on purpose.

    Raises:
        AdapterError: an unknown base model version, option or modelspec entry.
    """
    if facts.base_model_version not in _MODELSPEC:
        raise AdapterError(f"Unknown base model version '{facts.base_model_version}': one of {', '.join(_MODELSPEC)}.")
    for given, known, what in ((facts.options, OPTIONS, "ss_"), (facts.spec, _SPEC, "modelspec.")):
        if unknown := sorted(given.keys() - known):
            near = difflib.get_close_matches(unknown[0], known, 1)
            raise AdapterError(f"There is no metadata {what}{unknown[0]}{f': did you mean {near[0]}?' if near else '.'}")
    architecture, implementation = _MODELSPEC[facts.base_model_version]
    width, height = facts.resolution
    plain: dict[str, object] = {
        "ss_network_module": facts.network_module,
        "ss_network_dim": facts.network_dim,
        "ss_network_alpha": facts.network_alpha if isinstance(facts.network_alpha, str) else float(facts.network_alpha),
        "ss_base_model_version": facts.base_model_version,
        "ss_v2": facts.base_model_version.startswith("sd_v2"),
        "ss_sd_model_name": facts.base_model_name,
        "ss_new_sd_model_hash": facts.base_model_sha256,
        "ss_clip_skip": facts.clip_skip,
        "ss_output_name": facts.output_name,
        "ss_training_comment": facts.comment,
        "ss_learning_rate": facts.learning_rate,
        "ss_unet_lr": facts.unet_lr,
        "ss_text_encoder_lr": facts.text_encoder_lr,
        "ss_optimizer": facts.optimizer,
        "ss_lr_scheduler": facts.lr_scheduler,
        "ss_lr_warmup_steps": facts.lr_warmup_steps,
        "ss_max_grad_norm": float(facts.max_grad_norm),
        "ss_min_snr_gamma": None if facts.min_snr_gamma is None else float(facts.min_snr_gamma),
        "ss_noise_offset": facts.noise_offset,
        "ss_mixed_precision": facts.mixed_precision,
        "ss_seed": facts.seed,
        "ss_gradient_accumulation_steps": facts.gradient_accumulation_steps,
        "ss_num_train_images": facts.num_train_images,
        "ss_num_reg_images": facts.num_reg_images,
        "ss_num_batches_per_epoch": facts.num_batches_per_epoch,
        "ss_num_epochs": facts.num_epochs,
        "ss_epoch": facts.epoch,
        "ss_max_train_steps": facts.max_train_steps,
        "ss_steps": facts.steps,
        "ss_tag_frequency": json.dumps(facts.tag_frequency),
        "ss_dataset_dirs": json.dumps(facts.dataset_dirs),
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.architecture": f"{architecture}/lora",
        "modelspec.implementation": implementation,
        "modelspec.implementation_version": facts.software,
        "modelspec.title": facts.title or facts.output_name,
        "modelspec.resolution": f"{width}x{height}",
    }
    if facts.batch_size is not None:  # kohya's folder mode; otherwise these stand in ss_datasets, each dataset's own
        plain |= {
            "ss_batch_size_per_device": facts.batch_size,
            "ss_resolution": (width, height),
            "ss_enable_bucket": facts.bucket_info is not None,
        }
    if facts.network_args:
        plain["ss_network_args"] = json.dumps(facts.network_args)
    if facts.bucket_info is not None:
        plain["ss_bucket_info"] = json.dumps(facts.bucket_info)
    if facts.prediction_type is not None:
        plain["modelspec.prediction_type"] = facts.prediction_type
    if facts.clip_skip is not None:
        plain["modelspec.encoder_layer"] = facts.clip_skip
    plain |= {f"ss_{name}": json.dumps(value) if isinstance(value, list | dict) else value for name, value in facts.options.items()}
    plain |= {f"modelspec.{name}": value for name, value in facts.spec.items()}
    if clash := sorted(plain.keys() & facts.extra.keys()):
        raise AdapterError(f"The extra metadata sets {clash[0]}, which has its own field: choose another name.")
    return {key: str(value) for key, value in plain.items()} | dict(facts.extra)


def without_training(metadata: Mapping[str, str]) -> dict[str, str]:
    """The metadata without anything about the data and the training: what a UI needs to know the network, and modelspec."""
    kept = {f"ss_{name}" for name in ("v2", "base_model_version", "network_module", "network_dim", "network_alpha", "network_args")}
    return {key: value for key, value in metadata.items() if key in kept or key.startswith("modelspec.")}
