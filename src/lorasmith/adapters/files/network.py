"""A network file as read, whatever its layout; and writing one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from lorasmith.adapters.files.key_style import in_style_of
from lorasmith.adapters.files.lora_file import save_lora
from lorasmith.adapters.files.metadata import base_model_version, is_v2, network_module
from lorasmith.adapters.kinds import full, lora
from lorasmith.adapters.layer import Layer, file_tensors
from lorasmith.errors import AdapterError, InputError
from lorasmith.models.families import FAMILIES


@dataclass(frozen=True, repr=False)
class Network:
    """A network file as read: layers by name, what it is for, how it was written, and what could not be read."""

    family: str
    layers: dict[str, Layer]
    dialects: tuple[str, ...]
    unread: dict[str, str] = field(default_factory=dict)
    """Key -> why it could not be read."""
    notes: tuple[str, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        kinds = Counter(layer.kind.title for layer in self.layers.values())
        return f"Network({self.family}: {', '.join(f'{count} layers of {kind}' for kind, count in kinds.items())})"

    def whole(self) -> Network:
        """This network, if all of it could be read.

        Raises:
            AdapterError: something could not be read.
        """
        if self.unread:
            key, reason = next(iter(self.unread.items()))
            more = f" (and {len(self.unread) - 1} more keys)" if len(self.unread) > 1 else ""
            raise AdapterError(f"The file's {key}{more} cannot be read: {reason}.", code="lora.unreadable", key=key)
        return self


def check_new_file(path: Path, overwrite: bool) -> None:
    """Whether a LoRA file may be written there.

    Raises:
        InputError: it exists and may not be replaced, or its name does not end as the programs expect.
    """
    if path.suffix != ".safetensors":
        raise InputError(
            f"{path} does not end in .safetensors, which the programs look for: name it so.", code="lora.suffix", path=str(path)
        )
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists already: give another name, or --overwrite.", code="lora.exists", path=str(path))


def save_network(path: str | Path, layers: Iterable[Layer], family: str | None, metadata: Mapping[str, str], dtype: torch.dtype) -> None:
    """Write layers as a LoRA file, with the keys that the readers of the family expect; kohya's where the family is not known."""
    tensors, entries = file_tensors(layers), dict(metadata)
    if family is not None:
        tensors, entries = in_style_of(family, tensors, entries)
    save_lora(path, tensors, entries, dtype)


def file_metadata(layers: Mapping[str, Layer], family: str | None, metadata: Mapping[str, str]) -> dict[str, str]:
    """The metadata of a file that was made from others: what was known, and what the layers are now."""
    ranks = {layer.rank for layer in layers.values() if layer.rank is not None}
    alphas = {layer.alpha_value for layer in layers.values() if layer.rank is not None}
    kinds = list({layer.kind.name: layer.kind for layer in layers.values() if layer.kind.trainable}.values())
    kind = kinds[0] if len(kinds) == 1 else full.KIND if kinds else lora.KIND
    new = {key: value for key, value in metadata.items() if key not in ("lora_adapter_metadata", "format", "ss_network_args")}
    if family is not None:
        new["ss_network_module"] = network_module(kind, family)
        version = base_model_version(family, FAMILIES[family].prediction.types[0])
        new.setdefault("ss_base_model_version", version)
        new.setdefault("ss_v2", str(is_v2(version)))
    if kind.algo is not None:
        new["ss_network_args"] = json.dumps({"algo": kind.algo})
    new["ss_network_dim"] = str(next(iter(ranks))) if len(ranks) == 1 else "Dynamic"
    new["ss_network_alpha"] = str(float(next(iter(alphas)))) if len(alphas) == 1 else "Dynamic"
    return new
