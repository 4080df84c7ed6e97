"""Descriptions by a captioner, made on the nodes of a Ray cluster and stored with the dataset by this process, as they come.

Every worker opens the captioner once. Its batches are those of a run on one machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from lorasmith.captions.taggers.captioner import Captioner
from lorasmith.captions.taggers.descriptions import Answer, DescribedPictures, DescriptionStore, ask
from lorasmith.errors import InputError
from lorasmith.jobs.cluster.known_hashes import KnownHashes
from lorasmith.jobs.cluster.ray_map import map_on_ray
from lorasmith.progress import Progress


def describe_on_ray(
    dataset: Path | str,
    open_captioner: Callable[[], Captioner],
    captioner: Captioner,
    prompts: Mapping[Path, str],
    address: str,
    *,
    again: bool = False,
    progress: Progress = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> DescribedPictures:
    """As `describe_pictures`, on the nodes of a cluster, with a GPU for each worker where there are some.

    `open_captioner` opens `captioner` in each worker, and can be pickled. The pictures are on storage that all nodes see under the same paths.

    Raises InputError where the cluster cannot be found, or a node has a different captioner.
    """
    pictures, result, done = list(prompts), DescribedPictures(), 0
    size = captioner.batch_size
    batches = [{path: prompts[path] for path in pictures[first : first + size]} for first in range(0, len(pictures), size)]
    with DescriptionStore(dataset) as store:
        known = KnownHashes(() if again else store.keys())
        for answers in map_on_ray(partial(_asker, open_captioner, captioner.identity, known), batches, address, on_gpu=True):
            result.take(store, answers)
            done += len(answers)
            progress(done, len(pictures))
            if cancelled():
                result.stopped = done < len(pictures)
                break
    return result


def _asker(open_captioner: Callable[[], Captioner], identity: str, known: KnownHashes) -> Callable[[Mapping[Path, str]], list[Answer]]:
    """In a worker: the function that asks about a batch."""
    captioner = open_captioner()
    if captioner.identity != identity:
        raise InputError("A node has another captioner of that name: give one that all nodes see as the same.", code="cluster.captioner")
    return lambda prompts: ask(captioner, prompts, known.__contains__)
