"""The latents and captions of a training, encoded on the nodes of a Ray cluster before it begins; the training finds them in the cache.

Every worker loads the base once. It encodes what is asked of it, unless the cache has it, and writes it there under the hash of all that
it depends on: so nothing is encoded twice, whatever was stopped or killed, and the files are those of a training on one machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from lorasmith.datasets.latent_request import LatentRequest
from lorasmith.datasets.latent_source import requests_to_keep
from lorasmith.datasets.texts import TextCache
from lorasmith.jobs.cluster.ray_map import map_on_ray
from lorasmith.models.description import Description
from lorasmith.training import events
from lorasmith.training.caching import latent_source
from lorasmith.training.commands import Commands
from lorasmith.training.data import captions_of
from lorasmith.training.events import Emitter, Listener
from lorasmith.training.learner.text_states import TextStates
from lorasmith.training.planning.check import check
from lorasmith.training.run import open_trained_base
from lorasmith.training.settings.tree import Settings
from lorasmith.training.validation.validation_set import PLAIN

What = Literal["latents", "captions"]


@dataclass(frozen=True)
class CachedOnRay:
    """What a training needs, and how much of it was not in the cache."""

    latents: int
    captions: int
    encoded: int


def cache_on_ray(settings: Settings, address: str, listeners: Iterable[Listener] = (), commands: Commands | None = None) -> CachedOnRay:
    """Encode what is not in the cache yet of a training's pictures and, where `captions.cached_variants` says so, of its captions.

    Pictures, base and cache are on storage that all nodes see under the same paths.

    Raises InputError where settings, pictures, base or cluster cannot be used, RunError where something cannot be encoded, StopRequested
    where `commands` says so: what was encoded stays.
    """
    checked, emit, commands = check(settings), Emitter(listeners), commands or Commands()
    latents = [request for _, request in requests_to_keep(checked.training_set.pictures, settings.datasets)]
    if checked.validation_set is not None:
        latents += [request for _, request in requests_to_keep(checked.validation_set.pictures, [PLAIN])]
    captions = list(dict.fromkeys(captions_of(checked.training_set, settings))) if settings.captions.cached_variants else []
    items: list[LatentRequest | str] = [*latents, *captions]
    encoded, done = 0, Counter[What]()
    totals: dict[What, int] = {"latents": len(latents), "captions": len(captions)}
    for what, was_missing in map_on_ray(partial(_encoder, settings, checked.description), items, address, on_gpu=True):
        encoded += was_missing
        done[what] += 1
        emit(events.CacheProgress(done[what], totals[what], what))
        commands.raise_if_stopping()
    return CachedOnRay(len(latents), len(captions), encoded)


def _encoder(settings: Settings, description: Description) -> Callable[[LatentRequest | str], tuple[What, bool]]:
    """In a worker: the function that encodes a picture or a caption into the cache, and says whether it was missing there."""
    base = open_trained_base(settings, description)
    latents = latent_source(settings, base, (), ())
    texts = TextStates(
        base, settings.base.text_options, trained=False, cache=TextCache(settings.cache_folder / "texts", settings.cached_at("texts"))
    )
    return lambda item: ("latents", latents.keep(item)) if isinstance(item, LatentRequest) else ("captions", texts.keep(item))
