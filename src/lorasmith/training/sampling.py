"""Samples during a run: the same prompts and seeds each time, so that one sees it learn."""

from __future__ import annotations

from lorasmith.adapters.tools.merged_base import without_merged
from lorasmith.atomic import write_atomically
from lorasmith.models.compiled_blocks import uncompiled
from lorasmith.models.files.hashes import short_hash
from lorasmith.models.prompts.parameters import Parameters, png_bytes
from lorasmith.models.prompts.request import PictureRequest
from lorasmith.models.sampling import generate
from lorasmith.training import events
from lorasmith.training.records.run_layout import sample_name
from lorasmith.training.running import Run, prompt_states
from lorasmith.training.sample_requests import sample_requests


def complete_requests(run: Run) -> list[PictureRequest]:
    """The pictures of the run's samples, with what is usual for its base."""
    return [one.completed(run.learner.base) for one in sample_requests(run.settings)]


def encode_prompts(run: Run) -> None:
    """Encode the prompts of the samples, so that the text encoders may be freed."""
    for one in complete_requests(run):
        run.prompts.encode(one)


def generate_samples(run: Run, epoch: int, step: int) -> None:
    """Generate the samples with the weights of this moment; at epoch 0 the LoRA changes nothing, so that is the base."""
    if not run.is_main:
        return
    requests, base = complete_requests(run), run.learner.base
    states = prompt_states(run.settings, base) if run.learner.trains_texts else run.prompts
    source = run.settings.base.path
    model_hash = short_hash(source, base.fingerprints[base.denoiser])
    moment = {"Run": run.settings.name, "Epoch": str(epoch), "Step": str(step)}
    merged = run.settings.base.merged(in_samples=False)
    with run.learner.weights_for_use(), uncompiled(run.settings.training.torch_compile), without_merged(base, merged):
        pictures = dict(generate(base, requests, {run.settings.base.clip_skip: states}))
    for k, one in enumerate(requests):
        path = run.folder.samples / sample_name(epoch, step, k)
        write_atomically(path, png_bytes(pictures[k], Parameters(one, source.stem, model_hash, extra=moment)))
        run.emit(events.SampleReady(path.relative_to(run.folder.root).as_posix(), one.prompt, one.seed, epoch, step))
