"""Read the LoRA files of others: every way in which the field names layers and tensors, made into one.

What is in a file is found by its names and shapes (see `layout`); here the layers get their numbers, as `Layer`s in kohya's names. Where
Flux was trained with query, key and value apart but the file's names fuse them, the layers are fused (see `fuse`). What cannot be read is
not passed over: it is in `Network.unread`, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from lorasmith.adapters.files import names
from lorasmith.adapters.files.fuse import divide, fuse, swap_halves
from lorasmith.adapters.files.key_style import with_alphas
from lorasmith.adapters.files.layout import Layout, PlacedLayer, as_norm, layout_of
from lorasmith.adapters.files.network import Network
from lorasmith.adapters.kinds import ALPHA, lokr
from lorasmith.adapters.kinds.formulas import diag_oft as diag_oft_formulas
from lorasmith.adapters.layer import Layer, read_layer
from lorasmith.errors import AdapterError


def read_network(
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, str] | None = None,
    family: str | None = None,
    shape: Any = None,
) -> Network:
    """The network in a file's tensors, whatever dialect it was written in.

    `family` is found from the names and shapes where it is not given; `shape` is for denoisers of an unusual shape.

    Raises:
        AdapterError: no network in it, or nothing in it shows its family.
    """
    metadata = dict(metadata or {})
    numbers = _Tensors(with_alphas(tensors, metadata))
    layout = layout_of(numbers.tensors, metadata, numbers, family, shape)
    slots: dict[str, dict[int, PlacedLayer]] = {}
    for placed in layout.layers:
        slots.setdefault(placed.place.name, {})[placed.place.slot] = placed
    layers: dict[str, Layer] = {}
    unread = dict(layout.unread)
    for name, of_name in slots.items():
        try:
            layers[name] = _one_layer(name, of_name, numbers, layout)
        except AdapterError as error:
            _refuse(unread, of_name, error)
    fused = sum(len(next(iter(slots[name].values())).place.shares) > 1 for name in layers)
    in_file = tuple(layer for layer in layout.in_file if layer.name in layers)
    layers, alphas_from = _apart(layout, layers, shape, lambda name, why: _refuse(unread, slots[name], why))
    return Network(
        layout.family, layers, layout.dialects, unread, layout.notes(fused), metadata, alphas_from, in_file, layout.alike, layout.embeddings
    )


def _refuse(unread: dict[str, str], slots: Mapping[int, PlacedLayer], why: AdapterError) -> None:
    """Put the keys of a layer among those that cannot be read."""
    unread |= dict.fromkeys((key for placed in slots.values() for key in placed.keys.values()), str(why).rstrip("."))


def _apart(
    layout: Layout, layers: Mapping[str, Layer], shape: Any, refuse: Callable[[str, AdapterError], None]
) -> tuple[dict[str, Layer], dict[str, str]]:
    """The layers, with those that another program has in one and the family apart under the family's names; and where their alphas are."""
    found: dict[str, Layer] = {}
    alphas_from: dict[str, str] = {}
    for name, layer in layers.items():
        part, paths = names.layers_of(layout.family, name, shape)
        own = [names.place(layout.family, part, path, shape).name for path in paths]
        is_anothers = len({*own}) > 1 and layers.keys().isdisjoint(own)
        try:
            divided = divide(layer, own) if is_anothers else [layer]
        except AdapterError as error:
            refuse(name, error)
            continue
        found |= {each.name: each for each in divided}
        alphas_from |= {each.name: layout.alphas_from[name] for each in divided if name in layout.alphas_from}
    return found, alphas_from


@dataclass
class _Tensors:
    """The tensors of a file, and the few numbers in them that decide what a layer is."""

    tensors: dict[str, Tensor]
    blocks: dict[str, Tensor | None] = field(default_factory=dict)
    """Key of a stack of rotations -> what Diag-OFT computes them from; None where they are no rotations."""

    def number(self, key: str) -> float:
        return float(self.tensors[key])

    def is_rotation(self, key: str) -> bool:
        self.blocks[key] = diag_oft_formulas.from_rotations(self.tensors[key])
        return self.blocks[key] is not None

    def of(self, placed: PlacedLayer) -> dict[str, Tensor]:
        """The tensors of a layer by suffix, in kohya's layout."""
        found: dict[str, Tensor] = {}
        for suffix, shape in placed.shapes.items():
            key = placed.keys.get(suffix)
            if suffix == ALPHA and placed.outline.alpha is not None:
                found[suffix] = torch.tensor(placed.outline.alpha)
            elif key is not None and (blocks := self.blocks.get(key)) is not None:
                found[suffix] = blocks
            elif key is not None:
                found[suffix] = _in_shape(self.tensors[key], shape.shape)
        return found


def _in_shape(tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A tensor in the shape that it has in kohya's layout; where that has more rows, they are zero."""
    if tensor.dim() == len(shape) and tensor.numel() < torch.Size(shape).numel():
        return torch.cat([tensor, tensor.new_zeros(shape[0] - tensor.shape[0], *shape[1:])])
    return tensor.reshape(shape)


def _one_layer(name: str, slots: Mapping[int, PlacedLayer], numbers: _Tensors, layout: Layout) -> Layer:
    """The file's layer of this name from its parts: fused where several share it, its rows in the file's order."""
    layers = {slot: _layer(placed, numbers, layout) for slot, placed in slots.items()}
    place = next(iter(slots.values())).place
    if len(place.shares) > 1:
        return fuse(name, layers, place.shares)
    shape = layers[0].shape
    is_pair = shape is None or shape[0] == 2 * shape[1]  # layers of this name may have other rows in other blocks
    return swap_halves(layers[0]) if place.halves_swapped and is_pair else layers[0]


def _layer(placed: PlacedLayer, numbers: _Tensors, layout: Layout) -> Layer:
    """A layer with its numbers."""
    outline = placed.outline
    layer = as_norm(read_layer(outline.name, numbers.of(placed), outline.written_as), torch.zeros_like)
    layer = replace(layer, alpha=outline.alpha)
    if ALPHA in placed.shapes or layer.rank is not None or lokr.W1 not in layer.tensors:
        return layer
    # peft scales a LoKr whose factors are both whole; all other programs do not.
    scale = layout.peft_alphas.scale(outline, placed.part, placed.path)
    whole = layer.tensors[lokr.W1]
    return layer if scale is None else replace(layer, tensors={**layer.tensors, lokr.W1: whole.float() * scale})
