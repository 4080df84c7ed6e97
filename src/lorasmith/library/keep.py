"""Keeping a LoRA that has shown to be good: a copy in the workspace's own folder of LoRAs, which the library knows."""

from __future__ import annotations

import filecmp
from pathlib import Path

from lorasmith.atomic import write_atomically
from lorasmith.library.catalogue.catalogue import Catalogue
from lorasmith.library.catalogue.sidecars import preview_of
from lorasmith.library.install import install

LORAS = "loras"
"""The folder of kept files in a workspace."""


def keep_file(
    file: str | Path, workspace: str | Path, catalogue: Catalogue, name: str | None = None, picture: str | Path | None = None
) -> Path:
    """Copy a LoRA file, with its picture, into the workspace's folder of LoRAs, and have that in the catalogue.

    `picture`, a PNG, is its picture where none is beside it. Keeping the same file again changes nothing. Raises InputError where another file has that name.
    """
    loras = Path(workspace) / LORAS
    loras.mkdir(exist_ok=True)
    kept = install(file, loras, name=name).file
    if picture is not None and preview_of(kept) is None:
        write_atomically(kept.with_suffix(".png"), Path(picture).read_bytes())
    catalogue.add(loras)
    catalogue.refresh()
    return kept


def kept_as(file: str | Path, workspace: str | Path) -> Path | None:
    """The copy of a LoRA file in the workspace's folder of LoRAs, under whatever name; None where it was not kept, or was changed since."""
    file = Path(file)
    if not file.is_file():
        return None
    size = file.stat().st_size
    kept = sorted((Path(workspace) / LORAS).glob("*.safetensors"))
    return next((copy for copy in kept if copy.stat().st_size == size and filecmp.cmp(file, copy, shallow=False)), None)
