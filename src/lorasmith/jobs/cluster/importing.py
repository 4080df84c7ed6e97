"""The pictures of an import, read, checked, hashed and copied on the nodes of a Ray cluster; this process gives them their names and lets them in.

A node copies a picture beside the dataset, under a name of its own, and waits until the disk has it. Which picture comes in under which
name depends on those before it, so results are taken in the order of the sources, whatever order they come in: the dataset, its record and
the report are those of an import on one machine. What waits for its turn is a row for each picture, and its file.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from lorasmith.curation.imports.bringing import Bringer, Brought
from lorasmith.curation.imports.imports import Elsewhere
from lorasmith.curation.imports.placing import known_as
from lorasmith.curation.imports.source import FoundPicture
from lorasmith.errors import RunError
from lorasmith.jobs.cluster.known_hashes import KnownHashes
from lorasmith.jobs.cluster.ray_map import map_on_ray
from lorasmith.jobs.cluster.shared_folder import check_seen, marked, not_shared
from lorasmith.pages.numbers import count
from lorasmith.progress import Cancelled

log = logging.getLogger(__name__)

ADVICE = "Have sources and dataset on storage that all nodes see under the same paths, or leave --ray out."


@dataclass(frozen=True)
class NotBrought:
    """Why a node could not bring a picture; this process then tries."""

    node: str
    why: str
    """'' where the node does not see the picture."""


Result = tuple[int, Brought | NotBrought]


def bring_on_ray(address: str, sources: Sequence[Path]) -> Elsewhere:
    """What brings the pictures of `sources` aside on the nodes of a cluster, for `import_pictures`.

    It raises InputError if there is no such cluster or a node does not see a picture, and RunError if a node does not see the sources or the dataset.
    """
    return partial(_bring_on_ray, address, sources)


def _bring_on_ray(
    address: str, sources: Sequence[Path], found: Sequence[FoundPicture], here: Bringer, known: Iterable[str], cancelled: Cancelled
) -> Iterator[tuple[int, Brought]]:
    if not found:
        return
    brought = 0
    with marked(here.aside) as mark:
        make = partial(_worker, here.aside, (mark, *sources), KnownHashes(known), here.link, here.verify)
        items = ((number, replace(one, captions={})) for number, one in enumerate(found))
        for number, result in map_on_ray(make, items, address):
            if isinstance(result, NotBrought):
                result = _brought_here(found[number], here, result)
            brought += 1
            yield number, result
            if cancelled():
                return
    if brought < len(found):
        raise RunError(f"The cluster said nothing of {len(found) - brought:,} of {count(len(found), 'picture')}. The same command goes on.")


def _brought_here(found: FoundPicture, here: Bringer, failed: NotBrought) -> Brought:
    """A picture that a node could not bring, so that what is said of it is what one machine says.

    Raises InputError where the node does not see it and this machine does.
    """
    if not failed.why and found.path is not None and found.path.exists():
        raise not_shared(found.path, failed.node, ADVICE)
    brought = here.bring(found)
    if failed.why and not brought.problem:
        log.warning("The node %s could not bring %s (%s). This machine did.", failed.node, found.source, failed.why)
    return brought


def _worker(
    aside: Path, places: Sequence[Path], known: KnownHashes, link: bool, verify: bool
) -> Callable[[tuple[int, FoundPicture]], Result]:
    """In a worker: the function that brings a picture."""
    check_seen(places, ADVICE)
    bringer = Bringer(aside, lambda content, concept: known_as(content, concept) in known, link=link, verify=verify, flush=True)
    return partial(_bring, bringer)


def _bring(bringer: Bringer, item: tuple[int, FoundPicture]) -> Result:
    number, found = item
    node = socket.gethostname()
    if found.path is not None and not found.path.exists():
        return number, NotBrought(node, "")
    try:
        brought = bringer.bring(found)
    except OSError as error:
        return number, NotBrought(node, str(error))
    return number, NotBrought(node, brought.problem) if brought.problem else brought
