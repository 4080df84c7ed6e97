"""The files of a place in a store, fetched on the nodes of a Ray cluster into this user's copy of it, which all nodes see.

A node fetches a file whole, under a name of its own; this process lets it into the copy and notes it, so that none is fetched twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from uuid import uuid4

from lorasmith.jobs.cluster.ray_map import map_on_ray
from lorasmith.jobs.cluster.shared_folder import check_seen, marked
from lorasmith.stores import FetchElsewhere, Place, Stored

ADVICE = "Set LORASMITH_CACHE to a folder on storage that all nodes see under the same path, or leave --ray out."


def fetch_on_ray(address: str) -> FetchElsewhere:
    """A function for `here` that fetches files on the nodes of a cluster. It raises InputError if there is no such cluster, and RunError if a node fails."""
    return partial(_fetch_on_ray, address)


def _fetch_on_ray(address: str, url: str, lacking: Mapping[str, Stored], parts: Path) -> Iterator[tuple[str, Path]]:
    if not lacking:
        return
    with marked(parts) as mark:
        yield from map_on_ray(partial(_worker, url, mark), lacking.items(), address)


def _worker(url: str, mark: Path) -> Callable[[tuple[str, Stored]], tuple[str, Path]]:
    """In a worker: the function that fetches a file, and gives its name and where it is."""
    check_seen([mark], ADVICE)
    return partial(_fetch, Place.at(url), mark.parent)


def _fetch(place: Place, parts: Path, item: tuple[str, Stored]) -> tuple[str, Path]:
    name, stored = item
    part = parts / uuid4().hex
    place.fetch(name, stored, part)
    return name, part
