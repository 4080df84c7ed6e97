"""Lints about a run that continues a finished LoRA."""

from __future__ import annotations

from lorasmith.findings import Evidence, Fix, SettingChange
from lorasmith.guides import BOOTCAMP, guides
from lorasmith.training.planning.lints.registry import Findings, lint, set_to, warning
from lorasmith.training.planning.lints.run_facts import DENOISER, TEXT_ENCODER, RunFacts

MOST_RATE, CALM_RATE, MOST_STEPS = 5e-5, 1e-5, 1000


@lint
def fast_retraining(run: RunFacts) -> Findings:
    rates = {run.rate_setting(part): run.rate(part) for part in (DENOISER, TEXT_ENCODER)}
    fastest = max(rates.values())
    if run.settings.network.weights is not None and run.optimizer.steps_like_adam and fastest > MOST_RATE:
        too_fast = [setting for setting, rate in rates.items() if rate > MOST_RATE]
        yield warning(
            f"The run continues a finished LoRA at the learning rate {fastest:g}.", evidence=Evidence(fastest, "learning rate"),
            why="What it knows is overwritten rather than improved.",
            fix=Fix(f"Set {' and '.join(too_fast)} to {CALM_RATE:g}.", tuple(SettingChange(setting, CALM_RATE) for setting in too_fast)),
            source=guides(BOOTCAMP),
        )  # fmt: skip


@lint
def long_retraining(run: RunFacts) -> Findings:
    if run.settings.network.weights is not None and run.plan.steps > MOST_STEPS:
        yield warning(
            f"The run continues a finished LoRA for {run.plan.steps} steps.", evidence=Evidence(run.plan.steps, "steps"),
            why="A repair takes 200 to 500.", fix=set_to(*run.length_for(500 * run.settings.training.batch_size)), source=guides(BOOTCAMP),
        )  # fmt: skip
