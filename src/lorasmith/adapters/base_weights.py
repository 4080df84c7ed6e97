"""A base as network files see it: its weights, or their shapes alone, by the layers' names in a file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from lorasmith.adapters.files import names as keys
from lorasmith.adapters.files.fuse import swapped
from lorasmith.errors import AdapterError
from lorasmith.models.description import Description
from lorasmith.models.families import FAMILIES
from lorasmith.models.files.weights import PartReader
from lorasmith.models.open import describe
from lorasmith.models.parts import Part, build


class BaseWeights:
    """The weights of a base by their names in a file. Without parts there are none, and a layer that needs one is refused.

    The parts are modules. Where one has a reader, its modules have shapes alone, and each tensor is read from the base's files when it is
    asked for, in fp32, so that no more than one layer of a base is in memory.
    """

    def __init__(self, family: str, parts: Mapping[str, nn.Module] | None = None, readers: Mapping[str, PartReader] | None = None) -> None:
        self.family = family
        self.parts = dict(parts or {})
        self.readers = dict(readers or {})
        self.shape = keys.denoiser_shape(family, self.parts)

    def __repr__(self) -> str:
        return f"BaseWeights({self.family}: {', '.join(self.parts) or 'no weights'})"

    def layers(self, name: str) -> tuple[str, tuple[str, ...]] | None:
        """The part that a name in a file is for, and the paths in its module that the name covers, in row order; None without that part.

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
            for path in paths:
                module.get_submodule(path)
        except AttributeError:
            raise AdapterError(
                f"The base has no layer for {name}: the LoRA was made for another base.", code="adapter.misfit", layer=name
            ) from None
        return part, paths

    def weight(self, name: str) -> Tensor | None:
        """The weight that a name in a file stands for, with its rows in the file's order (on the meta device: its shape alone).

        Raises:
            AdapterError: the base has no such layer.
        """
        if (found := self.layers(name)) is None:
            return None
        part, paths = found
        rows = [self.tensor(part, f"{path}.weight") for path in paths]
        whole = rows[0] if len(rows) == 1 else torch.cat(rows)
        return swapped(whole) if keys.place(self.family, part, paths[0], self.shape).halves_swapped else whole

    def tensor(self, part: str, name: str) -> Tensor:
        """A tensor of a part, by its name in the module."""
        if part in self.readers:
            return self.readers[part].read(name, torch.float32)
        path, _, kind = name.rpartition(".")
        return cast(Tensor, getattr(self.parts[part].get_submodule(path), kind))

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


def base_on_disk(description: Description, parts: Collection[str] | None = None) -> BaseWeights:
    """The base of this description, whose weights are read when they are asked for; None: all parts that can carry a LoRA."""
    carrying = [name for name in description.parts if name in keys.naming_of(description.family).parts]
    readers = {name: PartReader(description, name) for name in carrying if parts is None or name in parts}
    return BaseWeights(description.family, {name: reader.module for name, reader in readers.items()}, readers)


def opened_base(base: BaseWeights | str | Path | None, with_weights: bool) -> BaseWeights | None:
    """What a function was given as its base: as it is, or a file, folder or hub id opened, with its weights or for shapes alone."""
    if base is None or isinstance(base, BaseWeights):
        return base
    return base_on_disk(describe(base)) if with_weights else empty_base(describe(base))


def part_on_meta(family: str, part: str) -> nn.Module:
    """One part of a family at its full size, without numbers."""
    return _on_meta(family, {part: FAMILIES[family].usual.parts[part]})[part]


def _on_meta(family: str, parts: Mapping[str, Part]) -> dict[str, nn.Module]:
    with torch.device("meta"):
        return {name: build(part) for name, part in parts.items() if name in keys.naming_of(family).parts}
