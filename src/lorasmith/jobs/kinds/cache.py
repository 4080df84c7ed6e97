"""Encode the pictures of a training before it begins. What is encoded is kept, so it goes on where it was."""

from __future__ import annotations

from typing import Any

from lorasmith.jobs.kind import Kind
from lorasmith.jobs.kinds.options import OverRay
from lorasmith.jobs.kinds.settings_source import SettingsSource
from lorasmith.jobs.kinds.train import reporting
from lorasmith.jobs.work import StoppedEarly, Work


class CacheArguments(OverRay, SettingsSource):
    """Of which training the latents are wanted."""


def run(arguments: CacheArguments, work: Work) -> dict[str, Any]:
    """Encode; the training finds the latents in the cache."""
    from lorasmith.training.cache_ahead import cache_ahead
    from lorasmith.training.commands import StopRequested

    settings, listeners = arguments.read_settings(), [reporting(work)]
    try:
        if arguments.ray is None:
            return {"pictures": cache_ahead(settings, listeners, work.commands)}
        from lorasmith.jobs.cluster.caching import cache_on_ray

        return {"pictures": cache_on_ray(settings, arguments.ray, listeners, work.commands).latents}
    except StopRequested:
        raise StoppedEarly from None


KIND = Kind("Encode the pictures of a training", CacheArguments, run, needs="accelerator")
