"""Settings of OneTrainer: a JSON of its options, with its folders (concepts) and samples in it or in JSON files beside it.

A preset holds only what differs from the defaults. Those are of modules/util/config/TrainConfig.py at 00f380a and
SampleConfig.py at 2d4a0c3; schedules of modules/util/lr_scheduler_util.py at 04eb55e, warm-up of modules/util/create.py at 00f380a,
timesteps of modules/modelSetup/mixin/ModelSetupNoiseMixin.py at 0ad2768; layers of LAYER_PRESETS in modules/modelSetup/BaseFluxSetup.py at
00f380a and BaseStableDiffusionXLSetup.py at c9838c0.
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
from lorasmith.pages.numbers import count
from lorasmith.training.importers import option_rows as rows
from lorasmith.training.importers.documents import beside, read_json
from lorasmith.training.importers.draft import Check, Draft
from lorasmith.training.importers.found import typed
from lorasmith.training.importers.onetrainer_concepts import TRAINER, resolution, take_concepts
from lorasmith.training.importers.option_table import OptionTable, Row, family_or_refusal, fits, number_or, take_one


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
    return onetrainer_draft(tree, file, "settings of OneTrainer (JSON)")


def onetrainer_draft(tree: Mapping[str, Any], file: Path, form: str) -> tuple[str, Draft, Check, Sequence[str]]:
    """A tree of OneTrainer's options as a draft; `form` says in words what it was found in.

    Raises:
        SettingsError: it trains no LoRA of a family that is known.
    """
    options = dict(tree)
    method = options.pop("training_method", None) or "FINE_TUNE"
    if method != "LORA":
        raise SettingsError(
            f"{file} trains {method} with OneTrainer, and no LoRA. Give settings of a LoRA.", code="import.page", path=str(file)
        )
    named = str(options.pop("model_type", None) or "STABLE_DIFFUSION_15")
    family = family_or_refusal(named, file, TRAINER)
    draft, notes = Draft(), list[str]()
    take_concepts(draft, _listed(draft, options, "concepts", "concept_file_name", file, notes))
    samples = _listed(draft, options, "samples", "sample_definition_file_name", file, notes)
    flattened = _named_as_now(dotted(options))
    _take_samples(draft, samples, flattened)
    _take_length_and_rate(draft, flattened)
    _take_kind(draft, flattened)
    is_flow = family is not None and FAMILIES[family].is_flow
    _take_timesteps(draft, flattened, is_flow)
    _take_layers(draft, flattened, is_flow)
    _take_second_encoder(draft, flattened, family)
    _take_layer_skip(draft, flattened, family)
    scale = _scale_of_rates(flattened)
    if not flattened.get("masked_training"):
        for name in ("unmasked_weight", "normalize_masked_area_loss"):
            flattened.pop(name, None)
    TABLE.take(draft, flattened)
    TABLE.fill_in(draft, flattened, DEFAULTS)
    _scale_rates(draft, scale)
    for setting, default in {"loss.min_snr_gamma": 0.0, "checkpoints.save_every_n_epochs": 0}.items():
        if not draft.has(setting):
            draft.put("(not in the file)", setting, default, "off there, unless the file says otherwise")
    return form, draft, fits(family), notes


DEFAULTS: dict[str, Any] = {
    "learning_rate": 3e-6, "epochs": 100, "train_dtype": "FLOAT_16", "output_dtype": "FLOAT_32", "lora_alpha": 1.0, "gradient_checkpointing": True,
    "optimizer.optimizer": "ADAMW", "masked_training": False,
}  # fmt: skip
"""Option -> its default, where that is another than ours."""

_RENAMED = {
    "optimizer": "optimizer.optimizer", "weight_decay": "optimizer.weight_decay", "train_unet": "unet.train", "unet_learning_rate": "unet.learning_rate",
    "train_text_encoder": "text_encoder.train", "text_encoder_learning_rate": "text_encoder.learning_rate", "train_text_encoder_2": "text_encoder_2.train",
    "text_encoder_2_learning_rate": "text_encoder_2.learning_rate", "save_after": "save_every", "save_after_unit": "save_every_unit",
    "lora_layers": "layer_filter", "lora_layer_preset": "layer_filter_preset", "lora_layers_regex": "layer_filter_regex", "vae_model_name": "vae.model_name",
}  # fmt: skip
"""Option of earlier versions -> its name now, as their migrations have it."""


def _named_as_now(options: dict[str, Any]) -> dict[str, Any]:
    return {_RENAMED.get(name, name): value for name, value in options.items()}


def _listed(draft: Draft, options: dict[str, Any], inside: str, beside_it: str, file: Path, notes: list[str]) -> list[Mapping[str, Any]]:
    """What newer files hold themselves and others name a file of."""
    listed, name = options.pop(inside, None), options.pop(beside_it, None)
    if not isinstance(listed, list) and name:
        place = beside(str(name), file)
        if place is None:
            why = "put it beside this one, or give the folders with --dataset" if inside == "concepts" else "put it beside this one"
            draft.leave(beside_it, name, f"the file is not here; {why}")
            return []
        listed = read_json(place)
        notes.append(f"The {inside} are those of {place}.")
    return [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else []


def _take_samples(draft: Draft, samples: list[Mapping[str, Any]], options: dict[str, Any]) -> None:
    """The prompts; what the first of them has of its own holds for all here."""
    chosen = [each for each in samples if each.get("prompt") and each.get("enabled") is not False]
    after, unit = options.pop("sample_after", None), options.pop("sample_after_unit", None)
    if not chosen:
        return
    draft.put("samples.prompt", "samples.prompts", [str(each["prompt"]) for each in chosen])
    for theirs, ours in {
        "width": "width",
        "height": "height",
        "diffusion_steps": "steps",
        "cfg_scale": "cfg_scale",
        "negative_prompt": "negative_prompt",
    }.items():
        values = [each[theirs] for each in chosen if each.get(theirs) not in (None, "")]
        if values:
            draft.put(
                f"samples.{theirs}",
                f"samples.{ours}",
                values[0],
                "that of the first, for all" if len({str(value) for value in values}) > 1 else "",
            )
    if after and unit in ("EPOCH", "STEP"):
        take_one(draft, "sample_after", after, rows.to("samples.every_n_epochs", int) if unit == "EPOCH" else rows.sampled_by_steps)


def _take_length_and_rate(draft: Draft, options: dict[str, Any]) -> None:
    """The schedule, whose warm-up of 200 steps is on unless it is set to 0 and counts batches, not steps."""
    name = str(options.pop("learning_rate_scheduler", None) or "CONSTANT")
    take_one(draft, "learning_rate_scheduler", name, _schedule)
    batches = max(1, int(number_or(1, options.get("gradient_accumulation_steps"))))
    given = options.pop("learning_rate_warmup_steps", None)
    take_one(draft, "learning_rate_warmup_steps", 200.0 if given in (None, "") else typed(given), _warmup(batches, given in (None, "")))
    every = max(1, int(number_or(5, options.pop("ema_update_step_interval", None))))
    decay = number_or(0.999, options.pop("ema_decay", None))
    take_one(draft, "ema", options.pop("ema", None) not in (None, "OFF"), rows.moving_average(decay, every))
    unit, each = options.pop("save_every_unit", None) or "NEVER", options.pop("save_every", None)
    if unit in ("EPOCH", "STEP") and each:
        take_one(draft, "save_every", each, rows.to(f"checkpoints.save_every_n_{unit.lower()}s", int))
    elif unit != "NEVER":
        draft.leave("save_every", f"{each} {unit}", "set checkpoints.save_every_n_epochs or save_every_n_steps")


def _take_kind(draft: Draft, options: dict[str, Any]) -> None:
    """The kind of network, and which of the sizes are for it."""
    is_lokr = options.get("peft_type") == "LOKR"
    for theirs in [name for name in options if name.startswith("lokr_")]:
        if not is_lokr:
            options.pop(theirs)
    if is_lokr:
        options["lokr_dim"] = options.get("lokr_dim") or 16
        for theirs in ("lora_rank", "lora_decompose"):
            options.pop(theirs, None)


def _take_timesteps(draft: Draft, options: dict[str, Any], is_flow: bool) -> None:
    """How timesteps are drawn; a shift of 1 moves nothing."""
    names = ("timestep_distribution", "noising_weight", "noising_bias", "timestep_shift", "dynamic_timestep_shifting")
    distribution, weight, bias, shift, dynamic = (options.pop(name, None) for name in names)
    distribution, weight, bias, shift = distribution or "UNIFORM", number_or(0, weight), number_or(0, bias), number_or(1, shift)
    label = "timestep_distribution"
    if not is_flow:
        if distribution != "UNIFORM" or shift != 1:
            draft.leave(label, distribution, "all timesteps are trained alike on this family; look at noise.min_timestep and max_timestep")
    elif distribution == "LOGIT_NORMAL" and bias == 0:
        sampling = "flux_shift" if dynamic else "sigmoid" if shift == 1 else "shift"
        draft.put(label, "flow.timestep_sampling", sampling, "the same by its name here")
        if weight:
            draft.put("noising_weight", "flow.sigmoid_scale", weight + 1, "1 is added to it there")
        if sampling == "shift":
            draft.put("timestep_shift", "flow.discrete_flow_shift", shift)
    elif distribution in ("UNIFORM", "LOGIT_NORMAL"):
        draft.put(label, "flow.timestep_sampling", "sigma", "the same by its name here")
        draft.put("timestep_shift", "flow.discrete_flow_shift", shift, "it grows with the picture there" if dynamic else "")
        if distribution == "LOGIT_NORMAL":
            draft.put(label, "flow.weighting_scheme", "logit_normal", "the same by its name here")
            draft.put("noising_bias", "flow.logit_mean", -bias, "above 0 is towards the noise there, and towards the picture here")
            draft.put("noising_weight", "flow.logit_std", weight + 1, "1 is added to it there")
    else:
        draft.leave(label, distribution, "it is not offered; look at flow.timestep_sampling")


def _warmup(batches: int, left_out: bool) -> Row:
    """A row of the warm-up, in batches or, up to 1, as a share."""

    def row(draft: Draft, theirs: str, value: Any) -> None:
        if not value or float(value) < 0:
            return
        scheduler = draft.carried.get("schedule.lr_scheduler")
        if scheduler is not None and scheduler.value == "constant":
            draft.put("learning_rate_scheduler", "schedule.lr_scheduler", "constant_with_warmup", "with the warm-up")
        steps = value if float(value) <= 1 else int(float(value) / batches)
        whys = ["left out, which means 200 there"] * left_out + [f"{value:g} batches are {count(steps, 'step')}"] * (steps != value)
        draft.put(theirs, "schedule.lr_warmup_steps", steps, "; ".join(whys))

    return row


def _schedule(draft: Draft, theirs: str, value: Any) -> None:
    """Their cosine stops half way down, and their restarts swing back up."""
    if value == "COSINE":
        draft.put(theirs, "schedule.lr_scheduler", "cosine", "the same by its name here")
        draft.put(f"{theirs} (end)", "schedule.lr_scheduler_min_lr_ratio", 0.5, "it stops at half the rate there")
    elif value == "COSINE_WITH_RESTARTS":
        draft.put(theirs, "schedule.lr_scheduler", "cosine_with_restarts", "it swings back up there, and starts again at once here")
    elif value == "COSINE_WITH_HARD_RESTARTS":
        draft.put(theirs, "schedule.lr_scheduler", "cosine_with_restarts", "the same by its name here")
    else:
        rows.schedule(draft, theirs, value)


def _scale_of_rates(options: dict[str, Any]) -> float:
    """By what learning_rate_scaler multiplies the rates: the square root of how many pictures a step has."""
    scaler = str(options.pop("learning_rate_scaler", None) or "NONE").removeprefix("GLOBAL_")
    batch, batches = (max(1.0, number_or(1, options.get(name))) for name in ("batch_size", "gradient_accumulation_steps"))
    return math.sqrt((batch if scaler in ("BATCH", "BOTH") else 1) * (batches if scaler in ("GRADIENT_ACCUMULATION", "BOTH") else 1))


def _scale_rates(draft: Draft, scale: float) -> None:
    for name in ("learning_rate", "unet_lr", "text_encoder_lr", "text_encoder_2_lr"):
        each = draft.carried.get(f"optimizer.{name}")
        if each is not None and each.value and scale != 1:
            scaled = f"{each.value:g} times {scale:g}, as learning_rate_scaler has it there"
            draft.carried[each.ours] = replace(
                each, value=float(f"{each.value * scale:.6g}"), why="; ".join(filter(None, (each.why, scaled)))
            )


def _take_layer_skip(draft: Draft, options: dict[str, Any], family: str | None) -> None:
    """Layers of the text encoder that are left out at its end, where the family's clip skip is chosen: none is a clip skip of 1."""
    skipped, known = number_or(0, options.get("text_encoder_layer_skip")), FAMILIES[family].sd_scripts if family is not None else None
    if skipped > 0 and known is not None and known.reads_clip_skip:
        del options["text_encoder_layer_skip"]
        draft.put("text_encoder_layer_skip", "base.clip_skip", int(skipped) + 1, "layers left out there, and counted from 1 here")


def _min_factor(draft: Draft, theirs: str, value: Any) -> None:
    """Where the schedule ends; their cosine gets only half way there."""
    if value:
        before = draft.carried.pop("schedule.lr_scheduler_min_lr_ratio", None)
        halved = before is not None and before.theirs == "learning_rate_scheduler (end)"
        ends = round((1 + float(value)) / 2, 6) if halved else float(value)
        draft.put(theirs, "schedule.lr_scheduler_min_lr_ratio", ends, "it stops half way there" if halved else "")


def _take_second_encoder(draft: Draft, options: dict[str, Any], family: str | None) -> None:
    """Where the first text encoder alone is trained; here the second one of such a family trains as the first unless its rate is 0."""
    has_two = family is not None and "text_encoder_2" in FAMILIES[family].defaults.trained_text_encoders
    if has_two and typed(options.get("text_encoder_2.train")) is False and typed(options.get("text_encoder.train")) is not False:
        draft.put("text_encoder_2.train", "optimizer.text_encoder_2_lr", 0.0, "it is not trained there")
        for name in ("text_encoder_2.train", "text_encoder_2.learning_rate"):
            options.pop(name, None)


_LAYERS_OF_UNETS = {
    "full": ("full", ""),
    "attn-mlp": ("default", "the same by its name here"),
    "attn-only": ("attention", "the same by its name here"),
}
_LAYERS_OF_FLOW = {
    "full": ("full", ""), "blocks": ("default", "the same by its name here"), "attn-only": ("attention", "the same by its name here"),
    "attn-mlp": ("attention+mlp", "with the MLPs of the text, which it leaves out there"),
}  # fmt: skip


def _take_layers(draft: Draft, options: dict[str, Any], is_flow: bool) -> None:
    """The preset of layers, by parts of their names there; a U-Net has no preset of its blocks."""
    given = options.pop("layer_filter_preset", None)
    chosen = (_LAYERS_OF_FLOW if is_flow else _LAYERS_OF_UNETS).get(str(given or "full"))
    if chosen is None:
        draft.leave("layer_filter_preset", given, "write layers as network.layers")
    else:
        ours, why = chosen
        draft.put("layer_filter_preset", "network.preset", ours, why if given else "left out, which means full there")


def _masked(draft: Draft, theirs: str, value: Any) -> None:
    """Where it is off, masks beside the pictures are ignored; here that is said of each folder."""
    if value:
        return
    for number in draft.folders:
        draft.put(theirs, f"datasets.{number}.masked_loss", False)
    if not draft.folders:
        draft.leave(theirs, value, "set masked_loss = false for each folder whose masks are to be ignored")


def _weight_dtype(draft: Draft, theirs: str, value: Any) -> None:
    """What the denoiser's weights are kept in."""
    if str(value).startswith("NFLOAT_4"):
        draft.put(theirs, "base.quantize", "nf4", "the same by its name here")
    elif str(value).startswith(("FLOAT_8", "FLOAT_W8")):
        draft.put(theirs, "base.quantize", "fp8", "fp8 as well, with a scale for each row, which loses less")
    elif str(value).startswith(("INT_8", "INT_W8")):
        draft.put(theirs, "base.quantize", "int8", "8 bits as well, as whole numbers with a scale for each row")


def _loss_weight(draft: Draft, theirs: str, value: Any) -> None:
    if value == "MIN_SNR_GAMMA":
        draft.put(theirs, "loss.min_snr_gamma", 5.0, "with a strength of 5, unless loss_weight_strength says otherwise")
    elif value == "DEBIASED_ESTIMATION":
        draft.put(theirs, "loss.debiased_estimation", True)
    elif value != "CONSTANT":
        draft.leave(theirs, value, "it is not offered; look at loss.min_snr_gamma")


def _loss_weight_strength(draft: Draft, theirs: str, value: Any) -> None:
    if draft.has("loss.min_snr_gamma"):
        draft.put(theirs, "loss.min_snr_gamma", float(value))
    else:
        draft.off.append(theirs)


def _beta(place: int) -> Row:
    """A row of one of the optimizer's betas, which are one argument here."""

    def row(draft: Draft, theirs: str, value: Any) -> None:
        before = draft.carried.get("optimizer.args.betas")
        betas = list(before.value) if before is not None else []
        if len(betas) != place:
            draft.leave(theirs, value, "there is no beta before it; set optimizer.args.betas")
            return
        if before is not None:
            del draft.carried[before.ours]
        draft.put(f"{before.theirs}, {theirs}" if before is not None else theirs, "optimizer.args.betas", [*betas, float(value)])

    return row


def _checkpointing(draft: Draft, theirs: str, value: Any) -> None:
    draft.put(
        theirs,
        "training.gradient_checkpointing",
        value not in ("OFF", False),
        "" if value in ("ON", "OFF", True, False) else "without moving it to the CPU",
    )


_UNKNOWN_TO_RUNS = ("workspace_dir", "cache_dir", "tensorboard*", "backup*", "rolling_backup*", "debug*", "continue_last_backup", "include_train_config", "only_cache",
                    "clear_cache*", "latent_caching*", "prevent_overwrites", "caching_threads", "prefetch_next_batch", "fallback_train_dtype", "enable_autocast_cache", "dataloader_threads", "train_device", "temp_device", "multi_gpu", "device_indexes", "cloud.*", "secrets.*", "__version",
                    "validation*", "validate*", "async*", "enable_*offloading*", "layer_offload*", "save_filename_prefix", "save_skip_first")  # fmt: skip
TABLE = OptionTable(
    TRAINER,
    rows={
        "base_model_name": rows.to("base.path", str), "output_model_destination": rows.to("name", lambda value: Path(str(value).replace("\\", "/")).stem or "lora"),
        "batch_size": rows.to("training.batch_size", int), "epochs": rows.to("training.epochs", int), "seed": rows.to("training.seed", int),
        "gradient_accumulation_steps": rows.to("training.gradient_accumulation_steps", int), "gradient_checkpointing": _checkpointing, "compile": rows.to("training.torch_compile", bool),
        "learning_rate": rows.to("optimizer.learning_rate", float),
        "learning_rate_cycles": rows.to("schedule.lr_scheduler_num_cycles", lambda value: max(1, int(value))), "learning_rate_min_factor": _min_factor,
        "resolution": resolution("buckets.resolution"), "aspect_ratio_bucketing": rows.to("buckets.enable_bucket", bool), "clip_grad_norm": rows.to("training.max_grad_norm", float),
        "peft_type": rows.kind({"lora": "lora", "loha": "loha", "lokr": "lokr"}), "lora_rank": rows.whole_rank("network.rank"), "lora_alpha": rows.to("network.alpha", float),
        "lora_decompose": rows.where_on("network.dora", True, "the same by its name here"), "lora_model_name": rows.to("network.weights", str), "dropout_probability": rows.over_zero("network.dropout"),
        "optimizer.optimizer": rows.optimizer(), "optimizer.weight_decay": rows.optimizer_argument("weight_decay"), "optimizer.eps": rows.optimizer_argument("eps"),
        "optimizer.d_coef": rows.optimizer_argument("d_coef"), "optimizer.use_bias_correction": rows.optimizer_argument("use_bias_correction"),
        "optimizer.safeguard_warmup": rows.optimizer_argument("safeguard_warmup"), "optimizer.decouple": rows.optimizer_argument("decouple"),
        "optimizer.beta1": _beta(0), "optimizer.beta2": _beta(1), "optimizer.beta3": _beta(2),
        "unet.train": rows.to("network.train_unet", bool), "transformer.train": rows.to("network.train_unet", bool), "text_encoder.train": rows.to("network.train_text_encoder", bool),
        "unet.learning_rate": rows.to("optimizer.unet_lr", float), "transformer.learning_rate": rows.to("optimizer.unet_lr", float),
        "text_encoder.learning_rate": rows.to("optimizer.text_encoder_lr", float), "text_encoder_2.learning_rate": rows.to("optimizer.text_encoder_2_lr", float),
        "train_dtype": rows.precision("training.mixed_precision"), "output_dtype": rows.precision("checkpoints.save_precision"),
        "offset_noise_weight": rows.over_zero("noise.noise_offset"), "loss_weight_fn": _loss_weight, "loss_weight_strength": _loss_weight_strength,
        "force_v_prediction": rows.where_on("base.prediction_type", "v_prediction"), "rescale_noise_scheduler_to_zero_terminal_snr": rows.where_on("base.zero_terminal_snr"),
        "masked_training": _masked, "normalize_masked_area_loss": rows.where_on("loss.normalize_masked_area"), "unmasked_weight": rows.over_zero("loss.unmasked_weight"), "max_noising_strength": lambda draft, theirs, value: (
            draft.put(theirs, "noise.max_timestep", round(float(value) * 1000), "a share of 1000 timesteps there") if value != 1 else None),
        "min_noising_strength": lambda draft, theirs, value: (
            draft.put(theirs, "noise.min_timestep", round(float(value) * 1000), "a share of 1000 timesteps there") if value else None),
        "lokr_dim": rows.whole_rank("network.rank"), "lokr_decompose_factor": rows.to("network.factor", int), "lokr_full_matrix": rows.where_on("network.full_matrix"),
        "lokr_use_tucker": rows.where_on("network.use_tucker"), "lokr_decompose_both": rows.where_on("network.decompose_both"), "lokr_weight_decompose": rows.where_on("network.dora"),
        "text_encoder.dropout_probability": rows.over_zero("captions.caption_dropout_rate"), "vae.model_name": rows.to("base.vae", str),
        "unet.weight_dtype": _weight_dtype, "transformer.weight_dtype": _weight_dtype, "prior.weight_dtype": _weight_dtype,
    },
    left={
        **dict.fromkeys(_UNKNOWN_TO_RUNS, "how OneTrainer runs, which says nothing about the LoRA"),
        "optimizer.*": "it is OneTrainer's default, or is not offered; look at optimizer.args", "sample*": "write the prompts into samples.prompts",
        "ema_*": "look at training.ema_decay", "save_*": "look at the checkpoints section", "output_model_format": "LoRA files are safetensors",
        "text_encoder*": "it is not offered for one encoder", "unet.*": "it is not offered", "transformer.*": "it is not offered", "prior.*": "it is for another family",
        "vae.*": "the autoencoder is not trained", "decoder*": "it is for another family", "effnet*": "it is for another family", "quantization.*": "look at base.quantize",
        "embedding*": "embeddings are not trained", "additional_embeddings*": "embeddings are not trained", "mse_strength": "look at loss.loss_type", "mae_strength": "look at loss.loss_type",
        "*_strength": "it is not offered; look at the loss section", "timestep_*": "look at the flow section", "noising_*": "look at the flow section", "dynamic_timestep_shifting": "look at flow.timestep_sampling",
        "masked_*": "look at loss.prior_preservation",
        "layer_filter*": "write layers as network.layers", "lora_*": "it is not offered", "oft_*": "it is not offered", "*_dtype": "look at base.quantize and training.weight_dtype",
        "learning_rate_*": "rates are as the settings give them", "custom_*": "write the schedule as settings", "attention_mechanism": "torch's own attention is used",
        "frames": "it is for video", "preserve_embedding_norm": "embeddings are not trained", "perturbation_noise_weight": "the model is asked for it there, too, which is not offered",
        "custom_conditioning_image": "it is for models that edit pictures", "circular_mask_generation": "it is not offered", "random_rotate_and_crop": "it is not offered",
        "force_*": "look at base.prediction_type", "vb_loss_strength": "it is for another family", "huber_delta": "look at loss.huber_c", "dropout*": "it is not offered",
        "samples_to_tensorboard": "every run writes its own events", "non_ema_sampling": "samples are drawn without EMA", "bundle_*": "embeddings are not trained",
        "initial_embedding_text": "embeddings are not trained", "token_count": "embeddings are not trained", "extra_model_name": "it is for another family",
        "train_*": "it is for another family, or ends by itself", "unconditional_transformer*": "it is for another family", "cep_gamma": "it is not offered",
        "dora_oft": "it is not offered", "lokr_*": "it is not offered", "image_caching": "latents are cached in any case", "text_caching": "look at captions.cached_variants",
        "k_noise_sampling": "it is not offered", "unmasked_probability": "look at loss.unmasked_weight", "optimizer_defaults.*": "it is for other optimizers",
        "generalized_offset_noise": "it is not offered", "loss_scaler": "it is not offered", "gradient_*": "it is not offered", "fused_*": "it is not offered", "scheduler_params*": "write the schedule as settings",
    },
)  # fmt: skip
