"""One alpha for all LoRA layers of a file.

Layers may be trained with different alphas (rules for single layers, convolutions with an alpha of their own), and merging and resizing
give each layer the alpha that belongs to its rank. diffusers reads such a file wrongly: in 0.42.1 it takes the most common alpha for the
attention layers of the U-Net and for the text encoders. So the most common alpha is written for all, and the rest of the scale is
multiplied into `lora_up`, which changes nothing of what a layer does:

    alpha_layer / rank * up @ down  =  alpha / rank * (alpha_layer / alpha * up) @ down
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from math import isfinite

from lorasmith.adapters.kinds.lora import UP
from lorasmith.adapters.layer import Layer


def common_alpha(layers: Iterable[Layer]) -> float | None:
    """The alpha that most LoRA layers have, the first of several; None where there is no LoRA that does something."""
    alphas = Counter(layer.alpha_value for layer in layers if UP in layer.tensors and isfinite(layer.alpha_value) and layer.alpha_value)
    return alphas.most_common(1)[0][0] if alphas else None


def with_one_alpha(layers: Iterable[Layer]) -> list[Layer]:
    """The same network with the same alpha in all LoRA layers; layers of other kinds stay as they are."""
    layers = list(layers)
    alpha = common_alpha(layers)
    return layers if alpha is None else [_with_alpha(layer, alpha) for layer in layers]


def _with_alpha(layer: Layer, alpha: float) -> Layer:
    if UP not in layer.tensors or layer.alpha_value == alpha or not isfinite(layer.alpha_value):
        return layer
    up = layer.tensors[UP].detach().float() * (layer.alpha_value / alpha)
    return replace(layer, tensors={**layer.tensors, UP: up}, alpha=alpha)
