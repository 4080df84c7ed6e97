"""Layers of a network that do nothing, and which of them are to be expected.

How much a layer does is measured by the product of the root mean squares of its tensors: for the kinds whose change is a product of
them (LoRA, LoHa, LoKr ...) an estimate of the change's size that is zero where one factor is. A layer is idle when its size is at most
the rounding error of its neighbours' changes in float32: eps (1.2e-7) times the median over the layers of its kind. Sizes are computed
in float64, so the answer for a file is the same on every machine. Exact zero would not do: where a gradient is zero in exact arithmetic (query and key of an attention over one pixel), one CPU leaves the layer at zero, and
another rounds it to something that is not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite, prod
from statistics import median

import torch

from lorasmith.adapters.kinds.kind import Kind
from lorasmith.adapters.layer import Layer
from lorasmith.models.families import FAMILIES


def size_of(layer: Layer) -> float:
    """The product of the root mean squares of the tensors that a layer's change is a product of; see above."""
    factors = [layer.tensors[suffix].double() for suffix in layer.kind.product if suffix in layer.tensors]
    return prod(factor.square().mean().sqrt().item() for factor in factors)


def idle_layers(layers: Mapping[str, Layer]) -> list[str]:
    """Names of the layers that change nothing, in the file's order.

    Rotations, DoRA and GLoRA are not products of their tensors, and are never idle; nor is a layer that changes a bias.
    """
    sizes: dict[Kind, dict[str, float]] = {}
    for name, layer in layers.items():
        bias = layer.delta_bias()
        if layer.kind.product and layer.dora_scale is None and (bias is None or not bias.any()) and isfinite(size := size_of(layer)):
            sizes.setdefault(layer.kind, {})[name] = size
    eps = torch.finfo(torch.float32).eps
    idle = {name for of_kind in sizes.values() for name, size in of_kind.items() if size <= eps * median(of_kind.values())}
    return [name for name in layers if name in idle]


def unread_in_last_block(family: str, layers: Mapping[str, Layer], idle: list[str]) -> frozenset[str]:
    """The idle layers of a denoiser's last block whose output nothing reads."""
    pattern = FAMILIES[family].lora.unread_in_last_block
    numbers = {name: int(found[1]) for name in layers if pattern and (found := re.fullmatch(pattern, name))}
    return frozenset(name for name, number in numbers.items() if number == max(numbers.values()) and name in idle)


def beyond_clip_skip(layers: Mapping[str, Layer], idle: list[str]) -> frozenset[str]:
    """The idle layers at the end of a text encoder, where whole blocks are idle.

    SDXL reads its first encoder up to the last block but one, as every family does with clip skip, and what is not read is not trained.
    """
    blocks: dict[str, dict[int, list[str]]] = {}
    for name in layers:
        if found := re.match(r"(lora_te\d?)_text_model_encoder_layers_(\d+)_", name):
            blocks.setdefault(found[1], {}).setdefault(int(found[2]), []).append(name)
    beyond: set[str] = set()
    zero = set(idle)
    for of_encoder in blocks.values():
        for number in sorted(of_encoder, reverse=True)[:-1]:
            if not zero.issuperset(of_encoder[number]):
                break
            beyond.update(of_encoder[number])
    return frozenset(beyond)
