"""How much each layer of a LoRA changes, and how alike two LoRAs' changes are, by the numbers in their files.

    <D, E> = sum over all places of D E        |D| = sqrt <D, D>        cosine = <D, E> / (|D| |E|)

Of changes that are products of thin matrices, D = A B and E = A' B', the products are never made: <D, E> = sum of (A^T A') (B B'^T).
Everything is computed in float64. Of a kind whose change depends on the base (DoRA, rotations, (IA)^3) it needs the base's weights.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lorasmith.adapters.base_weights import BaseWeights
from lorasmith.adapters.delta import delta
from lorasmith.adapters.files import names
from lorasmith.adapters.layer import Layer
from lorasmith.errors import AdapterError


@dataclass(frozen=True)
class Change:
    """W' - W of a layer in float64: `left @ right` where `right` is there, else `left` alone."""

    left: Tensor
    right: Tensor | None = None

    @classmethod
    def of(cls, layer: Layer, base: BaseWeights | None = None) -> Change | None:
        """None where it depends on the base and there is none.

        Raises AdapterError where its numbers are not finite or do not go together.
        """
        weight = base.weight(layer.name) if base is not None and layer.needs_weight else None
        if layer.needs_weight and weight is None:
            return None
        product = layer.factors(weight)
        return cls(*product[:2]) if product is not None else cls(delta(layer, weight).double().flatten(1))

    def whole(self) -> Tensor:
        """(out, in)."""
        return self.left if self.right is None else self.left @ self.right


def inner(one: Change, other: Change) -> float:
    """The inner product of two changes of one layer; not a number where their shapes differ."""
    if one.right is not None and other.right is not None:
        if one.left.shape[0] != other.left.shape[0] or one.right.shape[1] != other.right.shape[1]:
            return math.nan
        return float(((one.left.T @ other.left) * (one.right @ other.right.T)).sum())
    a, b = one.whole(), other.whole()
    return float((a * b).sum()) if a.shape == b.shape else math.nan


def norm(change: Change) -> float:
    """The Frobenius norm."""
    return math.sqrt(max(0.0, inner(change, change)))


def block_of(family: str, layer: str) -> tuple[str, str]:
    """The part of the base and the block that a layer of a file is in, as `inspect` names them."""
    part, paths = names.layers_of(family, layer)
    return part, names.block_of(family, part, paths[0])


@dataclass(frozen=True)
class WeightStatistics:
    """What the numbers of a LoRA say. Norms are Frobenius norms of the changes at strength 1."""

    blocks: Mapping[tuple[str, str], float]
    """(part of the base, block) -> the norm of all its layers together."""
    norm: float
    """Of the whole LoRA."""
    dead: tuple[str, ...]
    """Layers whose change is nothing."""
    not_finite: tuple[str, ...]
    """Layers with NaN or infinite numbers."""
    unknown: tuple[str, ...]
    """Layers whose change depends on the base, which was not given."""

    def as_data(self) -> dict[str, Any]:
        """For --json."""
        blocks = [{"part": part, "block": block, "norm": norm} for (part, block), norm in self.blocks.items()]
        return {
            "norm": self.norm, "blocks": blocks, "dead": list(self.dead), "not_finite": list(self.not_finite), "unknown": list(self.unknown),
        }  # fmt: skip


def weight_statistics(family: str, layers: Mapping[str, Layer], base: BaseWeights | None = None) -> WeightStatistics:
    """The norms of a LoRA's layers by block, and which layers do nothing or are broken; one layer is in memory at a time."""
    squares: dict[tuple[str, str], float] = {}
    dead, not_finite, unknown = [], [], []
    for name, layer in layers.items():
        if not all(torch.isfinite(tensor).all() for tensor in layer.all_tensors().values()):
            not_finite.append(name)
            continue
        try:
            change = Change.of(layer, base)
        except AdapterError:  # finite numbers whose product is not
            not_finite.append(name)
            continue
        if change is None:
            unknown.append(name)
            continue
        size = norm(change)
        bias = layer.delta_bias()
        if size == 0 and (bias is None or not bias.any()):
            dead.append(name)
        block = block_of(family, name)
        squares[block] = squares.get(block, 0.0) + size**2
    blocks = {block: math.sqrt(square) for block, square in sorted(squares.items())}
    return WeightStatistics(blocks, _together(blocks.values()), tuple(dead), tuple(not_finite), tuple(unknown))


def _together(norms: Iterable[float]) -> float:
    return math.sqrt(sum(one**2 for one in norms))
