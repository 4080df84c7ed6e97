"""Layers that were trained apart, as the one layer that the file's names have for them (query, key and value), and the other way round.

LoRAs are fused exactly, their ranks side by side and the output rows block by block. Other kinds are kept as they are, in a stack (see
`kinds.stack`): nothing of the size of a weight is built by reading a file. How the rows are shared out is the family's own
(`models.lora_naming.Place`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

import torch
from torch import Tensor

from lorasmith.adapters.kinds import ALPHA, full, lora, stack
from lorasmith.adapters.kinds.lora import DOWN, MID, UP
from lorasmith.adapters.layer import Layer
from lorasmith.errors import AdapterError
from lorasmith.pages.numbers import count

ANOTHER_SIZE = "it was made for another base model"


def fuse(name: str, slots: dict[int, Layer], shares: tuple[int, ...]) -> Layer:
    """One layer from those whose output rows are stacked in the file's layer of this name, by their place; some may be missing.

    `shares` has the rows of each place, in proportion to each other.
    """
    magnitude, fits = _fused_magnitude(slots, len(shares))
    if not fits or any(layer.kind is not lora.KIND or MID in layer.tensors or layer.bias is not None for layer in slots.values()):
        return _stacked(name, slots, shares)
    ups = {slot: layer.tensors[UP].flatten(1) for slot, layer in slots.items()}  # linear layers may be written as 1x1 convolutions
    downs = {slot: layer.tensors[DOWN].flatten(1) for slot, layer in slots.items()}
    scales = {slot: layer.alpha_value / downs[slot].shape[0] for slot, layer in slots.items()}
    first, equal = next(iter(downs.values())), len(set(scales.values())) == 1
    if equal and len(slots) == len(shares) and all(torch.equal(first, down) for down in downs.values()):
        # It was one layer once, and was taken apart.
        tensors = {DOWN: first, UP: torch.cat([ups[slot] for slot in range(len(shares))])}
        return Layer(name, lora.KIND, tensors, slots[0].alpha, magnitude, _written_as(slots))
    rows = _rows({slot: up.shape[0] for slot, up in ups.items()}, shares)
    down = torch.cat([downs[slot] for slot in sorted(downs)])
    blocks = ups if equal else {slot: up.float() * scales[slot] for slot, up in ups.items()}
    up = torch.zeros(sum(rows), down.shape[0], dtype=reduce(torch.promote_types, (block.dtype for block in blocks.values())))
    row = column = 0
    for slot in range(len(shares)):
        if slot in blocks:
            block = blocks[slot]
            up[row : row + rows[slot], column : column + block.shape[1]] = block
            column += block.shape[1]
        row += rows[slot]
    alpha = next(iter(scales.values())) * down.shape[0] if equal else float(down.shape[0])
    return Layer(name, lora.KIND, {DOWN: down, UP: up}, alpha, magnitude, _written_as(slots))


def _fused_magnitude(slots: dict[int, Layer], count: int) -> tuple[Tensor | None, bool]:
    """The DoRA magnitudes of all rows, None where no layer has one; and whether the layers' magnitudes have such a form.

    A magnitude along the inputs belongs to the norms of its own layer's columns, which are not those of the fused one.
    """
    magnitudes = {slot: layer.dora_scale for slot, layer in slots.items() if layer.dora_scale is not None}
    if not magnitudes:
        return None, True
    if len(magnitudes) < count or any(layer.dora_axis == "input" for layer in slots.values()):
        return None, False
    return torch.cat([magnitudes[slot].reshape(-1, 1) for slot in range(count)]), True


def _stacked(name: str, slots: dict[int, Layer], shares: tuple[int, ...]) -> Layer:
    """The layers as they are, one below the other."""
    tensors: dict[str, Tensor] = {}
    shapes = {slot: layer.shape for slot, layer in slots.items() if layer.shape is not None}
    for slot, layer in slots.items():
        layer.check_computable()
        tensors |= {f"{slot}_{suffix}": tensor for suffix, tensor in layer.all_tensors().items()}
        if layer.alpha is not None and layer.alpha_counts:
            tensors[f"{slot}_{ALPHA}"] = torch.tensor(layer.alpha)
    tensors[stack.ROWS] = torch.tensor(_rows({slot: shape[0] for slot, shape in shapes.items()}, shares))
    kind = stack.ON_WEIGHT if any(layer.needs_weight for layer in slots.values()) else stack.KIND
    return Layer(name, kind, tensors, written_as=_written_as(slots))


def _rows(known: dict[int, int], shares: tuple[int, ...]) -> list[int]:
    """The rows of each place, where those of some are known; where none are, the shares themselves, which say how the base's are divided."""
    unit = next((rows // shares[slot] for slot, rows in known.items()), 1)
    return [known.get(slot, share * unit) for slot, share in enumerate(shares)]


def divide(layer: Layer, names: Sequence[str]) -> list[Layer]:
    """A LoRA on several layers of equal height, one below the other, as one on each; others stay as they are.

    All have the same `lora_down`, and of `lora_up` their own rows.

    Raises:
        AdapterError: its rows are no multiple of theirs.
    """
    up = layer.tensors.get(UP)
    if layer.kind is not lora.KIND or up is None or MID in layer.tensors or layer.dora_scale is not None or layer.bias is not None:
        return [layer]
    if up.shape[0] % len(names):
        raise AdapterError(
            f"The layer {layer.name} has {up.shape[0]} rows, and is for {count(len(names), 'layer')} of equal height: {ANOTHER_SIZE}."
        )
    rows = up.split(up.shape[0] // len(names))
    return [
        replace(layer, name=name, tensors={DOWN: layer.tensors[DOWN], UP: own.contiguous()}) for name, own in zip(names, rows, strict=True)
    ]


def _written_as(slots: dict[int, Layer]) -> tuple[str, ...]:
    return tuple(head for layer in slots.values() for head in layer.written_as)


def swap_halves(layer: Layer) -> Layer:
    """The layer with the halves of its output rows swapped; see `lora_naming.Place.halves_swapped`.

    Raises:
        AdapterError: its kind cannot be turned.
    """
    suffix = {lora.KIND: UP, full.KIND: full.DIFF}.get(layer.kind)
    if suffix is None or layer.dora_scale is not None:
        raise AdapterError(
            f"The layer {layer.name} has its rows in another order in diffusers, and a {layer.described} cannot be reordered."
        )
    turned = {end: swapped(tensor) if end in (suffix, full.DIFF_B) else tensor for end, tensor in layer.tensors.items()}
    return replace(layer, tensors=turned, bias=None if layer.bias is None else swapped(layer.bias))


def swapped(tensor: Tensor) -> Tensor:
    """The lower half of the rows above the upper."""
    return torch.cat(tensor.chunk(2)[::-1])
