"""Lints about what trains and how fast: learning rates, optimizer, schedule."""

from __future__ import annotations

from lorasmith.adapters.kinds import KINDS
from lorasmith.findings import Evidence, Fix, SettingChange
from lorasmith.guides import BOOTCAMP, COLAB, CRASH_COURSE, SEAART, guides
from lorasmith.pages.numbers import count
from lorasmith.training.optim.schedules import SCHEDULES, in_steps
from lorasmith.training.planning.lints.registry import Findings, lint, set_to, warning
from lorasmith.training.planning.lints.run_facts import DENOISER, TEXT_ENCODER, RunFacts

FASTEST, SLOWEST = 8.0, 0.1
"""Times the family's usual rate."""


@lint
def idle_text_encoder(run: RunFacts) -> Findings:
    if run.settings.network.train_text_encoder and run.rate(TEXT_ENCODER) == 0:
        or_train_it = ", or optimizer.text_encoder_lr to a tenth of the denoiser's rate" if run.base.defaults.text_encoder_lr else ""
        yield warning(
            "network.train_text_encoder is on, but its learning rate is 0.", why="It is in the settings and does not train.",
            fix=set_to("network.train_text_encoder", False, f"Set network.train_text_encoder to false{or_train_it}."), source=guides(BOOTCAMP),
        )  # fmt: skip


@lint
def text_encoder_of_family(run: RunFacts) -> Findings:
    defaults, rate = run.base.defaults, run.rate(TEXT_ENCODER)
    if defaults.text_encoder_lr == 0 and rate > 0:
        yield warning(
            f"The text encoder is trained, but that of {run.base.family.title} is usually left alone.", evidence=Evidence(rate, "learning rate"),
            why=f"{defaults.text_encoders_left_alone[:1].upper()}{defaults.text_encoders_left_alone[1:]}.",
            fix=set_to("network.train_text_encoder", False), source="the family's users",
        )  # fmt: skip


@lint
def text_encoder_without_word(run: RunFacts) -> Findings:
    if run.looks_like == "style" and len(run.captions) >= 5 and run.rate(TEXT_ENCODER) > 0:
        yield warning(
            "The text encoder is trained, but there is no trigger for it to learn.", why="It changes what all words mean.",
            fix=set_to("network.train_text_encoder", False, "Set network.train_text_encoder to false, or set captions.trigger."),
            source=guides(BOOTCAMP),
        )  # fmt: skip


@lint
def text_encoder_too_fast(run: RunFacts) -> Findings:
    denoiser, encoder = run.rate(DENOISER), run.rate(TEXT_ENCODER)
    if not run.base.defaults.text_encoder_lr:  # of which one is usually left alone: see `text_encoder_of_family`
        return
    if denoiser and encoder > 0.5 * denoiser and not run.optimizer.learning_rate_free:
        yield warning(
            f"The text encoder's learning rate {encoder:g} is over half of the denoiser's {denoiser:g}.",
            evidence=Evidence(encoder, "learning rate"), why="Words bleed into each other, and every picture looks like the training set.",
            fix=set_to("optimizer.text_encoder_lr", float(f"{denoiser / 10:g}")), source=guides(COLAB, BOOTCAMP),
        )  # fmt: skip


@lint
def rate_far_from_usual(run: RunFacts) -> Findings:
    width, rate, title = run.base.widths.denoiser, run.rate(DENOISER), run.base.family.title
    usual = width.rate(run.base.defaults.denoiser_lr)
    trained = f"{title} is usually trained with" if width.is_usual else f"suits a base of {title} of this width ({width})"
    if not rate or not run.optimizer.steps_like_adam or KINDS[run.settings.network.kind].advice.rates is not None:
        return
    setting, source = run.rate_setting(DENOISER), guides(COLAB, BOOTCAMP)
    if rate > FASTEST * usual:
        yield warning(
            f"{setting} {rate:g} is {rate / usual:.0f} times what {trained}.", evidence=Evidence(rate, "learning rate"),
            why="Colours burn and shapes break.", fix=set_to(setting, usual, f"Set {setting} to {usual:g}, at most {4 * usual:g}."), source=source,
        )  # fmt: skip
    if rate < SLOWEST * usual:
        yield warning(
            f"{setting} {rate:g} is {rate / usual:.2g} of what {trained}.", evidence=Evidence(rate, "learning rate"),
            why="Little is learnt.", fix=set_to(setting, usual), source=source,
        )  # fmt: skip


@lint
def rate_of_learning_rate_free(run: RunFacts) -> Findings:
    if not run.optimizer.learning_rate_free:
        return
    for setting in dict.fromkeys(run.rate_setting(part) for part in (DENOISER, TEXT_ENCODER) if run.rate(part)):
        value = getattr(run.settings.optimizer, setting.removeprefix("optimizer."))
        if not 0.5 <= value <= 2:
            yield warning(
                f"{setting} is {value:g}, but {run.settings.optimizer.type} finds the rate itself.", evidence=Evidence(value, "learning rate"),
                why="It multiplies the rate that it finds by this.", fix=set_to(setting, 1.0), source=guides(CRASH_COURSE, BOOTCAMP),
            )  # fmt: skip


@lint
def schedule_of_learning_rate_free(run: RunFacts) -> Findings:
    schedule = run.settings.schedule
    cycles = schedule.lr_scheduler_num_cycles or 1
    if run.optimizer.learning_rate_free and SCHEDULES[schedule.lr_scheduler].restarts and cycles > 1:
        yield warning(
            f"schedule.lr_scheduler {schedule.lr_scheduler!r} restarts {count(cycles - 1, 'time')}.", evidence=Evidence(cycles, "cycles"),
            why=f"That upsets the rate that {run.settings.optimizer.type} has found.",
            fix=Fix("Set schedule.lr_scheduler_num_cycles to 1.", (SettingChange("schedule.lr_scheduler_num_cycles", 1),)),
            source=guides(SEAART, CRASH_COURSE, BOOTCAMP),
        )  # fmt: skip


@lint
def many_restarts(run: RunFacts) -> Findings:
    cycles = run.settings.schedule.lr_scheduler_num_cycles or 1
    if not run.optimizer.learning_rate_free and cycles > 3:
        yield warning(
            f"schedule.lr_scheduler_num_cycles is {cycles}.", evidence=Evidence(cycles, "cycles"),
            why="That many restarts leave little time to settle in each.",
            fix=set_to("schedule.lr_scheduler_num_cycles", 1, "Set schedule.lr_scheduler_num_cycles to 1, at most 3."), source=guides(),
        )  # fmt: skip


@lint
def long_warmup(run: RunFacts) -> Findings:
    warmup = in_steps(run.settings.schedule.lr_warmup_steps, run.plan.steps)
    if warmup > 0.2 * run.plan.steps:
        yield warning(
            f"schedule.lr_warmup_steps takes {warmup} of {count(run.plan.steps, 'step')}.", evidence=Evidence(warmup, "steps"),
            why="5 % is usual for a character, 10 % for a style; the rest of the run is short of time.",
            fix=set_to("schedule.lr_warmup_steps", 0.05), source=guides(BOOTCAMP),
        )  # fmt: skip
