"""Audit a dataset's folder: find its pictures, and let the training's own buckets say what they crop away.

The judging itself is `lorasmith.curation.audit.audit`, which knows no buckets.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lorasmith.curation.audit.audit import Audit, audit
from lorasmith.curation.audit.set_signs import LoraKind
from lorasmith.dataset_folder import is_no_folder, is_picture, walk
from lorasmith.datasets.buckets import bucket_sizes, fit
from lorasmith.datasets.settings import BucketSettings
from lorasmith.errors import DatasetError, InputError
from lorasmith.progress import Cancelled, Progress
from lorasmith.stores import here, url_of

BESIDE = (".txt", ".caption", ".json", ".jsonl", ".toml", ".npz", ".safetensors", ".html", ".md", ".csv", ".db", ".ini")
"""Suffixes, in lower case, of what datasets have beside pictures."""


def audited_files(root: str | Path) -> tuple[list[Path], list[Path]]:
    """All pictures below a folder, in order; and the files that are neither pictures nor what datasets have beside them.

    Raises DatasetError if there is no such folder.
    """
    if url_of(root) is not None:
        raise is_no_folder(root)
    root = Path(root)
    if not root.is_dir():
        what = "does not exist" if not root.exists() else "is a file"
        raise DatasetError(f"{root} {what}: give the folder that holds the pictures.", code="dataset.no_folder", folder=str(root))
    pictures: list[Path] = []
    unknown: list[Path] = []
    for place, names in walk(root):
        for name in names:
            if is_picture(name):
                pictures.append(root / place / name)
            elif not name.lower().endswith(BESIDE):
                unknown.append(root / place / name)
    return pictures, unknown


def audit_dataset(
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
) -> Audit:
    """Say what is wrong with each picture below `root`, a folder or its URL in a store, and with the set.

    `buckets` are the training's; without them, the usual ones for the resolution (sides from a half to one and a half of it, in steps of 64).
    `without` names checks that are switched off (`dark`, `greyscale`): they find nothing, and cost no points.
    With `within`, what was measured before is judged, with what can be measured in this many seconds; the rest is `left_out`.

    Raises
    ------
    DatasetError
        There is no such folder, or no picture in it.
    InputError
        The resolution is not 64 to 4096 pixels, or `without` names no check that can be switched off.

    Examples
    --------
    >>> found = ls.audit("my-set", resolution=64)
    >>> len(found.pictures)
    5
    >>> all(finding.code.startswith("audit.") for finding in found.findings)
    True
    """
    if not 64 <= resolution <= 4096:
        raise InputError(f"The resolution is {resolution}, but must be from 64 to 4096 pixels: 512, 768 and 1024 are usual.")
    root = here(root)
    pictures, _ = audited_files(root)
    chosen = buckets or usual_buckets(resolution)
    sizes = bucket_sizes(chosen)
    return audit(
        pictures, Path(root), kind=kind, resolution=resolution, lost=lambda size: fit(size, chosen, sizes).lost, cache=Path(cache) if cache else None,
        read_words=read_words, without=without, progress=progress, cancelled=cancelled, within=within,
    )  # fmt: skip


def usual_buckets(resolution: int) -> BucketSettings:
    """Buckets as most trainings at this resolution have them."""
    step = 64 if resolution >= 256 else 8
    return BucketSettings(
        resolution=resolution, min_bucket_reso=max(step, resolution // 2), max_bucket_reso=resolution * 3 // 2, bucket_reso_steps=step
    )
