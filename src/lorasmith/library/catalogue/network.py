"""What a LoRA's header says about its network, as far as the catalogue asks."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lorasmith.adapters.files.family import guess_family
from lorasmith.adapters.files.header import LoraHeader
from lorasmith.adapters.files.layout import sorted_by_layer
from lorasmith.adapters.outline import LayerOutline
from lorasmith.errors import AdapterError


@dataclass(frozen=True)
class CataloguedNetwork:
    """Family, kinds and ranks of a LoRA; "" and () where the header does not show them."""

    family: str
    kinds: tuple[str, ...]
    ranks: tuple[int, ...]


class _NoNumbers:
    """The catalogue asks for no alpha."""

    def number(self, key: str) -> float:
        return math.nan

    def is_rotation(self, key: str) -> bool:
        return True


def network_of(header: LoraHeader) -> CataloguedNetwork:
    """The network in a file. Raises AdapterError (`library.no_lora`) where there is none."""
    found = sorted_by_layer(header.tensors, _NoNumbers())
    layers: list[LayerOutline] = []
    for layer in found.layers:
        try:
            layers.append(layer.outline())
        except AdapterError:
            continue
    if not layers:
        raise AdapterError(
            "There is no LoRA or other network in the file: it is a whole model, an embedding, or of a kind that is not known.",
            code="library.no_lora",
        )
    try:
        family = guess_family({f"{layer.part}.{layer.path}": layer.shapes for layer in found.layers}, header.metadata)
    except AdapterError:
        family = ""
    ranks = {layer.rank for layer in layers if layer.rank is not None}
    return CataloguedNetwork(family, tuple(sorted({layer.kind.name for layer in layers})), tuple(sorted(ranks)))
