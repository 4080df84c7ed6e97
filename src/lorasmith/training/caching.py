"""Before the loop: what never changes while training is computed once, and what is not needed any more is freed.

Latents and texts are kept on disk, so a run that is stopped here keeps what it has encoded. Each process encodes its share.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch

from lorasmith.datasets.latent_source import LatentSource
from lorasmith.datasets.settings import DatasetSettings
from lorasmith.datasets.training_set import TrainingPicture
from lorasmith.models.base import Base
from lorasmith.pages.numbers import count
from lorasmith.training import events
from lorasmith.training.commands import Commands
from lorasmith.training.distributed.process_group import ProcessGroup
from lorasmith.training.events import Emitter
from lorasmith.training.objective.preservation import class_captions
from lorasmith.training.running import Run
from lorasmith.training.sampling import encode_prompts
from lorasmith.training.settings.tree import Settings


def latent_source(settings: Settings, base: Base, pictures: Sequence[TrainingPicture], datasets: Sequence[DatasetSettings]) -> LatentSource:
    """Where the latents of `pictures` come from: the cache, or the base's autoencoder."""
    return LatentSource(
        pictures, datasets, base.encode_pixels, base.fingerprints["vae"], torch.float32, settings.cache_folder / "latents",
        settings.training.seed, settings.training.latents_in_memory, settings.cached_at("latents"),
    )  # fmt: skip


def cache_latents(
    source: LatentSource, emit: Emitter, commands: Commands, process_group: ProcessGroup,
    what: Literal["latents", "validation latents"] = "latents",
) -> None:  # fmt: skip
    """Encode the pictures whose latents are not in the cache. Raises StopRequested between two of them."""
    for done, total in source.prepare(process_group.rank, process_group.count):
        commands.raise_if_stopping()
        emit(events.CacheProgress(done, total, what))
    process_group.barrier()


def cache_texts(run: Run) -> None:
    """Encode every text that the run will ask for, where captions are drawn beforehand. Raises StopRequested between two of them."""
    if not run.settings.captions.cached_variants:
        return
    captions = run.data.all_captions()
    asked = list(captions)
    if run.validator is not None:
        asked += run.validator.captions
    if run.settings.loss.prior_preservation:
        asked += class_captions(captions, run.learner.objective)
    texts = list(dict.fromkeys(asked))
    run.emit(events.PhaseStarted("cache", count(len(texts), "caption")))
    mine = run.learner.process_group.shard(texts)
    for done in run.learner.texts.encode_all(mine):
        run.commands.raise_if_stopping()
        run.emit(events.CacheProgress(done, len(mine), "captions"))
    if run.is_main:
        encode_prompts(run)
    run.learner.process_group.barrier()


def free_unused(run: Run) -> None:
    """Free the parts of the base that nothing will use any more."""
    if run.settings.captions.cached_variants:
        run.learner.texts.free_encoders()
    if not run.data.latents.needs_encoder and not run.settings.samples.any:
        run.data.latents.release_encoder()
        run.learner.base.free_autoencoder()
