"""A LoRA file opened to be worked on: its layers, all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lorasmith.adapters.base_weights import BaseWeights
from lorasmith.adapters.files.dialects import read_network
from lorasmith.adapters.files.lora_file import LoraFile, load_tensors
from lorasmith.adapters.layer import Layer, read_layers
from lorasmith.errors import AdapterError


@dataclass(frozen=True)
class OpenedLora:
    """A LoRA file and its layers."""

    path: Path
    file: LoraFile
    layers: Mapping[str, Layer] = field(repr=False)
    family: str | None
    """None: it is for a model that is not known here."""
    notes: tuple[str, ...] = ()


def open_lora(path: str | Path, family: str | None = None, base: BaseWeights | None = None) -> OpenedLora:
    """Open a file in any dialect; `family` and `base` are for files that do not show whose they are.

    Raises:
        AdapterError: it is not a LoRA file, its family is unknown, or something in it cannot be read.
    """
    file = load_tensors(path)
    network = read_network(file.tensors, file.metadata, base.family if base else family, base.shape if base else None).whole()
    return OpenedLora(Path(path), file, network.layers, network.family, network.notes)


def open_any_lora(path: str | Path, family: str | None = None, base: BaseWeights | None = None) -> OpenedLora:
    """Open a file as `open_lora` does; one for a model that is not known here by the names that its layers have, in kohya's layout.

    A file of a known family is never taken by its own names: the same layer could be in a merged file under two of them.

    Raises:
        AdapterError: it is neither, or something in it cannot be read.
    """
    try:
        return open_lora(path, family, base)
    except AdapterError as error:
        if error.code != "lora.unknown_family":
            raise
        try:
            file = load_tensors(path)
            return OpenedLora(Path(path), file, read_layers(file.tensors), None)
        except AdapterError:
            raise error from None
