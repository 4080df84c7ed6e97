"""A base as network files see it: its weights, or their shapes alone, by the layers' names in a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from lorasmith.adapters.files import names as keys
from lorasmith.errors import AdapterError
from lorasmith.models.description import Description
from lorasmith.models.families import FAMILIES
from lorasmith.models.files.weights import load_part
from lorasmith.models.open import describe
from lorasmith.models.parts import Part, build


class BaseWeights:
    """The weights of a base by their names in a file. Without parts there are none, and a layer that needs one is refused."""

    def __init__(self, family: str, parts: Mapping[str, nn.Module] | None = None) -> None:
        self.family = family
        self.parts = dict(parts or {})
        self.shape = keys.denoiser_shape(family, self.parts)

    def __repr__(self) -> str:
        return f"BaseWeights({self.family}: {', '.join(self.parts) or 'no weights'})"

    def weight(self, name: str) -> Tensor | None:
        """The weight that a name in a file stands for, on the device that it has (the meta device: its shape alone).

        Raises:
            AdapterError: the base has no such layer.
        """
        if not self.parts:
            return None
        part, paths = keys.layers_of(self.family, name, self.shape)
        if part not in self.parts:
            return None
        module = self.parts[part]
        if "text_model" not in dict(module.named_children()):
            paths = tuple(path.removeprefix("text_model.") for path in paths)
        try:
            layers = [cast("nn.Linear | nn.Conv2d", module.get_submodule(path)) for path in paths]
        except AttributeError:
            raise AdapterError(
                f"The base has no layer for {name}: the LoRA was made for another base.", code="adapter.misfit", layer=name
            ) from None
        return layers[0].weight if len(layers) == 1 else torch.cat([layer.weight for layer in layers])

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of all weights that a file can change, by name."""
        return keys.weight_shapes(self.family, self.parts, "full")


def empty_base(description: Description) -> BaseWeights:
    """The base of this description, for shapes: none of its numbers is read."""
    parts = {name: place.config for name, place in description.parts.items()}
    return BaseWeights(description.family, _on_meta(description.family, parts))


def standard_base(family: str) -> BaseWeights:
    """A family at its full size, for shapes: without numbers."""
    return BaseWeights(family, _on_meta(family, FAMILIES[family].usual.parts))


def loaded_base(description: Description) -> BaseWeights:
    """The base of this description with its weights in fp32 on the CPU; the autoencoder is left out."""
    parts = [name for name in description.parts if name in keys.naming_of(description.family).parts]
    return BaseWeights(description.family, {name: load_part(description, name, torch.float32) for name in parts})


def opened_base(base: BaseWeights | str | Path | None, with_weights: bool) -> BaseWeights | None:
    """What a function was given as its base: as it is, or a file, folder or hub id opened, with its weights or for shapes alone."""
    if base is None or isinstance(base, BaseWeights):
        return base
    return loaded_base(describe(base)) if with_weights else empty_base(describe(base))


def _on_meta(family: str, parts: Mapping[str, Part]) -> dict[str, nn.Module]:
    with torch.device("meta"):
        return {name: build(part) for name, part in parts.items() if name in keys.naming_of(family).parts}
