"""A LoRA file opened to be worked on: its layers, all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lorasmith.adapters.base_weights import BaseWeights
from lorasmith.adapters.files.dialects import read_network
from lorasmith.adapters.files.lora_file import LoraFile, load_tensors
from lorasmith.adapters.layer import Layer
from lorasmith.adapters.tools.peft_folder import load_peft
from lorasmith.errors import AdapterError


@dataclass(frozen=True)
class OpenedLora:
    """A LoRA file and its layers."""

    path: Path
    file: LoraFile
    layers: Mapping[str, Layer] = field(repr=False)
    family: str
    notes: tuple[str, ...] = ()


def open_lora(path: str | Path, family: str | None = None, base: BaseWeights | None = None, allow_pickle: bool = False) -> OpenedLora:
    """Open a file in any dialect, or a folder of peft's; `family` and `base` are for files that do not show whose they are.

    A file of an unknown family is refused and never taken by its own names: what they stand for is not known, so a change of them
    cannot be checked, and in a merged file the same layer could be under two of them.

    Raises:
        AdapterError: it is not a LoRA file, its family is unknown, or something in it cannot be read.
    """
    path = Path(path)
    file = (load_peft(path) if path.is_dir() else None) or load_tensors(path, allow_pickle)
    try:
        network = read_network(file.tensors, file.metadata, base.family if base else family, base.shape if base else None).whole()
    except AdapterError as error:  # one of several files, and of many tensors
        raise AdapterError(f"{path}: {error}", code=error.code, **error.values) from None
    return OpenedLora(path, file, network.layers, network.family, network.notes)
