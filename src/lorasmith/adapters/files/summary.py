"""What is in a LoRA file, counted: parts, kinds, ranks, alphas, and what it says about its training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lorasmith.adapters.files.dialects import read_network
from lorasmith.adapters.files.lora_file import load_tensors
from lorasmith.adapters.files.names import part_of
from lorasmith.secrets import without_secrets


@dataclass(frozen=True)
class Summary:
    """A LoRA file in numbers; counts are layers by what is counted."""

    file: str
    family: str
    parts: dict[str, int]
    kinds: dict[str, int]
    ranks: dict[str, int]
    alphas: dict[str, int]
    dora: int
    """Layers with a magnitude (DoRA)."""
    names: list[str]
    """The dialects that its keys are written in."""
    parameters: int
    bytes: int
    unread: dict[str, str]
    """Key -> why it could not be read."""
    notes: list[str]
    metadata: dict[str, str]

    def as_data(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self) | {"layers": sum(self.kinds.values())}


def summarise(path: str | Path, family: str | None = None) -> Summary:
    """Read a LoRA file of any dialect and count what is in it.

    Raises
    ------
    AdapterError
        It is not a LoRA file, or nothing in it shows its family.

    Examples
    --------
    >>> lora = ls.describe_lora("my-lora.safetensors")
    >>> lora.family, list(lora.ranks)
    ('sd1', ['2'])
    """
    path = Path(path)
    content = load_tensors(path)
    network = read_network(content.tensors, content.metadata, family)
    layers = network.layers.values()
    return Summary(
        file=str(path),
        family=network.family,
        parts=dict(Counter(part_of(network.family, name)[0] for name in network.layers)),
        kinds=dict(Counter(layer.kind.name for layer in layers)),
        ranks={str(rank): count for rank, count in _counted(layer.rank for layer in layers)},
        alphas={f"{alpha:g}": count for alpha, count in _counted(layer.alpha for layer in layers)},
        dora=sum(layer.dora_scale is not None for layer in layers),
        names=list(network.dialects),
        parameters=sum(tensor.numel() for tensor in content.tensors.values()),
        bytes=path.stat().st_size,
        unread=network.unread,
        notes=list(network.notes),
        metadata=without_secrets(network.metadata),
    )


def _counted(values: Iterable[float | None]) -> list[tuple[float, int]]:
    return sorted(Counter(value for value in values if value is not None).items())
