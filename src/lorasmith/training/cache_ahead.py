"""The latents of a training, encoded before it begins, say while another one has not ended. The training finds them in the cache."""

from __future__ import annotations

from collections.abc import Iterable

from lorasmith.training.caching import cache_latents, latent_source
from lorasmith.training.commands import Commands
from lorasmith.training.distributed.process_group import ProcessGroup
from lorasmith.training.events import Emitter, Listener
from lorasmith.training.planning.check import check
from lorasmith.training.run import load_model
from lorasmith.training.settings.tree import Settings
from lorasmith.training.validation.validation_set import PLAIN


def cache_ahead(settings: Settings, listeners: Iterable[Listener] = (), commands: Commands | None = None) -> int:
    """Encode the pictures whose latents are not in the cache yet; returns how many the training has, those for validation included.

    Raises InputError where settings, pictures or base cannot be used, StopRequested where `commands` says so between two pictures.
    """
    checked, emit, commands = check(settings), Emitter(listeners), commands or Commands()
    base = load_model(checked, emit)
    pictures = checked.training_set.pictures
    cache_latents(latent_source(settings, base, pictures, settings.datasets), emit, commands, ProcessGroup())
    if checked.validation_set is None:
        return len(pictures)
    held_out = checked.validation_set.pictures
    cache_latents(latent_source(settings, base, held_out, [PLAIN]), emit, commands, ProcessGroup(), "validation latents")
    return len(pictures) + len(held_out)
