"""Samples during a run: the same prompts and seeds each time, so that one sees it learn."""

from __future__ import annotations

import io

from lorasmith.atomic import write_atomically
from lorasmith.models.sampling import sample
from lorasmith.training import events
from lorasmith.training.running import Run
from lorasmith.training.settings.tree import Settings


def prompts_of(settings: Settings) -> list[str]:
    """The prompts with the trigger in them."""
    return [prompt.replace("{trigger}", settings.captions.trigger or "") for prompt in settings.samples.prompts]


def generate_samples(run: Run, epoch: int, step: int) -> None:
    """Generate a picture for each prompt with the weights of this moment; at epoch 0 the LoRA changes nothing, so that is the base."""
    chosen, base = run.settings.samples, run.learner.base
    if not chosen.prompts or not run.is_main:
        return
    prompts = prompts_of(run.settings)
    seeds = [chosen.seed + k for k in range(len(prompts))]
    with run.learner.weights_for_use():
        pictures = sample(
            base, prompts, seeds, width=chosen.width, height=chosen.height, sampler=chosen.sampler, steps=chosen.steps, cfg_scale=chosen.cfg_scale,
            negative_prompt=chosen.negative_prompt, texts=run.learner.texts,
        )  # fmt: skip
    for k, (prompt, seed, picture) in enumerate(zip(prompts, seeds, pictures, strict=True)):
        path = run.folder.samples / f"epoch{epoch:06d}-step{step:08d}-{k:02d}.png"
        content = io.BytesIO()
        picture.save(content, "PNG")
        write_atomically(path, content.getvalue())
        run.emit(events.SampleReady(str(path.relative_to(run.folder.root)), prompt, seed, epoch, step))
