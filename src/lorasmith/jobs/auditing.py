"""An audit, on this machine or with the measuring spread over the nodes of a Ray cluster. The command line and the library call this."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from lorasmith.curation.audit.audit import Audit
from lorasmith.curation.audit.dataset import audit_dataset, audited_files
from lorasmith.curation.audit.set_signs import LoraKind
from lorasmith.datasets.settings import BucketSettings
from lorasmith.images.picture_cache import PICTURES
from lorasmith.progress import Cancelled, Progress
from lorasmith.stores import here


def audit(
    root: str | Path,
    *,
    kind: LoraKind | None = None,
    resolution: int = 1024,
    buckets: BucketSettings | None = None,
    cache: str | Path | None = None,
    read_words: bool = False,
    without: Iterable[str] = (),
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
    within: float | None = None,
    ray: str | None = None,
) -> Audit:
    """Say what is wrong with each picture below `root`, a folder or its URL in a store, and with the set.

    `buckets` are the training's; without them, the usual ones for the resolution (sides from a half to one and a half of it, in steps of 64).
    `without` names checks that are switched off (`dark`, `greyscale`): they find nothing, and cost no points.
    With `within`, what was measured before is judged, with what can be measured in this many seconds; the rest is `left_out`.
    With `ray`, the address of a cluster (HEAD:PORT, or `auto`: the one that this machine is a node of), its nodes measure the pictures, which
    are in a folder that all of them see; what they measure is kept in `cache` as it comes.

    Raises
    ------
    DatasetError
        There is no such folder, or no picture in it.
    InputError
        The resolution is not 64 to 4096 pixels, or `without` names no check that can be switched off, or the cluster cannot be found.

    Examples
    --------
    >>> found = ls.audit("my-set", resolution=64)
    >>> len(found.pictures)
    5
    >>> all(finding.code.startswith("audit.") for finding in found.findings)
    True
    """
    if ray is None:
        return audit_dataset(
            root, kind=kind, resolution=resolution, buckets=buckets, cache=cache, read_words=read_words, without=without, progress=progress,
            cancelled=cancelled, within=within,
        )  # fmt: skip
    from lorasmith.jobs.cluster.fetching import fetch_on_ray
    from lorasmith.jobs.cluster.measuring import measure_on_ray

    folder = here(root, elsewhere=fetch_on_ray(ray))
    with tempfile.TemporaryDirectory() as none_of_theirs:
        kept = Path(cache) if cache is not None else Path(none_of_theirs) / PICTURES
        measure_on_ray(audited_files(folder)[0], kept, ray, progress, cancelled)
        return audit_dataset(
            root, kind=kind, resolution=resolution, buckets=buckets, cache=kept, read_words=read_words, without=without, progress=progress,
            cancelled=cancelled, within=within,
        )  # fmt: skip
