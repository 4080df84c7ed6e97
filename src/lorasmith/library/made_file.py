"""Where a file or folder that is made of LoRAs goes unless its user says otherwise: never where something is already."""

from __future__ import annotations

from itertools import chain, count
from pathlib import Path
from typing import Literal

from lorasmith.library.keep import LORAS
from lorasmith.training.records.run_layout import run_of

Made = Literal["resized", "converted", "merged", "extracted", "published"]
PUBLISHED = "publish"
"""The folder of published LoRAs in a workspace."""


def place_for(made: Made, workspace: str | Path, source: Path | None = None) -> Path:
    """A path that nothing has yet, relative to the workspace where it is in it.

    What is made of `source` is beside it. A run's folder is the run's alone: what is made of a checkpoint, or of no LoRA, is in the workspace's folder of
    LoRAs.
    """
    workspace = Path(workspace).resolve()
    stem, ending = "" if source is None else source.stem, ".safetensors"
    if made == "published":
        folder, name, ending = workspace / PUBLISHED, stem or made, ""
    else:
        folder = workspace / LORAS if source is None or run_of(source) is not None else source.parent
        name = f"{stem}-{made}" if stem else made
    names = chain([name], (f"{name}-{number}" for number in count(2)))
    paths = (folder / f"{name}{ending}" for name in names)
    free = next(path for path in paths if not (path.exists() or path.is_symlink()))
    return free.relative_to(workspace) if free.is_relative_to(workspace) else free
