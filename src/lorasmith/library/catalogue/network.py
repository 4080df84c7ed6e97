"""What a LoRA's header says about its network, as far as the catalogue asks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lorasmith.adapters.files.header import LoraHeader
from lorasmith.models.families import FAMILIES


@dataclass(frozen=True)
class CataloguedNetwork:
    """Family, kinds and ranks of a LoRA; "" and () where the header does not show them."""

    family: str
    kinds: tuple[str, ...]
    ranks: tuple[int, ...]


def network_of(path: Path, header: LoraHeader) -> CataloguedNetwork:
    """The network in a file."""
    words = " ".join(header.metadata.get(key, "") for key in ("ss_base_model_version", "modelspec.architecture"))
    family = next((name for name, known in reversed(FAMILIES.items()) if any(each in words for each in known.lora.marks.versions)), "")
    ends = {
        name.rsplit(".lora_down", 1)[0]: entry.shape[0] for name, entry in header.tensors.items() if ".lora_down" in name and entry.shape
    }
    return CataloguedNetwork(family, ("lora",) if ends else (), tuple(sorted(set(ends.values()))))
