"""Rehearsals that are kept: a run that differs in nothing that a rehearsal depends on is not rehearsed again.

A rehearsal is kept under a hash of all that it follows from: the `RehearsedRun`, the source of this package, the versions of the libraries
whose modules are rehearsed, and the variables by which those are told to compute otherwise. How fast the machine is and how much memory it
has free is not among what is kept: that is asked each time.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import lorasmith
from lorasmith.atomic import write_atomically
from lorasmith.cache_folder import make_cache_folder
from lorasmith.datasets.buckets import Size
from lorasmith.datasets.training_set import TrainingSet
from lorasmith.models.description import Description
from lorasmith.training.forecast.rehearsed import Rehearsal, RehearsedRun, rehearsed_run
from lorasmith.training.settings.tree import Settings

FOLDER = "rehearsals"
"""Below settings.cache."""
MOST_KEPT = 100
"""Those that were made first are removed."""
LIBRARIES = ("torch", "diffusers", "transformers", "accelerate", "safetensors", "peft", "numpy", "psutil")
"""Packages whose code a rehearsal runs, or imports where they are installed."""
VARIABLES = ("DIFFUSERS_", "PYTORCH_", "TORCH", "TRANSFORMERS_", "USE_")
"""Beginnings of the variables that these libraries read."""


def rehearsal_of(settings: Settings, description: Description, training_set: TrainingSet) -> Rehearsal:
    """The rehearsal of a run, kept or made now."""
    largest, batch = max(training_set.batch_shapes(settings.training.batch_size), key=lambda shape: _area(shape[0]) * shape[1])
    run = rehearsed_run(settings, description, largest, batch, encoded=max(training_set.buckets, key=_area))
    folder = settings.cache_folder / FOLDER
    path = folder / f"{key_of(run)}.json"
    kept = _read(path, run)
    if kept is not None:
        return kept
    from lorasmith.training.forecast.rehearsal import rehearse

    made = rehearse(run)
    with suppress(OSError):  # it is only made again next time
        make_cache_folder(settings.cache_folder)
        folder.mkdir(exist_ok=True)
        write_atomically(path, json.dumps(made.as_data).encode())
        for old in sorted(folder.glob("*.json"), key=lambda file: file.stat().st_mtime)[:-MOST_KEPT]:
            old.unlink()
    return made


def _area(size: Size) -> int:
    return size[0] * size[1]


def key_of(run: RehearsedRun) -> str:
    """A hash of all that a run's rehearsal follows from."""
    follows_from = {
        "run": run.as_data, "source": source_hash(), "versions": versions(), "python": platform.python_version(),
        "variables": sorted(item for item in os.environ.items() if item[0].startswith(VARIABLES)),
    }  # fmt: skip
    return hashlib.sha256(json.dumps(follows_from, sort_keys=True).encode()).hexdigest()


@cache
def source_hash() -> str:
    """A hash of this package's source as it is installed."""
    root, found = Path(lorasmith.__file__).parent, hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        content = path.read_bytes()
        found.update(f"{path.relative_to(root).as_posix()} {len(content)} ".encode() + content)
    return found.hexdigest()


def versions() -> Mapping[str, str]:
    """Library -> its version; "" where it is not installed."""
    return {name: _version(name) for name in LIBRARIES}


@cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _read(path: Path, run: RehearsedRun) -> Rehearsal | None:
    """None where it is not there, or is damaged."""
    try:
        return Rehearsal.of_data(run, json.loads(path.read_bytes()))
    except (OSError, KeyError, TypeError, ValueError):
        return None
