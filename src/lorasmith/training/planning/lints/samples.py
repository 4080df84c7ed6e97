"""Lints about the pictures that are sampled while training."""

from __future__ import annotations

from lorasmith.findings import Fix, SettingChange
from lorasmith.guides import BOOTCAMP, FUNDAMENTALS, SEAART, guides
from lorasmith.training.planning.lints.registry import Findings, lint, warning
from lorasmith.training.planning.lints.run_facts import RunFacts

ON_SAMPLES = guides(SEAART, BOOTCAMP, FUNDAMENTALS)


@lint
def no_samples(run: RunFacts) -> Findings:
    prompts, trigger = run.settings.samples.prompts, run.settings.captions.trigger
    if run.settings.samples.prompts_file is not None:
        return
    if not prompts:
        called = "{trigger}" if trigger else next(iter(run.shared_first_tags), None)
        words = f'Set samples.prompts to ["{called}"].' if called else "Write prompts with the words that call it into samples.prompts."
        yield warning(
            "samples.prompts is empty.", subjects=("samples.prompts",), why="Nobody sees what the run learns before it is over.",
            fix=Fix(words, (SettingChange("samples.prompts", [called]),) if called else ()), source=ON_SAMPLES,
        )  # fmt: skip
    elif trigger and not any("{trigger}" in prompt or trigger in prompt for prompt in prompts):
        yield warning(
            f"None of samples.prompts contains the trigger {trigger!r}.", why="The pictures show the base rather than the LoRA.",
            fix=Fix(
                "Start samples.prompts with {trigger}.",
                (SettingChange("samples.prompts", [f"{{trigger}}, {prompt}" for prompt in prompts]),),
            ),
            source=ON_SAMPLES,
        )  # fmt: skip
