"""What each option of sd-scripts is here: a row of `OPTIONS` that converts it, a name that is ours too, or a reason in `LEFT` why it
has no place.

Names and meanings are those of sd-scripts 0.10; where its documents and its code differ, the code counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, get_args

from lorasmith.models.families import FAMILIES
from lorasmith.models.samplers import SAMPLERS
from lorasmith.training.importers.found import SD_TRAINER, Found, typed, words_of
from lorasmith.training.importers.sd_scripts_network import USUAL_RATE, alpha, dim, loraplus_outside, network_args, network_module
from lorasmith.training.importers.sd_scripts_prompts import put_sample_prompts
from lorasmith.training.importers.sd_scripts_rows import (
    Row,
    SdScriptsDraft,
    of_families,
    of_flow,
    over_zero,
    pairs,
    silent_pairs,
    to,
    where_on,
)
from lorasmith.training.importers.sd_scripts_saving import save_every, save_every_steps, save_ratio, saves_by_epochs
from lorasmith.training.objective.timestep_samplings import DEFAULT_SAMPLING, TIMESTEP_SAMPLINGS
from lorasmith.training.optim.optimizers import DEFAULT_OPTIMIZER, OPTIMIZERS, optimizer_of
from lorasmith.training.optim.schedules import SCHEDULES
from lorasmith.training.settings.sections import TrainingSettings

# -- base, length, precision ------------------------------------------------------------------------------------------


def _resolution(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    sides = [int(side) for side in re.findall(r"\d+", str(value))]
    draft.put(theirs, "buckets.resolution", sides[0] if len(set(sides)) == 1 else sides)


def _clip_skip(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    known = draft.found.sd_scripts
    if known is not None and not known.reads_clip_skip:
        if value and value != 1:
            draft.leave(theirs, value, "sd-scripts ignores it for this family, and so the base is read as before")
    elif value:
        draft.put(theirs, "base.clip_skip", value)


def _base_weights(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    """LoRA files that are merged first, each with a multiplier of its own, or 1."""
    files, multipliers = _each(value), _each(draft.options.get("base_weights_multiplier"))
    strengths = [float(number) for number in multipliers] + [1.0] * len(files)
    merged = [{"path": str(file), "strength": strength} for file, strength in zip(files, strengths, strict=False)]
    draft.put(theirs, "base.merge", merged, "merged while it trains, and left out of samples")


def _base_weights_multiplier(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    if draft.options.get("base_weights"):
        draft.leave(theirs, value, "read together with base_weights")


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value in (None, "") else [value]


def _max_token_length(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    known = draft.found.sd_scripts
    if known is not None and known.token_length_option != "max_token_length":
        draft.leave(theirs, value, f"for this family {known.token_length_option} decides")
    else:
        draft.put(theirs, "base.max_token_length", value)


def _mixed_precision(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    if value in get_args(TrainingSettings.model_fields["mixed_precision"].annotation):
        draft.put(theirs, "training.mixed_precision", value)
    else:
        draft.put(theirs, "training.mixed_precision", "bf16", f"{value} is not offered as a precision to compute in; look at base.quantize")


def _save_precision(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    draft.put(theirs, "checkpoints.save_precision", {"float": "fp32"}.get(value, value))


def _half_weights(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    if value:
        why = (
            "trained weights in float16 lose small steps; in bfloat16 they are rounded so that they add up" if theirs == "full_fp16" else ""
        )
        draft.put(theirs, "training.weight_dtype", "bf16", why)


def _num_processes(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    if int(value) > 1:
        draft.put(theirs, "training.num_processes", int(value), "Lorasmith starts the other processes by itself")


def _log_with(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    if value in ("tensorboard", "all"):
        draft.put(theirs, "logging.tensorboard", True)
    if value in ("wandb", "all"):
        draft.put(
            theirs, "logging.wandb_project", str(draft.options.get("log_tracker_name") or "lorasmith"), "logging to W&B names a project"
        )


def _steps(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    if draft.options.get("max_train_epochs"):
        draft.leave(theirs, value, "max_train_epochs decides")
    elif value:
        draft.put(theirs, "training.max_train_steps", value)


def _epochs(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    if value:
        draft.put(theirs, "training.epochs", value)


def _seed(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    draft.put(theirs, "training.seed", value)


def _timestep_sampling(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    if draft.found.is_flow and value not in TIMESTEP_SAMPLINGS and str(value).endswith("_shift"):
        draft.put(theirs, "flow.timestep_sampling", DEFAULT_SAMPLING, f"{value} is not offered; this is the family's own shift")
    else:
        of_flow("flow.timestep_sampling")(draft, theirs, value)


def _end_of_timesteps(ours: str, whole: int) -> Row:
    """A row of the first timestep, or of the one after the last."""

    def row(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
        if not draft.found.is_flow:
            draft.put(theirs, ours, value)
        elif typed(value) != whole:
            draft.leave(theirs, value, "sd-scripts ignores it for this family, and so all timesteps are trained")

    return row


def _plain(name: str) -> str:
    """A name as all spell it: `AdamW_8bit`, `adamw-8bit` and `ADAMW8BIT` are one."""
    return re.sub(r"[-_\s]", "", name).lower()


# -- rates, optimizer, schedule ---------------------------------------------------------------------------------------


def _text_encoder_lr(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    rates = [typed(rate) for rate in (value if isinstance(value, list) else [value])]
    draft.put(theirs, "optimizer.text_encoder_lr", rates[0])
    known, module = draft.found.sd_scripts, draft.options.get("network_module", "networks.lora")
    if len(rates) > 1 and draft.found.is_flow:
        if typed(dict(silent_pairs(draft)).get("train_t5xxl", "")) is True:
            draft.put(f"{theirs} (second)", "optimizer.text_encoder_2_lr", rates[1])
        else:
            draft.leave(f"{theirs} (second)", rates[1], "sd-scripts trains the second text encoder with train_t5xxl=True alone")
    elif len(rates) > 1 and known is not None and not known.second_text_encoder_lr and module == known.network_module:
        draft.leave(f"{theirs} (second)", rates[1], "sd-scripts reads only the first for this family, and so it is for both encoders")
    elif len(rates) > 1 and rates[1] != rates[0]:
        draft.put(f"{theirs} (second)", "optimizer.text_encoder_2_lr", rates[1])


_OPTIMIZER_NAMES = {_plain(other): name for name, entry in OPTIMIZERS.items() for other in (name, *entry.also_called)} | {
    "pagedadamw": "AdamW", "pagedadamw32bit": "AdamW", "pagedlion8bit": "Lion8bit", "adamw8bitbnb": "AdamW8bit", "adamwbnb": "AdamW", "adamwbf16": "AdamW", "schedulefreeadamw": "AdamWScheduleFree", "adamwschedulefree": "AdamWScheduleFree",
    "adam8bit": "bitsandbytes.optim.Adam8bit", "ademamix8bit": "bitsandbytes.optim.AdEMAMix8bit",
} | {name.lower(): f"torch.optim.{name}" for name in ("Adadelta", "Adagrad", "Adam", "Adamax", "ASGD", "NAdam", "RAdam", "RMSprop", "Rprop", "SGD")}  # fmt: skip
"""An optimizer's name in lower case, without - and _ -> ours; the paged ones compute the same."""


def our_optimizer(name: str) -> str | None:
    """Our name for another trainer's, in any spelling; a dotted path to a class stays as it is. None: it is not known."""
    return _OPTIMIZER_NAMES.get(_plain(name)) or (name if re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", name) else None)


def finds_own_rate(options: Mapping[str, Any]) -> bool:
    """Whether Adafactor drops the rates of the file: its relative_step is on there unless it is switched off."""
    given = {key: typed(text) for key, _, text in (word.partition("=") for word in words_of(options.get("optimizer_args") or []))}
    is_adafactor = our_optimizer(str(options.get("optimizer_type") or "")) == "Adafactor" or options.get("use_adafactor_optimizer")
    return bool(is_adafactor) and (given.get("relative_step", True) is not False or given.get("warmup_init") is True)


def drop_rates(draft: SdScriptsDraft, options: dict[str, Any], called: Mapping[str, str]) -> None:
    """Without the rates and the schedule that Adafactor overrides there, and with a usual rate instead."""
    why = "Adafactor overrode it there: relative_step, its default, finds its own rate"
    for option in (
        "learning_rate",
        "unet_lr",
        "text_encoder_lr",
        "text_encoder_lr1",
        "text_encoder_lr2",
        "lr_scheduler",
        "lr_warmup_steps",
    ):
        if (value := options.pop(option, None)) not in (None, "", 0):
            draft.leave(called.get(option, option), value, why)
    draft.put("optimizer_type (relative_step)", "optimizer.learning_rate", 1e-4, "Adafactor found its own rate there; 1e-4 is usual")
    draft.put("optimizer_type (relative_step)", "schedule.lr_scheduler", "constant", "Adafactor had a schedule of its own there")


def _optimizer(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    name = str(value)
    if _plain(name) == "sgdnesterov":
        draft.put(theirs, "optimizer.type", "torch.optim.SGD", "the same by its path")
        draft.put(theirs, "optimizer.args.nesterov", True)
        draft.put(theirs, "optimizer.args.momentum", 0.9, "as sd-scripts has it")
        return
    ours = our_optimizer(name)
    if ours is None:
        draft.refuse(
            theirs,
            value,
            f"there is no such optimizer here. Change it to {', '.join(OPTIMIZERS)}, or to the path of a class such as torch.optim.RAdam",
        )
        return
    draft.put(theirs, "optimizer.type", ours, "" if ours.lower() == name.lower() else "the same by its name here")
    renamed = optimizer_of(ours).renamed_arguments
    given = {renamed.get(key, key) for key in (word.partition("=")[0] for word in words_of(draft.options.get("optimizer_args") or []))}
    for key, default in optimizer_of(ours).class_defaults.items():
        if key not in given:
            why = f"not given, which means {default} there; Lorasmith's own default differs"
            draft.put(f"{theirs} ({key})", f"optimizer.args.{key}", default, why)


def _optimizer_args(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    entry = OPTIMIZERS.get(our_optimizer(str(draft.options.get("optimizer_type", DEFAULT_OPTIMIZER))) or "", OPTIMIZERS[DEFAULT_OPTIMIZER])
    for key, setting in pairs(draft, theirs, value):
        if key in entry.refused and setting:
            draft.leave(f"{theirs} {key}", setting, "the rate comes from the settings here; look at optimizer.learning_rate, 1e-4 or so")
        elif setting is None:
            draft.leave(f"{theirs} {key}", setting, "None cannot be set; the optimizer's default is used")
        else:
            renamed = entry.renamed_arguments.get(key, key)
            draft.put(f"{theirs} {key}", f"optimizer.args.{renamed}", list(setting) if isinstance(setting, tuple) else setting,
                      "its name in the library that Lorasmith uses" if renamed != key else "")  # fmt: skip


_SCHEDULES = {_plain(name): name for name in SCHEDULES} | {
    "cosinewithminlr": "cosine", "cosineannealing": "cosine", "cosineannealinglr": "cosine", "cosinewithhardrestarts": "cosine_with_restarts",
    "cosineannealingwarmrestarts": "cosine_with_restarts", "cosineannealingwarmuprestarts": "cosine_with_restarts", "cosinerestarts": "cosine_with_restarts", "constantlr": "constant",
    "rexlr": "rex", "rexannealingwarmrestarts": "rex", "linearlr": "linear", "polynomiallr": "polynomial", "wsd": "warmup_stable_decay",
}  # fmt: skip
"""A schedule's name or its class's, in lower case without - and _ -> ours."""


def our_schedule(name: str) -> str | None:
    """Our name for another trainer's schedule, in any spelling or as the path of its class; None: it is not known."""
    return _SCHEDULES.get(_plain(name.rpartition(".")[2]))


def _scheduler(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    if str(draft.options.get("lr_scheduler_type") or ""):
        draft.leave(theirs, value, "lr_scheduler_type decides")
    else:
        _put_schedule(draft, theirs, value)


def _scheduler_type(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    if "rex" in str(value).rpartition(".")[2].lower():
        draft.put(theirs, "schedule.lr_scheduler", "rex", f"the schedule of {value}, as its paper has it")
    else:
        _put_schedule(draft, theirs, value)


def _put_schedule(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    ours = our_schedule(str(value))
    if ours is None and _plain(str(value)).startswith("adafactor"):
        draft.put(theirs, "schedule.lr_scheduler", "constant", "it reports Adafactor's own rate, and does not change it")
    elif ours is None:
        draft.refuse(theirs, value, f"there is no such schedule here. Change it to {', '.join(SCHEDULES)}")
    else:
        draft.put(theirs, "schedule.lr_scheduler", ours, "the same by its name here" if ours != value else "")


_SCHEDULER_ARGS = {
    "num_cycles": "lr_scheduler_num_cycles", "power": "lr_scheduler_power", "min_lr_ratio": "lr_scheduler_min_lr_ratio",
    "min_lr_rate": "lr_scheduler_min_lr_ratio", "num_decay_steps": "lr_decay_steps",
}  # fmt: skip


def _scheduler_args(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    for key, setting in pairs(draft, theirs, value):
        if key in _SCHEDULER_ARGS:
            draft.put(f"{theirs} {key}", f"schedule.{_SCHEDULER_ARGS[key]}", setting)
        elif key in ("min_lr", "eta_min") and (rate := typed(draft.options.get("unet_lr") or draft.options.get("learning_rate"))):
            share = round(float(setting) / float(rate), 6)
            draft.put(f"{theirs} {key}", "schedule.lr_scheduler_min_lr_ratio", share, f"{setting} as a share of the rate {rate}")
        else:
            draft.leave(f"{theirs} {key}", setting, "the schedules here have no such argument")


def _length(ours: str) -> Row:
    """Steps, a share of all, or a share written with %."""

    def row(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
        if isinstance(value, str) and value.endswith("%"):
            draft.put(theirs, ours, float(value[:-1]) / 100, "a share of all steps")
        elif value:
            draft.put(theirs, ours, value)

    return row


# -- samples ----------------------------------------------------------------------------------------------------------


def _sample_epochs(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    if draft.options.get("sample_prompts"):
        draft.put(theirs, "samples.every_n_epochs", value)


def _sample_steps(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    if not typed(value) or not draft.options.get("sample_prompts"):
        return
    if typed(draft.options.get("sample_every_n_epochs")):
        draft.leave(theirs, value, "sample_every_n_epochs decides")
    else:
        draft.put(theirs, "samples.every_n_steps", value)
        draft.put(f"{theirs} (epochs)", "samples.every_n_epochs", 0, "pictures are sampled by steps alone there")


_SAMPLERS = {"ddim": "ddim", "euler": "euler", "k_euler": "euler", "euler_a": "euler_a", "k_euler_a": "euler_a", "dpmsolver++": "dpmpp_2m"}


def _sampler(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    if draft.found.is_flow:
        draft.leave(theirs, value, "sd-scripts samples flow models in its own way, whatever this says")
    elif value not in _SAMPLERS:
        draft.leave(theirs, value, f"there is no such sampler here; samples.sampler knows {', '.join(SAMPLERS)}")
    elif draft.options.get("sample_prompts"):
        draft.put(theirs, "samples.sampler", _SAMPLERS[value], "the same by its name here" if _SAMPLERS[value] != value else "")


# -- captions and masks -----------------------------------------------------------------------------------------------


def _min_snr_gamma(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    if draft.found.is_flow and value:
        draft.put(theirs, "loss.min_snr_gamma", 0.0, f"{value} does nothing on a flow model, there as here")
    else:
        draft.put(theirs, "loss.min_snr_gamma", value)


def _train_type(draft: SdScriptsDraft, theirs: str, value: Any) -> None:
    known = {name for family in FAMILIES.values() for name in family.called_elsewhere.get(SD_TRAINER, ())}
    if value in known:
        draft.leave(theirs, value, "the family is found by looking at the base")
    else:
        draft.refuse(theirs, value, f"settings of it are not read. Give settings of {', '.join(sorted(known))}")


OPTIONS: dict[str, Row] = {
    # base
    "pretrained_model_name_or_path": to("base.path", str),
    **{
        option: of_families(option)
        for family in FAMILIES.values() if family.sd_scripts for option, ours in family.sd_scripts.options.items() if ours
    },
    "model_train_type": _train_type,
    "base_weights": _base_weights, "base_weights_multiplier": _base_weights_multiplier,
    "v_parameterization": where_on("base.prediction_type", "v_prediction"),
    "clip_skip": _clip_skip, "max_token_length": _max_token_length,
    "apply_t5_attn_mask": where_on("base.t5_attention_mask", True, "the same by its name here"),
    "zero_terminal_snr": where_on("base.zero_terminal_snr", True), "weighted_captions": where_on("base.weighted_captions", True),
    # length, size, precision
    "resolution": _resolution, "max_train_steps": _steps, "max_train_epochs": _epochs, "seed": _seed,
    "train_batch_size": to("training.batch_size"), "batch_size": to("training.batch_size"),
    "mixed_precision": _mixed_precision, "full_bf16": _half_weights, "full_fp16": _half_weights, "num_processes": _num_processes,
    "fp8_base": where_on("base.quantize", "fp8", "fp8 as well, with a scale for each row, which loses less"),
    "fp8_base_unet": where_on("base.quantize", "fp8", "fp8 as well, with a scale for each row, which loses less"),
    "blocks_to_swap": over_zero("training.blocks_to_swap"),
    "save_precision": _save_precision, "save_every_n_epochs": save_every,
    "save_every_n_steps": save_every_steps, "save_n_epoch_ratio": save_ratio,
    "output_name": to("name", str), "sample_every_n_steps": _sample_steps,
    # captions
    **dict.fromkeys(("cache_text_encoder_outputs", "cache_text_encoder_outputs_to_disk"),
                    where_on("captions.cached_variants", 1, "captions are encoded once, and the encoders leave the memory")),
    "caption_dropout_every_n_epochs": to("captions.caption_dropout_every_n_epochs", lambda value: int(float(value))),
    # network
    "network_module": network_module, "network_args": network_args, "network_dim": dim, "network_alpha": alpha,
    "network_dropout": over_zero("network.dropout"),
    "rank_dropout": over_zero("network.rank_dropout"), "module_dropout": over_zero("network.module_dropout"),
    "scale_weight_norms": over_zero("network.scale_weight_norms"),
    "network_weights": to("network.weights", str), "dim_from_weights": where_on("network.dim_from_weights", True),
    **dict.fromkeys(("loraplus_lr_ratio", "loraplus_unet_lr_ratio", "loraplus_text_encoder_lr_ratio"), loraplus_outside),
    "network_train_unet_only": where_on("network.train_text_encoder", False, "the same, said of the part that is left out"),
    "network_train_text_encoder_only": where_on("network.train_unet", False, "the same, said of the part that is left out"),
    # rates
    "text_encoder_lr": _text_encoder_lr, "text_encoder_lr1": to("optimizer.text_encoder_lr"), "text_encoder_lr2": to("optimizer.text_encoder_2_lr"),
    "optimizer_type": _optimizer, "optimizer_args": _optimizer_args,
    "use_8bit_adam": where_on("optimizer.type", "AdamW8bit"), "use_lion_optimizer": where_on("optimizer.type", "Lion"),
    "lr_scheduler": _scheduler, "lr_scheduler_type": _scheduler_type, "lr_scheduler_args": _scheduler_args,
    "lr_warmup_steps": _length("schedule.lr_warmup_steps"), "lr_decay_steps": _length("schedule.lr_decay_steps"),
    # loss and flow
    "min_snr_gamma": _min_snr_gamma, "debiased_estimation_loss": where_on("loss.debiased_estimation", True, "the same by its name here"),
    "timestep_sampling": _timestep_sampling,
    "min_timestep": _end_of_timesteps("noise.min_timestep", 0), "max_timestep": _end_of_timesteps("noise.max_timestep", 1000),
    **{name: of_flow(f"flow.{name}") for name in (
        "sigmoid_scale", "discrete_flow_shift", "weighting_scheme", "logit_mean", "logit_std", "mode_scale",
        "model_prediction_type", "guidance_scale",
    )},
    # logging
    "log_with": _log_with, "use_wandb": where_on("logging.wandb_project", "lorasmith", "logging to W&B names a project"),
    # samples
    "sample_prompts": put_sample_prompts, "sample_every_n_epochs": _sample_epochs, "sample_sampler": _sampler,
}  # fmt: skip


Applies = Callable[[Mapping[str, Any], Found], bool]
_always: Applies = lambda options, found: True  # noqa: E731
_flow: Applies = lambda options, found: found.is_flow  # noqa: E731

DEFAULTS: dict[str, tuple[Any, Applies]] = {
    "max_train_steps": (1600, lambda options, found: not options.get("max_train_epochs")),
    "learning_rate": (USUAL_RATE, lambda options, found: not options.get("unet_lr") and not finds_own_rate(options)),
    "lr_scheduler": ("constant", lambda options, found: not options.get("lr_scheduler_type") and not finds_own_rate(options)),
    "network_dim": (4, _always),
    "network_alpha": (1, _always),
    "enable_bucket": (False, _always),
    "min_snr_gamma": (0.0, _always),
    "save_precision": ("float", _always),
    "save_every_n_epochs": (0, lambda options, found: not typed(options.get("save_every_n_steps")) and not saves_by_epochs(options)),
    "sample_every_n_epochs": (
        0,
        lambda options, found: bool(options.get("sample_prompts")) and not typed(options.get("sample_every_n_steps")),
    ),
    "timestep_sampling": ("sigma", _flow),
    "model_prediction_type": ("sigma_scaled", _flow),
    "guidance_scale": (3.5, _flow),
}
"""Option -> its default in sd-scripts, and when it applies; those that are the same here are not in it."""


def _left(reason: str, *names: str, neutral: Any = None) -> dict[str, tuple[str, Any]]:
    return dict.fromkeys(names, (reason, neutral))


LEFT: dict[str, tuple[str, Any]] = {
    **_left("it spares memory; Lorasmith caches latents in any case", "cache_latents", "cache_latents_to_disk", "vae_batch_size", "skip_cache_check"),
    **_left("texts are encoded one by one, so that a caption's numbers never depend on its neighbours", "text_encoder_batch_size"),
    **_left("it chooses how attention is computed; torch's own is used", "xformers", "sdpa", "mem_eff_attn", "split_attn",
            "use_flash_attn", "use_sage_attn"),
    **_left("captions come behind the base's own system prompt; one with <Prompt Start> in it brings its own", "system_prompt"),
    **_left("pictures are drawn several at once as the memory allows", "sample_batch_size"),
    **_left("it moves parts of the model between memories and is not offered; base.quantize and training.gradient_checkpointing spare memory too",
            "cpu_offload_checkpointing", "lowram", "highvram", "lowvram", "split_mode", "fused_backward_pass"),
    **_left("the autoencoder always works in 32 bits", "no_half_vae"),
    **_left("results do not depend on it", "max_data_loader_n_workers", "persistent_data_loader_workers", "num_cpu_threads_per_process",
            "disable_mmap_load_safetensors"),
    **_left("it starts the trainer on several machines or cards; Lorasmith starts by itself", "num_machines", "multi_gpu", "gpu_ids",
            "main_process_port", "extra_accelerate_launch_args", "ddp_timeout", "ddp_gradient_as_bucket_view", "ddp_static_graph", neutral=1),
    **_left("it is for another family", "clip_g_dropout_rate", "pos_emb_random_crop_rate", "save_clip", "save_t5xxl", "learning_rate_te", "learning_rate_te1", "learning_rate_te2"),
    **_left("it moves parts of the model between memories and is not offered", "single_blocks_to_swap", "double_blocks_to_swap", "mem_eff_save"),
    **_left("it is not offered", "enable_all_linear", "train_lora_ggpo", "train_inpainting", "show_timesteps"),
    **_left("GGPO is not offered", "ggpo_beta", neutral=0.01), **_left("GGPO is not offered", "ggpo_sigma", neutral=0.03),
    **_left("blocks are compiled by torch's own backend, for fixed sizes", "dynamo_backend", "dynamo_mode", "dynamo_use_dynamic", "dynamo_use_fullgraph", neutral="default"),
    **_left("the run's folder holds everything; give it with: lorasmith train --out", "output_dir"),
    **_left("every run writes its events and its TensorBoard files into its own folder", "logging_dir", "log_prefix"),
    **_left("what W&B needs besides the project comes from its own login", "log_tracker_name", "log_tracker_config", "log_config", "wandb_api_key", "wandb_run_name"),
    **_left("what is shown on the console is not a setting", "console_log_level", "console_log_file", "console_log_simple"),
    **_left("LoRA files are safetensors", "save_model_as", neutral="safetensors"),
    **_left("a run keeps its state by itself and goes on with: lorasmith resume", "save_state", "save_state_on_train_end", "resume",
            "save_last_n_steps_state", "save_last_n_epochs_state", "initial_epoch", "initial_step", "skip_until_initial_step"),
    **_left("all checkpoints are kept, since the best is often not among the last", "save_last_n_steps", "save_last_n_epochs"),
    **_left("the untouched base is always drawn first", "sample_at_first"),
    **_left("the family and its text encoders are found by looking at the base", "v2", "model_type", "model_list",
            "sd3_checkbox", *(family.sd_scripts.gui_flag for family in FAMILIES.values() if family.sd_scripts and family.sd_scripts.gui_flag),
            neutral="custom"),
    **_left("tokenizers come with the family", "tokenizer_cache_dir", "clip_l_path"),
    **_left("uploading is done apart from training", "huggingface_repo_id", "huggingface_token", "huggingface_repo_type", "huggingface_path_in_repo",
            "huggingface_repo_visibility", "save_state_to_huggingface", "resume_from_huggingface", "async_upload"),
    **_left("the file's own metadata is written; edit it with: lorasmith lora", "metadata_title", "metadata_author", "metadata_description",
            "metadata_license", "metadata_tags", "training_comment", "no_metadata"),
    **_left("sd-scripts and its GUI do not read it either", "stop_text_encoder_training", "no_token_padding", "save_as_bool"),
    **_left("pictures are cropped about their middle, or with random_crop anywhere", "face_crop_aug_range"),
    **_left("masks count where a folder has them: datasets.alpha_mask or datasets.mask_path, or beside its pictures", "masked_loss"),
    **_left("small pictures are named by: lorasmith audit", "skip_image_resolution"),
    **_left("a picture's way into its bucket is resampled in one way", "resize_interpolation"),
    **_left("held-out pictures lie in a folder of their own; make it with: lorasmith layout FOLDER --holdout 0.1", "validation_split", "validation_seed", "validate_every_n_steps", "validate_every_n_epochs",
            "max_validation_steps"),
    **_left("captions lie beside the pictures; bring them in with: lorasmith import", "in_json", "metadata_file", "caption_extention"),
    **_left("each folder says which picture gets what", "custom_attributes", "network_multiplier", "cache_info", "dataset_class"),
    **_left("the power of inverse_sqrt is not offered", "lr_scheduler_timescale"),
    **_left("it has been read along", "dataset_config", "config_file"),
    **_left("it is for another family", "sd3_text_encoder_batch_size", "clip_g", "t5xxl_device", "t5xxl_dtype", "t5xxl_lr"),
}  # fmt: skip
"""Option -> (what became of it, a value besides 0, false and empty at which it asks for nothing)."""
