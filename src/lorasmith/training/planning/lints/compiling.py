"""Lints about what is compiled at the beginning, and has to pay by the end."""

from __future__ import annotations

from lorasmith.findings import Evidence
from lorasmith.pages.numbers import count
from lorasmith.training.planning.lints.registry import Findings, lint, set_to, warning
from lorasmith.training.planning.lints.run_facts import RunFacts

STEPS_FOR_A_SIZE = 500
"""Steps after which compiling for one size of batches has paid: up to a minute, and about an eighth of a second saved in each step."""


@lint
def compiled_for_few_steps(run: RunFacts) -> Findings:
    sizes = {(width * height, samples) for (width, height), samples in run.training_set.batch_shapes(run.settings.training.batch_size)}
    lengths = _caption_lengths(run)
    pays_from = STEPS_FOR_A_SIZE * len(sizes) * lengths
    captions = (
        f" and, as {run.base.family.title} reads each caption at its own length, about {lengths:,} of captions" if lengths > 1 else ""
    )
    if run.settings.training.torch_compile and run.plan.steps < pays_from:
        yield warning(
            f"training.torch_compile compiles for {count(len(sizes), 'size')} of batches{captions}, up to a minute each at their first steps, and the run has "
            f"{count(run.plan.steps, 'step')}.",
            evidence=Evidence(run.plan.steps / (len(sizes) * lengths), "steps a size"),
            why=f"Where it saves 10 to 35 % of a step it pays from about {pays_from:,} steps on; beside training.cuda_graphs it saved 4 % (SDXL, batch 1, H200).",
            fix=set_to("training.torch_compile", False, "Set training.torch_compile to false, or train with fewer sizes of pictures."),
            source="what musubi-tuner (10-25 %) and OneTrainer (25-35 %) say of compiled blocks",
        )  # fmt: skip


TOKENS_OF_A_WORD = 1.3
"""Of a caption, on average; no tokenizer is loaded to say more."""


def _caption_lengths(run: RunFacts) -> int:
    """In how many lengths the denoiser reads the captions of the training images, by their words: 1 where all are filled up to one."""
    step = run.base.family.caption_step
    words = {len((item.picture.caption or "").split()) for item in run.pictures}
    return 1 if step is None else max(1, len({int(number * TOKENS_OF_A_WORD) // step for number in words}))
