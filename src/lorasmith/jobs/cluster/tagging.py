"""The probabilities of a tagger, computed on the nodes of a Ray cluster and stored with the dataset by this process; tags are then chosen here.

Every worker opens the tagger once. Its batches are those of a run on one machine, and so are the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from lorasmith.captions.taggers.probabilities import ProbabilityStore
from lorasmith.captions.taggers.tagger import Tagger
from lorasmith.captions.taggers.tagging import TaggedPictures, TaggerLook, look_at_batch
from lorasmith.errors import InputError
from lorasmith.jobs.cluster.known_hashes import KnownHashes
from lorasmith.jobs.cluster.ray_map import map_on_ray
from lorasmith.progress import Progress


def tag_on_ray(
    store: ProbabilityStore,
    open_tagger: Callable[[], Tagger],
    pictures: Sequence[Path],
    address: str,
    *,
    batch_size: int = 8,
    again: bool = False,
    progress: Progress = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> TaggedPictures:
    """As `tag_pictures`, on the nodes of a cluster. `open_tagger` is called in each worker, and can be pickled.

    The pictures are on storage that all nodes see under the same paths. Rows are stored as they come, so that the next call continues.

    Raises InputError where the cluster cannot be found, or a node has a different tagger.
    """
    tagger = open_tagger()
    store.register(tagger)
    known = KnownHashes(() if again else store.contents(tagger.identity))
    batches = [tuple(pictures[first : first + batch_size]) for first in range(0, len(pictures), batch_size)]
    result, done = TaggedPictures(), 0
    for looks in map_on_ray(partial(_looker, open_tagger, tagger.identity, known, batch_size), batches, address):
        result.take(store, tagger.identity, looks)
        done += len(looks)
        progress(done, len(pictures))
        if cancelled():
            result.stopped = done < len(pictures)
            break
    return result


def _looker(
    open_tagger: Callable[[], Tagger], identity: str, known: KnownHashes, batch_size: int
) -> Callable[[tuple[Path, ...]], list[TaggerLook]]:
    """In a worker: the function that runs the tagger over a batch."""
    tagger = open_tagger()
    if tagger.identity != identity:
        raise InputError(f"A node has another tagger in {tagger.folder}: give one that all nodes see as the same.", code="cluster.tagger")
    return lambda paths: look_at_batch(tagger, paths, known.__contains__, batch_size)
