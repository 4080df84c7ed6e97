"""The rules across fields: settings that contradict each other or have no effect, before and after the base is known.

Each sentence names both settings and a way out. Rules within one section are beside that section.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from lorasmith.adapters.kinds import KINDS
from lorasmith.adapters.settings import check_network
from lorasmith.captions.variants import check_variants
from lorasmith.datasets.settings import CaptionSettings, check_buckets, check_datasets
from lorasmith.errors import SettingsError
from lorasmith.findings import Finding
from lorasmith.training.objective.flow_settings import FlowSettings
from lorasmith.training.objective.loss_settings import check_loss, check_loss_fits
from lorasmith.training.objective.noise_settings import check_noise, check_noise_fits
from lorasmith.training.optim.optimizers import optimizer_of
from lorasmith.training.optim.schedule_settings import check_schedule
from lorasmith.training.optim.schedules import SCHEDULES
from lorasmith.training.settings.sections import SampleSettings, ValidationSettings
from lorasmith.training.settings.tree import Settings, setting_names


def check_together(settings: Settings) -> list[Finding]:
    """Findings about settings that do little together.

    Raises:
        SettingsError: settings contradict each other, or one has no effect.
    """
    datasets, captions = settings.datasets, settings.captions
    _check_length(settings)
    _check_what_trains(settings)
    check_schedule(settings.schedule)
    check_loss(settings.loss, regularisation=any(d.is_reg for d in datasets), trigger=captions.trigger)
    check_network(settings.network)
    check_rates(settings)
    trains_texts = settings.lr_of("text_encoder") > 0 or bool(settings.optimizer.text_encoder_2_lr)
    of_folders = [dataset.caption_rules(captions.rules) for dataset in datasets]
    warnings = check_variants(captions.rules, of_folders, captions.cached_variants, trains_texts)
    check_datasets(datasets)
    warnings += check_buckets(settings.buckets)
    _check_samples(settings.samples, captions.trigger)
    _check_validation(settings.validation)
    warnings += check_noise(settings.noise, settings.base.zero_terminal_snr)
    _check_optimizer(settings)
    _check_compile(settings)
    if settings.training.deterministic and settings.training.device == "cpu":
        warnings.append(
            "training.deterministic is for GPUs and has no effect with training.device 'cpu', where runs are exact in any case."
        )
    if settings.training.blocks_to_swap and settings.training.device == "cpu":
        warnings.append("training.blocks_to_swap saves a GPU's memory and only takes time with training.device 'cpu'. Set it to 0.")
    return [_little_effect(message) for message in (*warnings, *_check_captions(captions))]


def _little_effect(message: str) -> Finding:
    """A warning; its subjects are the settings that it names."""
    subjects = tuple(name for name in setting_names() if re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", message))
    return Finding(code="settings.little_effect", severity="warning", message=message, about="setting", subjects=subjects)


def check_fits_base(settings: Settings, prediction_type: str, zero_terminal_snr: bool = False) -> None:
    """Whether the settings are for a base that predicts this (epsilon, v_prediction or flow) and was trained so.

    Raises:
        SettingsError: one is not.
    """
    check_noise_fits(settings.noise, prediction_type, zero_terminal_snr)
    check_loss_fits(settings.loss, prediction_type)
    if prediction_type != "flow" and settings.flow != FlowSettings():
        given = next(name for name in FlowSettings.model_fields if getattr(settings.flow, name) != getattr(FlowSettings(), name))
        raise SettingsError(
            f"flow.{given} is for flow models, and this base predicts {prediction_type}. Remove it.",
            code="settings.not_for_base", setting=f"flow.{given}",
        )  # fmt: skip


# -- one rule each ----------------------------------------------------------------------------------------------------


def _check_length(settings: Settings) -> None:
    epochs, steps = settings.training.epochs, settings.training.max_train_steps
    if epochs is None and steps is None:
        raise SettingsError(
            "Neither training.epochs nor training.max_train_steps is given. Give one of them.",
            code="settings.missing",
            setting="training.epochs",
        )
    if epochs is not None and steps is not None:
        raise SettingsError("training.epochs and training.max_train_steps are both given. Give one of them.", code="settings.contradiction")


def _check_what_trains(settings: Settings) -> None:
    optimizer, network = settings.optimizer, settings.network
    if settings.denoiser_lr == 0 and settings.lr_of("text_encoder") == 0:
        raise SettingsError(
            "Nothing would train: network.train_unet and network.train_text_encoder are off, or have learning rate 0. Switch one on.",
            code="settings.nothing_trains",
        )  # fmt: skip
    for part, trains, rate in (
        ("text_encoder", network.train_text_encoder, optimizer.text_encoder_lr), ("unet", network.train_unet, optimizer.unet_lr)
    ):  # fmt: skip
        if not trains and rate:
            raise _no_effect(f"optimizer.{part}_lr", f"while network.train_{part} is off. Remove it, or switch that on.")


def _check_samples(samples: SampleSettings, trigger: str | None) -> None:
    if not samples.any and samples != SampleSettings():
        given = next(name for name in SampleSettings.model_fields if getattr(samples, name) != getattr(SampleSettings(), name))
        raise _no_effect(f"samples.{given}", "without samples.prompts. Add a prompt, or remove it.")
    if trigger is None and any("{trigger}" in prompt for prompt in samples.prompts):
        raise SettingsError(
            "samples.prompts uses {trigger}, but captions.trigger is not set. Set it, or write the word.",
            code="settings.missing", setting="captions.trigger",
        )  # fmt: skip


def _check_validation(validation: ValidationSettings) -> None:
    if validation.every_n_epochs == 0 and validation.stop_when_over is not None:
        raise _no_effect("validation.stop_when_over", "while validation.every_n_epochs is 0. Remove it, or let the run validate.")


def _check_optimizer(settings: Settings) -> None:
    name, schedule = settings.optimizer.type, settings.schedule.lr_scheduler
    optimizer = optimizer_of(name)
    if optimizer.learning_rate_free and len({lr for lr in (settings.denoiser_lr, settings.lr_of("text_encoder")) if lr}) > 1:
        raise SettingsError(
            f"optimizer.unet_lr and optimizer.text_encoder_lr differ, but {name} finds one rate for all. Make them equal.",
            code="settings.contradiction",
        )  # fmt: skip
    if optimizer.schedule_free and not SCHEDULES[schedule].constant:
        constant = " or ".join(repr(each) for each, entry in SCHEDULES.items() if entry.constant)
        raise SettingsError(
            f"optimizer.type {name!r} needs no schedule and is harmed by {schedule!r}. Set schedule.lr_scheduler to {constant}.",
            code="settings.contradiction",
        )  # fmt: skip
    if optimizer.schedule_free and settings.training.ema_decay is not None:
        raise SettingsError(
            f"training.ema_decay averages weights that optimizer.type {name!r} averages already. Remove it.", code="settings.contradiction"
        )


def _check_compile(settings: Settings) -> None:
    """What is drawn anew in each step would be compiled anew in each, and weights that are unpacked or copied when they are used cannot be."""
    if not settings.training.torch_compile:
        return
    network = settings.network
    drawn = [f"network.{name}" for name in ("dropout", "rank_dropout", "module_dropout") if getattr(network, name)]
    drawn += [f"network.kind {kind!r}" for kind in sorted(network.kinds) if KINDS[kind].advice.one_rank_a_batch]
    hidden = {"base.quantize": settings.base.quantize != "none", "training.blocks_to_swap": settings.training.blocks_to_swap > 0}
    reasons = [f"{name} draws anew in each step" for name in drawn]
    reasons += [f"{name} makes weights that torch cannot compile with" for name, on in hidden.items() if on]
    if reasons:
        raise SettingsError(
            f"training.torch_compile cannot be used here: {reasons[0]}. Switch one of the two off.",
            code="settings.contradiction", setting="training.torch_compile",
        )  # fmt: skip


def _check_captions(captions: CaptionSettings) -> list[str]:
    if captions.token_warmup_min != 1 and not captions.token_warmup_step:
        raise _no_effect("captions.token_warmup_min", "without captions.token_warmup_step. Set that, or remove it.")
    warnings = []
    moving = captions.shuffle_caption or captions.caption_tag_dropout_rate or captions.token_warmup_step
    if captions.keep_tokens and not moving:
        warnings.append("captions.keep_tokens has no effect while captions.shuffle_caption is off.")
    if captions.keep_tokens > 1 and captions.keep_tokens_separator:
        warnings.append("captions.keep_tokens counts only in captions without captions.keep_tokens_separator; there the separator decides.")
    return warnings


def check_rates(settings: Settings) -> None:
    """Whether every rate has an effect, as far as that can be known without a base.

    Raises:
        SettingsError: one has none, or the optimizer finds one rate for all.
    """
    optimizer, network = settings.optimizer, settings.network
    given = {
        name: getattr(optimizer, name)
        for name in ("loraplus_lr_ratio", "loraplus_unet_lr_ratio", "loraplus_text_encoder_lr_ratio")
        if getattr(optimizer, name) is not None
    }
    with_b = [name for name, kind in KINDS.items() if kind.loraplus]
    if given and not network.kinds & set(with_b):
        raise _no_effect(
            f"optimizer.{next(iter(given))}",
            f"on network.kind {network.kind!r}, which has no matrix B. Remove it, or use {', '.join(with_b)}.",
        )
    parts = {"unet": settings.denoiser_lr > 0, "text_encoder": settings.lr_of("text_encoder") > 0}
    for part, trains in parts.items():
        if f"loraplus_{part}_lr_ratio" in given and not trains:
            raise _no_effect(f"optimizer.loraplus_{part}_lr_ratio", f"while network.train_{part} is off or its rate 0. Remove it.")
    if "loraplus_lr_ratio" in given and all(f"loraplus_{part}_lr_ratio" in given for part, trains in parts.items() if trains):
        raise _no_effect("optimizer.loraplus_lr_ratio", "where every part that trains has a ratio of its own. Remove it.")
    if optimizer_of(optimizer.type).learning_rate_free:
        _check_one_rate(settings, given)


def _check_one_rate(settings: Settings, ratios: Mapping[str, float]) -> None:
    name = settings.optimizer.type
    if any(ratio != 1 for ratio in ratios.values()):
        raise SettingsError(
            f"optimizer.{next(iter(ratios))} trains two matrices at two rates, but {name} finds one rate for all. Remove it, or use another optimizer.",
            code="settings.contradiction",
        )
    for rule in settings.network.layers:
        if rule.lr not in (None, 1.0):
            raise SettingsError(
                f"The rule for {rule.pattern!r} in network.layers has a rate of its own, but {name} finds one rate for all. Remove lr, or use another "
                "optimizer.",
                code="settings.contradiction",
            )


def _no_effect(setting: str, why: str) -> SettingsError:
    return SettingsError(f"{setting} has no effect {why}", code="settings.no_effect", setting=setting)
