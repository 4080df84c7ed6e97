"""Whether the nodes of a cluster see a folder that work needs: a mark that is put into it, for as long as the work takes."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from lorasmith.errors import InputError


@contextmanager
def marked(folder: Path) -> Iterator[Path]:
    """A file in the folder, under a name that no other folder has."""
    mark = folder / f"{uuid4().hex}.mark"
    mark.touch()
    try:
        yield mark
    finally:
        mark.unlink(missing_ok=True)


def check_seen(places: Iterable[Path], advice: str) -> None:
    """In a worker. Raises InputError where its node does not see one of the places (`cluster.not_shared`); `advice` is what to do then."""
    for place in places:
        if not place.exists():
            seen = place.parent if place.suffix == ".mark" else place
            raise not_shared(seen, socket.gethostname(), advice)


def not_shared(place: Path, node: str, advice: str) -> InputError:
    return InputError(f"The node {node} does not see {place} as this machine does. {advice}", code="cluster.not_shared")
