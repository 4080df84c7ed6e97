"""Tags and descriptions of pictures, from this machine or from the nodes of a Ray cluster. The command line and jobs call this."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lorasmith.captions.taggers.captioner import Captioner
from lorasmith.captions.taggers.descriptions import DescribedPictures, describe_pictures
from lorasmith.captions.taggers.probabilities import ProbabilityStore
from lorasmith.captions.taggers.tagger import Tagger
from lorasmith.captions.taggers.tagging import TaggedPictures, tag_pictures
from lorasmith.progress import Progress


def tag(
    store: ProbabilityStore,
    tagger: Tagger,
    pictures: Sequence[Path],
    *,
    open_there: Callable[[], Tagger],
    ray: str | None = None,
    batch_size: int = 8,
    again: bool = False,
    progress: Progress = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> TaggedPictures:
    """As `tag_pictures`; with `ray`, the address of a cluster, its nodes run the tagger, which `open_there` opens in each worker.

    Raises InputError where the cluster cannot be found, or a node has a different tagger.
    """
    if ray is None:
        return tag_pictures(store, tagger, pictures, batch_size=batch_size, again=again, progress=progress, cancelled=cancelled)
    from lorasmith.jobs.cluster.tagging import tag_on_ray

    return tag_on_ray(store, open_there, pictures, ray, batch_size=batch_size, again=again, progress=progress, cancelled=cancelled)


def describe(
    dataset: Path | str,
    captioner: Captioner,
    prompts: Mapping[Path, str],
    *,
    open_there: Callable[[], Captioner],
    ray: str | None = None,
    again: bool = False,
    progress: Progress = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> DescribedPictures:
    """As `describe_pictures`; with `ray`, the address of a cluster, its nodes run the captioner, which `open_there` opens in each worker.

    Raises InputError where the cluster cannot be found, or a node has a different captioner.
    """
    if ray is None:
        return describe_pictures(dataset, captioner, prompts, again=again, progress=progress, cancelled=cancelled)
    from lorasmith.jobs.cluster.describing import describe_on_ray

    return describe_on_ray(dataset, open_there, captioner, prompts, ray, again=again, progress=progress, cancelled=cancelled)
