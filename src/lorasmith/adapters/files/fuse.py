"""Layers that were trained apart, as the one layer that the file's names have for them (Flux: query, key and value).

A LoRA is fused exactly, its ranks side by side and the output rows block by block; other kinds are written as their difference.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from lorasmith.adapters.delta import delta
from lorasmith.adapters.kinds import full, lora
from lorasmith.adapters.kinds.lora import DOWN, MID, UP
from lorasmith.adapters.layer import Layer
from lorasmith.errors import AdapterError


def fuse(name: str, slots: dict[int, Layer], count: int) -> Layer:
    """One layer from those whose output rows are stacked in the file's layer of this name, by their place; some may be missing.

    Raises:
        AdapterError: they have no fused form.
    """
    if any(layer.kind is not lora.KIND or MID in layer.tensors for layer in slots.values()):
        return _fuse_deltas(name, slots, count)
    ups = {slot: layer.tensors[UP] for slot, layer in slots.items()}
    downs = {slot: layer.tensors[DOWN] for slot, layer in slots.items()}
    magnitude = _fused_magnitude(name, slots, count)
    written_as = tuple(head for layer in slots.values() for head in layer.written_as)
    scales = {slot: layer.alpha_value / downs[slot].shape[0] for slot, layer in slots.items()}
    first, equal = next(iter(downs.values())), len(set(scales.values())) == 1
    if equal and len(slots) == count and all(torch.equal(first, down) for down in downs.values()):
        # It was one layer once, and was taken apart.
        tensors = {DOWN: first, UP: torch.cat([ups[slot] for slot in range(count)])}
        return Layer(name, lora.KIND, tensors, slots[0].alpha, magnitude, written_as)
    # Query, key and value have as many rows as the model is wide, and the MLP of a single block four times that.
    width = first.shape[1]
    rows = [ups[slot].shape[0] if slot in ups else width * (4 if slot == 3 else 1) for slot in range(count)]
    down = torch.cat([downs[slot] for slot in sorted(downs)])
    up = down.new_zeros(sum(rows), down.shape[0])
    row = column = 0
    for slot in range(count):
        if slot in ups:
            block = ups[slot] if equal else ups[slot] * scales[slot]
            up[row : row + rows[slot], column : column + block.shape[1]] = block
            column += block.shape[1]
        row += rows[slot]
    alpha = next(iter(scales.values())) * down.shape[0] if equal else float(down.shape[0])
    return Layer(name, lora.KIND, {DOWN: down, UP: up}, alpha, magnitude, written_as)


def _fused_magnitude(name: str, slots: dict[int, Layer], count: int) -> torch.Tensor | None:
    """The DoRA magnitudes of all rows; None where no layer has one."""
    magnitudes = {slot: layer.dora_scale for slot, layer in slots.items() if layer.dora_scale is not None}
    if not magnitudes:
        return None
    if len(magnitudes) < count or any(layer.dora_axis == "input" for layer in slots.values()):
        raise AdapterError(f"The layers of {name} were trained apart with magnitudes (DoRA) that have no fused form.")
    return torch.cat([magnitudes[slot].reshape(-1, 1) for slot in range(count)])


def _fuse_deltas(name: str, slots: dict[int, Layer], count: int) -> Layer:
    """The changes of layers of other kinds, one below the other."""
    for layer in slots.values():
        if layer.needs_weight or len(slots) < count:
            raise AdapterError(f"The layers of {name} were trained apart as {layer.described}, which has no fused form.")
    deltas = [delta(slots[slot]).float() for slot in range(count)]
    heads = tuple(head for layer in slots.values() for head in layer.written_as)
    return Layer(name, full.KIND, {full.DIFF: torch.cat(deltas)}, written_as=heads)


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
    return replace(layer, tensors={**layer.tensors, suffix: torch.cat(layer.tensors[suffix].chunk(2)[::-1])})
