"""Settings of ai-toolkit (ostris): a job in YAML or JSON, with one process that trains a LoRA."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lorasmith.errors import SettingsError
from lorasmith.models.families import FAMILIES
from lorasmith.training.importers.documents import read_json, read_yaml
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
    to,
    where_on,
    whole_rank,
)  # fmt: skip

TRAINER = "ai-toolkit"
_TRAINERS = ("sd_trainer", "ui_trainer", "diffusion_trainer")
_TIMESTEPS = {"sigmoid": "sigmoid", "linear": "uniform", "shift": "shift"}


def read_ai_toolkit(file: Path) -> tuple[str, Draft, Check, Sequence[str]] | None:
    """A job as a draft; None where the file is for another importer.

    Raises:
        SettingsError: it cannot be read, or trains no LoRA of a family that is known.
    """
    is_yaml = file.suffix.lower() in (".yaml", ".yml")
    if not is_yaml and file.suffix.lower() != ".json":
        return None
    tree = read_yaml(file) if is_yaml else read_json(file)
    config = tree.get("config") if isinstance(tree, Mapping) and "job" in tree else None
    processes = config.get("process") if isinstance(config, Mapping) else None
    if not isinstance(processes, list) or not processes or not isinstance(processes[0], Mapping):
        if not is_yaml:
            return None
        raise SettingsError(
            f"{file} has no job of ai-toolkit in it. Give a file with job, config and process.", code="import.form", path=str(file)
        )
    process = dict(processes[0])
    if process.get("type") not in _TRAINERS or not isinstance(process.get("network"), Mapping):
        raise SettingsError(
            f"{file} is a job of ai-toolkit of the type {process.get('type')!r} that trains no LoRA. Give one with a network.",
            code="import.page", path=str(file),
        )  # fmt: skip
    family = _family(process.get("model"), file)
    draft = Draft()
    if config and config.get("name"):
        draft.put("config.name", "name", str(config["name"]))
    _take_datasets(draft, process.pop("datasets", []))
    _take_samples(draft, process)
    TABLE.take(draft, flat({key: value for key, value in process.items() if key != "type"}))
    _fill_in(draft, family)
    notes = [f"The job has {len(processes)} processes; this is the first."] if len(processes) > 1 else []
    return "a job of ai-toolkit", draft, fits(family), notes


def _family(model: Any, file: Path) -> str | None:
    """The family that the job names, by a switch such as is_xl or by arch; None where it leaves it open, as for Stable Diffusion 1."""
    if not isinstance(model, Mapping):
        return None
    switch = next((str(name) for name, value in model.items() if str(name).startswith("is_") and name != "is_v_pred" and value is True), "")
    return family_or_refusal(switch or str(model.get("arch") or "").partition(":")[0], file, TRAINER)


def _take_datasets(draft: Draft, datasets: Any) -> None:
    folders = [each for each in datasets if isinstance(each, Mapping)] if isinstance(datasets, list) else []
    for number, folder in enumerate(folders):
        where = f"datasets.{number}"
        rows = {
            "folder_path": to(f"{where}.path", str), "num_repeats": to(f"{where}.repeats", int), "is_reg": where_on(f"{where}.is_reg"),
            "caption_dropout_rate": to(f"{where}.caption_dropout_rate"), "flip_x": where_on(f"{where}.flip_aug"),
            "random_crop": where_on(f"{where}.random_crop"), "mask_path": to(f"{where}.mask_path", str), "alpha_mask": where_on(f"{where}.alpha_mask"),
            "loss_multiplier": to(f"{where}.loss_weight"), "resolution": lambda draft, theirs, value: None, "shuffle_tokens": lambda draft, theirs, value: None,
        }  # fmt: skip
        named = {f"{where}.{name}": row for name, row in rows.items()}
        OptionTable(TRAINER, named, {f"datasets.*.{name}": why for name, why in _LEFT_OF_FOLDERS.items()}).take(
            draft, flat(folder, f"{where}.")
        )
    sizes = [max(side) if isinstance(side, list) else side for folder in folders if (side := folder.get("resolution"))]
    if sizes:
        many = len(set(sizes)) > 1 or any(
            isinstance(folder.get("resolution"), list) and len(folder["resolution"]) > 1 for folder in folders
        )
        draft.put("datasets.resolution", "buckets.resolution", max(sizes), "the largest of them; one size is trained here" if many else "")
    shuffled = [bool(folder.get("shuffle_tokens")) for folder in folders]
    if any(shuffled):
        draft.put("datasets.shuffle_tokens", "captions.shuffle_caption", True, "" if all(shuffled) else "of all folders here")


_LEFT_OF_FOLDERS = {
    "caption_ext": "captions are read from .txt and .caption", "cache_latents*": "latents are cached in any case",
    "network_weight": "each folder counts alike; look at datasets.loss_weight", "flip_y": "pictures are flipped left to right alone",
    "default_caption": "write captions, or name the folder", "mask_min_value": "look at loss.unmasked_weight",
    "control_path*": "it is for models that edit pictures", "controls": "it is for models that edit pictures",
    "num_frames": "it is for video", "shrink_video_to_frames": "it is for video", "do_i2v": "it is for video", "fps": "it is for video",
    "buckets": "look at buckets.enable_bucket", "standardize_images": "pictures are not changed", "invert_mask": "masks are white where pictures count",
}  # fmt: skip


def _take_samples(draft: Draft, process: dict[str, Any]) -> None:
    """The prompts; newer files have them in a list of samples."""
    sample = process.get("sample")
    if not isinstance(sample, Mapping):
        return
    listed = [each.get("prompt") for each in sample.get("samples") or [] if isinstance(each, Mapping)]
    prompts = [str(prompt) for prompt in (sample.get("prompts") or listed) if prompt]
    if prompts:
        draft.put("sample.prompts", "samples.prompts", prompts)
    process["sample"] = {key: value for key, value in sample.items() if key not in ("prompts", "samples") and (prompts or key == "sampler")}


def _fill_in(draft: Draft, family: str | None) -> None:
    """What is left out means ai-toolkit's default, where that is another than ours."""
    given = {each.ours for each in draft.carried}
    for setting, default in {
        "network.alpha": 1.0,
        "optimizer.learning_rate": 1e-6,
        "schedule.lr_scheduler": "constant",
        "loss.min_snr_gamma": 0.0,
    }.items():
        if setting not in given:
            draft.put("(not in the file)", setting, default, f"left out, which means {default} there")
    if not given & {"training.max_train_steps", "training.epochs"}:
        draft.put("(not in the file)", "training.max_train_steps", 1000, "left out, which means 1000 there")
    if family is not None and FAMILIES[family].is_flow:
        for each in [each for each in draft.carried if each.ours == "loss.min_snr_gamma" and each.value]:
            draft.remove(each, "it does nothing on a flow model")


def _timestep_type(draft: Draft, theirs: str, value: Any) -> None:
    if value in _TIMESTEPS:
        draft.put(theirs, "flow.timestep_sampling", _TIMESTEPS[value], "" if _TIMESTEPS[value] == value else "the same by its name here")
    else:
        draft.leave(theirs, value, f"it is not offered; flow.timestep_sampling knows {', '.join(_TIMESTEPS.values())}")


def _patterns(excludes: bool) -> Any:
    """Layers by parts of their names."""

    def row(draft: Draft, theirs: str, value: Any) -> None:
        patterns = [f"*{re.sub(r'[.]', '?', str(word))}*" for word in (value if isinstance(value, list) else [value])]
        rules = [{"pattern": pattern, **({"exclude": True} if excludes else {})} for pattern in patterns]
        draft.put(theirs, "network.layers", rules if excludes else [*rules, {"pattern": "*", "exclude": True}], "the same as rules")

    return row


TABLE = OptionTable(
    TRAINER,
    rows={
        "trigger_word": to("captions.trigger", str),
        "network.type": kind({"lora": "lora", "locon": "lora", "lokr": "lokr"}),
        "network.linear": whole_rank("network.rank"), "network.rank": whole_rank("network.rank"), "network.linear_alpha": to("network.alpha", float),
        "network.alpha": to("network.alpha", float), "network.conv": whole_rank("network.conv_rank"), "network.conv_alpha": to("network.conv_alpha", float),
        "network.dropout": over_zero("network.dropout"), "network.lokr_full_rank": where_on("network.full_matrix", True, "the same by its name here"),
        "network.lokr_factor": to("network.factor", int), "network.network_kwargs.only_if_contains": _patterns(excludes=False),
        "network.network_kwargs.ignore_if_contains": _patterns(excludes=True),
        "save.dtype": precision("checkpoints.save_precision"), "save.save_every": to("checkpoints.save_every_n_steps", int),
        "train.batch_size": to("training.batch_size", int), "train.steps": to("training.max_train_steps", int),
        "train.gradient_accumulation_steps": to("training.gradient_accumulation_steps", int),
        "train.gradient_accumulation": to("training.gradient_accumulation_steps", int),
        "train.train_unet": to("network.train_unet", bool), "train.train_text_encoder": to("network.train_text_encoder", bool),
        "train.gradient_checkpointing": to("training.gradient_checkpointing"), "train.optimizer": optimizer(),
        "train.optimizer_params.weight_decay": optimizer_argument("weight_decay"), "train.optimizer_params.decouple": optimizer_argument("decouple"),
        "train.optimizer_params.d_coef": optimizer_argument("d_coef"), "train.optimizer_params.eps": optimizer_argument("eps"),
        "train.lr": to("optimizer.learning_rate", float), "train.unet_lr": to("optimizer.unet_lr", float),
        "train.text_encoder_lr": to("optimizer.text_encoder_lr", float), "train.lr_scheduler": schedule,
        "train.lr_scheduler_params.warmup_steps": to("schedule.lr_warmup_steps"), "train.dtype": precision("training.mixed_precision"),
        "train.min_snr_gamma": to("loss.min_snr_gamma", float), "train.snr_gamma": to("loss.min_snr_gamma", float),
        "train.noise_offset": over_zero("noise.noise_offset"), "train.max_grad_norm": to("training.max_grad_norm", float), "train.seed": to("training.seed", int),
        "train.timestep_type": _timestep_type, "train.ema_config.ema_decay": lambda draft, theirs, value: None,
        "train.ema_config.use_ema": where_on("training.ema_decay", 0.99, "a usual decay; set that of the file"),
        "model.name_or_path": to("base.path", str), "model.quantize": where_on("base.quantize", "int8", "8 bits as well, as whole numbers with a scale for each row"),
        "model.vae_path": to("base.vae", str), "model.is_v_pred": where_on("base.prediction_type", "v_prediction"),
        "sample.sample_every": to("samples.every_n_steps", int), "sample.width": to("samples.width", int), "sample.height": to("samples.height", int),
        "sample.neg": to("samples.negative_prompt", str), "sample.seed": to("samples.seed", int), "sample.guidance_scale": to("samples.cfg_scale", float),
        "sample.sample_steps": to("samples.steps", int),
    },
    left={
        "device": "look at training.device", "training_folder": "the run's folder holds everything; give it with: lorasmith train --out",
        "sqlite_db_path": "there is no such database", "performance_log_every": "every step is timed", "logging.*": "every run writes its own events",
        "model.is_*": "the family is found by looking at the base", "model.arch": "the family is found by looking at the base",
        "model.quantize_te": "base.quantize is for the denoiser and the text encoders that need it", "model.qtype*": "look at base.quantize",
        "model.low_vram": "look at training.gradient_checkpointing and base.quantize", "model.layer_offloading*": "it is not offered",
        "save.push_to_hub": "uploading is done apart from training", "save.hf_*": "uploading is done apart from training",
        "save.max_step_saves_to_keep": "all checkpoints are kept, since the best is often not among the last", "save.save_format": "LoRA files are safetensors",
        "sample.sampler": "a base is drawn with the sampler that suits it; look at samples.sampler", "sample.walk_seed": "all prompts are drawn with one seed",
        "train.noise_scheduler": "it comes with the family", "train.content_or_style": "timesteps are drawn as flow.timestep_sampling says",
        "train.cache_text_embeddings": "look at captions.cached_variants", "train.unload_text_encoder": "look at captions.cached_variants",
        "train.skip_first_sample": "the untouched base is always drawn first", "train.disable_sampling": "samples are off where there are no prompts",
        "train.linear_timesteps*": "look at flow.timestep_sampling", "train.diff_output_preservation*": "look at loss.prior_preservation",
        "train.blank_prompt_preservation*": "look at loss.prior_preservation", "train.loss_type": "look at loss.loss_type",
        "validation.*": "held-out pictures have a folder of their own: validation.path", "meta.*": "the file's own metadata is written",
    },
)  # fmt: skip
