"""Settings of ai-toolkit (ostris): a job in YAML or JSON, with one process that trains a LoRA.

Defaults are those of toolkit/config_modules.py at f699f4b, toolkit/optimizer.py at 016777a and toolkit/scheduler.py at 01c9f83.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lorasmith.captions.marks import PLACEHOLDER
from lorasmith.dotted import dotted
from lorasmith.errors import SettingsError
from lorasmith.models.families import FAMILIES
from lorasmith.training.importers import option_rows as rows
from lorasmith.training.importers.documents import read_json, read_yaml
from lorasmith.training.importers.draft import Check, Draft
from lorasmith.training.importers.found import typed
from lorasmith.training.importers.option_table import OptionTable, Row, family_or_refusal, fits, number_or, take_one

TRAINER = "ai-toolkit"
_TRAINERS = ("sd_trainer", "ui_trainer", "diffusion_trainer")
_TIMESTEPS = {
    "sigmoid": ("sigmoid", ""), "linear": ("uniform", "the same by its name here"), "weighted": ("uniform", "without its weights, which are not offered"),
    **dict.fromkeys(("shift", "flux_shift", "lumina2_shift"), ("flux_shift", "it shifts evenly spread timesteps there, and normal ones here")),
}  # fmt: skip
_EPS = {"eps": 1e-6}
_OPTIMIZER_DEFAULTS = dict.fromkeys(
    ("adam", "adamw", "adam8bit", "adamw8bit", "ademamix8bit", "prodigy", "dadaptation", "dadaptationadam", "dadaptationlion"), _EPS
)

DEFAULTS: dict[str, Any] = {
    "network.linear_alpha": 1.0, "train.lr": 1e-6, "train.lr_scheduler": "constant", "train.steps": 1000, "train.train_text_encoder": False,
    "train.gradient_checkpointing": True, "train.min_snr_gamma": 0.0, "train.optimizer": "adamw", "save.save_every": 1000,
}  # fmt: skip
"""Option -> its default, where that is another than ours."""
SAMPLE_DEFAULTS: dict[str, Any] = {
    "sample.sample_every": 100, "sample.width": 512, "sample.height": 512, "sample.guidance_scale": 7.0, "sample.sample_steps": 20, "sample.seed": 0,
}  # fmt: skip


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
    options = dotted({key: value for key, value in process.items() if key != "type"})
    _take_rate(draft, options)
    _take_average(draft, options)
    TABLE.take(draft, options)
    _fill_in(draft, options, family)
    notes = [f"The job has {len(processes)} processes; this is the first."] if len(processes) > 1 else []
    return "a job of ai-toolkit", draft, fits(family), notes


def _family(model: Any, file: Path) -> str | None:
    """The family that the job names, by a switch such as is_xl or by arch; None where it leaves it open, as for Stable Diffusion 1."""
    if not isinstance(model, Mapping):
        return None
    switch = next((str(name) for name, value in model.items() if str(name).startswith("is_") and name != "is_v_pred" and value is True), "")
    return family_or_refusal(switch or str(model.get("arch") or "").partition(":")[0], file, TRAINER)


def _take_datasets(draft: Draft, datasets: Any) -> None:
    """The folders; one with several resolutions is a folder for each of them, as there."""
    listed = [each for each in datasets if isinstance(each, Mapping)] if isinstance(datasets, list) else []
    folders = [(number, folder, side) for number, folder in enumerate(listed) for side in _sides(folder.get("resolution"))]
    sizes = {side for _, _, side in folders}
    if sizes - {512}:
        draft.put(
            "datasets.resolution",
            "buckets.resolution",
            max(sizes),
            "the largest of them; each folder has its own" if len(sizes) > 1 else "",
        )
    for ours, (theirs, folder, side) in enumerate(folders):
        known = _rows_of_folder(f"datasets.{ours}")
        named = {f"datasets.{theirs}.{name}": row for name, row in known.items()}
        left = {f"datasets.*.{name}": why for name, why in _LEFT_OF_FOLDERS.items()}
        options = {key: value for key, value in folder.items() if key not in ("resolution", "type")}
        table = OptionTable(TRAINER, named, left)
        if ours and folders[ours - 1][0] == theirs:  # its findings are those of the first
            again = Draft()
            table.take(again, dotted(options, before=f"datasets.{theirs}."))
            draft.carried |= again.carried
        else:
            table.take(draft, dotted(options, before=f"datasets.{theirs}."))
        if side != max(sizes):
            draft.put(f"datasets.{theirs}.resolution", f"datasets.{ours}.resolution", side)


def _sides(resolution: Any) -> list[int]:
    """The resolutions of a folder, each once; [width, height] pairs count by their larger side."""
    listed = resolution if isinstance(resolution, list) and resolution else [resolution]
    sides = [max(side) if isinstance(side, list) and side else side for side in listed]
    return list(
        dict.fromkeys(
            int(side) if isinstance(side, int | float) and not isinstance(side, bool) and 16 <= side <= 8192 else 512 for side in sides
        )
    )


def _rows_of_folder(ours: str) -> dict[str, Row]:
    return {
        "folder_path": rows.to(f"{ours}.path", str), "dataset_path": rows.to(f"{ours}.path", str), "num_repeats": rows.to(f"{ours}.repeats", int),
        "is_reg": rows.where_on(f"{ours}.is_reg"), "caption_dropout_rate": rows.to(f"{ours}.caption_dropout_rate"),
        "token_dropout_rate": rows.over_zero(f"{ours}.caption_tag_dropout_rate"), "shuffle_tokens": rows.where_on(f"{ours}.shuffle_caption"),
        "keep_tokens": rows.over_zero(f"{ours}.keep_tokens"), "caption_ext": rows.to(f"{ours}.caption_extension", lambda value: f".{str(value).removeprefix('.')}"),
        "flip_x": rows.where_on(f"{ours}.flip_aug"), "random_crop": rows.where_on(f"{ours}.random_crop"), "mask_path": rows.to(f"{ours}.mask_path", str),
        "alpha_mask": rows.where_on(f"{ours}.alpha_mask"), "loss_multiplier": rows.to(f"{ours}.loss_weight"),
        "network_weight": lambda draft, theirs, value: None if value == 1 else draft.leave(theirs, value, "the LoRA is trained at a strength of 1"),
        "buckets": lambda draft, theirs, value: None if value else draft.leave(theirs, value, "look at buckets.enable_bucket"),
    }  # fmt: skip


_LEFT_OF_FOLDERS = {
    "cache_latents*": "latents are cached in any case",
    "cache_text_embeddings": "look at captions.cached_variants", "flip_y": "pictures are flipped left to right alone",
    "default_caption": "write captions, or name the folder", "mask_min_value": "look at loss.unmasked_weight",
    "control_path*": "it is for models that edit pictures", "controls": "it is for models that edit pictures",
    "num_frames": "it is for video", "shrink_video_to_frames": "it is for video", "do_i2v": "it is for video", "fps": "it is for video",
    "trigger_word": "captions.trigger holds for all folders; write it into this folder's captions, or set caption_prefix",
    "random_triggers*": "it is not offered", "replacements": "change the captions instead", "bucket_tolerance": "look at buckets.bucket_reso_steps",
    "random_scale": "it is not offered", "scale": "it is not offered", "square_crop": "look at buckets.enable_bucket", "augment*": "it is not offered",
    "shuffle_augmentations": "it is not offered", "num_workers": "results do not depend on it", "prefetch_factor": "results do not depend on it",
    "standardize_images": "pictures are not changed", "invert_mask": "masks are white where pictures count",
}  # fmt: skip


def _take_samples(draft: Draft, process: dict[str, Any]) -> None:
    """The prompts; newer files have them in a list of samples."""
    sample = process.get("sample")
    if not isinstance(sample, Mapping):
        return
    listed = [each.get("prompt") for each in sample.get("samples") or [] if isinstance(each, Mapping)]
    prompts = [str(prompt) for prompt in (sample.get("prompts") or listed) if prompt]
    if prompts:
        has_trigger = bool(process.get("trigger_word"))
        named = [re.sub(PLACEHOLDER, "{trigger}" if has_trigger else "", prompt).strip() for prompt in prompts]
        why = "[trigger] and [name] are {trigger} here" if has_trigger else "[trigger] and [name] are nothing there without a trigger_word"
        draft.put("sample.prompts", "samples.prompts", named, why if named != prompts else "")
    process["sample"] = {key: value for key, value in sample.items() if key not in ("prompts", "samples") and (prompts or key == "sampler")}


def _take_rate(draft: Draft, options: dict[str, Any]) -> None:
    """Optimizers that find their own rate get at least 0.1 of it, else 1, whatever the file says."""
    name, rate = str(options.get("train.optimizer") or "").lower(), number_or(1e-6, options.get("train.lr"))
    if name.startswith(("prodigy", "dadapt")) and rate < 0.1:
        options.pop("train.lr", None)
        draft.put(
            "train.lr", "optimizer.learning_rate", 1.0, f"{rate} is under 0.1, which means 1 there for an optimizer that finds its rate"
        )


def _take_average(draft: Draft, options: dict[str, Any]) -> None:
    """EMA with its decay, which is for nothing where EMA is off."""
    decay = number_or(0.999, options.pop("train.ema_config.ema_decay", None))
    if "train.ema_config.use_ema" in options:
        take_one(draft, "train.ema_config.use_ema", typed(options.pop("train.ema_config.use_ema")), rows.moving_average(decay, 1))


def _fill_in(draft: Draft, options: Mapping[str, Any], family: str | None) -> None:
    """What is left out means ai-toolkit's default, where that is another than ours."""
    is_flow = family is not None and FAMILIES[family].is_flow
    defaults = DEFAULTS | ({"train.timestep_type": "sigmoid"} if is_flow else {})
    if convolutions := draft.carried.get("network.conv_rank"):
        defaults["network.conv_alpha"] = convolutions.value
    if options.get("train.lr_scheduler") == "constant_with_warmup":
        defaults["train.lr_scheduler_params.num_warmup_steps"] = 1000
    TABLE.fill_in(draft, options, defaults)
    if draft.has("samples.prompts"):
        TABLE.fill_in(draft, options, SAMPLE_DEFAULTS)
    if is_flow:
        gamma = draft.carried.get("loss.min_snr_gamma")
        if gamma is not None and gamma.value:
            draft.remove(gamma, "it does nothing on a flow model")
        if not draft.has("loss.min_snr_gamma"):
            draft.put("(not in the file)", "loss.min_snr_gamma", 0.0, "it does nothing on a flow model")


def _save_every(draft: Draft, theirs: str, value: Any) -> None:
    draft.put(theirs, "checkpoints.save_every_n_steps", int(value))
    draft.put(theirs, "checkpoints.save_every_n_epochs", 0, "files are written by steps alone there")


def _schedule(draft: Draft, theirs: str, value: Any) -> None:
    if value == "linear":
        draft.put(theirs, "schedule.lr_scheduler", "constant", "it rises from a third of the rate to all of it there, and does not fall")
    else:
        rows.schedule(draft, theirs, value)


def _timestep_type(draft: Draft, theirs: str, value: Any) -> None:
    if value in _TIMESTEPS:
        draft.put(theirs, "flow.timestep_sampling", *_TIMESTEPS[value])
    else:
        draft.leave(theirs, value, "it is not offered; look at flow.timestep_sampling")


def _denoising_steps(ours: str) -> Row:
    """A row of an end of the timesteps, which are counted there from pure noise down: the places of a list that falls from 1000."""

    def row(draft: Draft, theirs: str, value: Any) -> None:
        if 0 < value < 999:
            draft.put(theirs, ours, 1000 - int(value), "counted from pure noise there")

    return row


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
        "trigger_word": rows.to("captions.trigger", str, "it is put in front of every caption; there, of those that do not have it"),
        "network.type": rows.kind({"lora": "lora", "locon": "lora", "lokr": "lokr"}),
        "network.linear": rows.whole_rank("network.rank"), "network.rank": rows.whole_rank("network.rank"), "network.linear_alpha": rows.to("network.alpha", float),
        "network.alpha": rows.to("network.alpha", float), "network.conv": rows.whole_rank("network.conv_rank"), "network.conv_alpha": rows.to("network.conv_alpha", float),
        "network.dropout": rows.over_zero("network.dropout"), "network.lokr_full_rank": rows.where_on("network.full_matrix", True, "the same by its name here"),
        "network.lokr_factor": rows.to("network.factor", int), "network.network_kwargs.only_if_contains": _patterns(excludes=False),
        "network.network_kwargs.ignore_if_contains": _patterns(excludes=True),
        "save.dtype": rows.precision("checkpoints.save_precision"), "save.save_every": _save_every,
        "train.batch_size": rows.to("training.batch_size", int), "train.steps": rows.to("training.max_train_steps", int),
        "train.gradient_accumulation_steps": rows.to("training.gradient_accumulation_steps", int),
        "train.gradient_accumulation": rows.to("training.gradient_accumulation_steps", int),
        "train.train_unet": rows.to("network.train_unet", bool), "train.train_text_encoder": rows.to("network.train_text_encoder", bool),
        "train.gradient_checkpointing": rows.to("training.gradient_checkpointing"), "train.optimizer": rows.optimizer(own_defaults=_OPTIMIZER_DEFAULTS),
        "train.optimizer_params.weight_decay": rows.optimizer_argument("weight_decay"), "train.optimizer_params.decouple": rows.optimizer_argument("decouple"),
        "train.optimizer_params.d_coef": rows.optimizer_argument("d_coef"), "train.optimizer_params.eps": rows.optimizer_argument("eps"),
        "train.lr": rows.to("optimizer.learning_rate", float), "train.unet_lr": rows.to("optimizer.unet_lr", float),
        "train.text_encoder_lr": rows.to("optimizer.text_encoder_lr", float), "train.lr_scheduler": _schedule,
        "train.lr_scheduler_params.num_warmup_steps": rows.to("schedule.lr_warmup_steps"), "train.optimizer_params.betas": rows.optimizer_argument("betas"),
        "train.min_denoising_steps": _denoising_steps("noise.max_timestep"), "train.max_denoising_steps": _denoising_steps("noise.min_timestep"),
        "train.reg_weight": rows.to("loss.prior_loss_weight", float),
        "train.lr_scheduler_params.warmup_steps": rows.to("schedule.lr_warmup_steps"), "train.dtype": rows.precision("training.mixed_precision"),
        "train.min_snr_gamma": rows.to("loss.min_snr_gamma", float), "train.snr_gamma": rows.to("loss.min_snr_gamma", float),
        "train.noise_offset": rows.over_zero("noise.noise_offset"), "train.max_grad_norm": rows.to("training.max_grad_norm", float), "train.seed": rows.to("training.seed", int),
        "train.timestep_type": _timestep_type,
        "model.assistant_lora_path": rows.to("base.merge", lambda value: [{"path": str(value)}], "merged while it trains, and left out of samples"),
        "model.name_or_path": rows.to("base.path", str), "model.quantize": rows.where_on("base.quantize", "fp8", "fp8 as well, with a scale for each row"),
        "model.vae_path": rows.to("base.vae", str), "model.is_v_pred": rows.where_on("base.prediction_type", "v_prediction"),
        "sample.sample_every": rows.sampled_by_steps, "sample.width": rows.to("samples.width", int), "sample.height": rows.to("samples.height", int),
        "sample.neg": rows.to("samples.negative_prompt", str), "sample.seed": rows.to("samples.seed", int), "sample.guidance_scale": rows.to("samples.cfg_scale", float),
        "sample.sample_steps": rows.to("samples.steps", int), "sample.walk_seed": lambda draft, theirs, value: (
            None if value else draft.leave(theirs, value, "prompt k is drawn with seed + k here, as with walk_seed there")),
    },
    left={
        "device": "look at training.device", "training_folder": "the run's folder holds everything; give it with: lorasmith train --out",
        "sqlite_db_path": "there is no such database", "performance_log_every": "every step is timed", "logging.*": "every run writes its own events",
        "model.is_*": "the family is found by looking at the base", "model.arch": "the family is found by looking at the base",
        "model.quantize_te": "base.quantize is for the denoiser and the text encoders that need it", "model.qtype*": "look at base.quantize",
        "model.low_vram": "look at training.gradient_checkpointing and base.quantize", "model.layer_offloading*": "it is not offered",
        "save.push_to_hub": "uploading is done apart from training", "save.hf_*": "uploading is done apart from training",
        "save.max_step_saves_to_keep": "all checkpoints are kept, since the best is often not among the last", "save.save_format": "LoRA files are safetensors",
        "sample.sampler": "a base is drawn with the sampler that suits it; look at samples.sampler", "sample.sample_start_step": "samples are drawn from the start",
        "train.noise_scheduler": "it comes with the family", "train.content_or_style": "timesteps are drawn as flow.timestep_sampling says",
        "train.cache_text_embeddings": "look at captions.cached_variants", "train.unload_text_encoder": "look at captions.cached_variants",
        "train.skip_first_sample": "the untouched base is always drawn first", "train.disable_sampling": "samples are off where there are no prompts",
        "train.linear_timesteps*": "look at flow.timestep_sampling", "train.diff_output_preservation*": "look at loss.prior_preservation",
        "train.blank_prompt_preservation*": "look at loss.prior_preservation", "train.loss_type": "look at loss.loss_type", "train.prompt_dropout_prob": "look at captions.caption_dropout_rate",
        "train.noise_multiplier": "it is not offered", "train.xformers": "torch's own attention is used", "train.sdp": "torch's own attention is used",
        "train.free_u": "it is not offered", "train.ema_config.*": "it is not offered", "train.lr_scheduler_params.*": "look at the schedule section",
        "train.optimizer_params.*": "look at optimizer.args", "train.bypass_guidance_embedding": "look at flow.guidance_scale",
        "train.standardize_*": "pictures are not changed", "model.dtype": "look at training.mixed_precision", 
        "model.model_kwargs*": "it is for another family", "model.te_name_or_path": "look at base.text_encoder", "model.split_model*": "it is not offered", "model.attn_masking": "look at base.t5_attention_mask",
        "model.text_encoder_bits": "look at base.quantize", "network.transformer_only": "look at network.preset",
        "validation.*": "held-out pictures have a folder of their own: validation.path", "meta.*": "the file's own metadata is written",
    },
)  # fmt: skip
