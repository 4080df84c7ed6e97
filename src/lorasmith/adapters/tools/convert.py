"""A network written another way: as a LoRA, as its plain difference, in kohya's names or in those of diffusers.

What is exact stays exact: names, LoRAs in Tucker form multiplied out, GLoRA on linear layers as a LoRA of twice the rank, anything
as `diff`. What has no LoRA of its own - LoHa, LoKr, rotations, magnitudes (DoRA), differences - is approximated by the largest
singular values of its change, and the error is told: ||lost|| / ||change||, 0 for nothing lost, 1 for all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lorasmith.adapters.base_weights import BaseWeights
from lorasmith.adapters.files import names as keys
from lorasmith.adapters.files.network import Layer
from lorasmith.adapters.tools.delta import change, factors
from lorasmith.adapters.tools.resize import layer_from_svd, lora_layer
from lorasmith.errors import AdapterError


@dataclass(frozen=True)
class Converted:
    """What became of one layer."""

    name: str
    kind: str
    """What it was."""
    rank: int | None
    """What it has now; None for a difference."""
    error: float
    """||lost|| / ||change||, 0 to 1."""


def as_lora(layer: Layer, rank: int | None = None, weight: Tensor | None = None) -> tuple[Layer, Converted]:
    """The layer as a plain LoRA: exactly where it is one, else of this rank.

    Raises:
        AdapterError: it is none and no rank is given, it needs the base's weight, or it changes a bias or a normalisation.
    """
    if layer.kind == "norm" or "diff_b" in layer.tensors:
        what = "a normalisation layer" if layer.kind == "norm" else "a bias"
        raise AdapterError(f"The layer {layer.name} changes {what}, which no LoRA can hold: convert to diff, or leave the file as it is.")
    if layer.kind == "lora" and not layer.dora and "lora_mid.weight" not in layer.tensors:
        return layer, Converted(layer.name, layer.kind, layer.rank, 0.0)
    product = factors(layer, weight)
    if product is not None:
        left, right, kernel = product
        return lora_layer(layer.name, left, right, float(left.shape[1]), kernel), Converted(layer.name, layer.kind, left.shape[1], 0.0)
    if rank is None:
        what = "has a magnitude (DoRA)" if layer.dora else f"is a {layer.kind}"
        raise AdapterError(f"The layer {layer.name} {what} and no LoRA: give the rank of the LoRA that shall stand for it.")
    if rank < 1:
        raise AdapterError(f"A rank of {rank} was asked for: it must be 1 or more.")
    whole = change(layer, weight).double()
    if weight is None and whole.dim() == 2 and layer.kind in ("loha", "lokr"):
        _check_not_a_wide_kernel(layer)
    u, s, vh = torch.linalg.svd(whole.flatten(1), full_matrices=False)
    rank = min(rank, len(s))
    error = float(s[rank:].norm() / s.norm()) if s.norm() > 0 else 0.0
    return layer_from_svd(layer.name, u, s, vh, rank, 1.0, tuple(whole.shape[1:])), Converted(layer.name, layer.kind, rank, error)


def _check_not_a_wide_kernel(layer: Layer) -> None:
    """Without the base, a convolution's flattened kernel cannot be told from a linear layer's inputs: only by its name."""
    if "_resnets_" in layer.name or layer.name.endswith(("_conv", "_op", "_in_layers_2", "_out_layers_3", "_conv_in", "_conv_out")):
        raise AdapterError(f"The layer {layer.name} is a convolution whose kernel the file does not tell: give the base too.")


def as_difference(layer: Layer, weight: Tensor | None = None) -> tuple[Layer, Converted]:
    """The layer as `diff`, W' - W number for number; normalisations stay as they are.

    Raises:
        AdapterError: it needs the base's weight.
    """
    if layer.kind in ("norm", "full"):
        return layer, Converted(layer.name, layer.kind, None, 0.0)
    return Layer(layer.name, "full", {"diff": change(layer, weight).float().contiguous()}), Converted(layer.name, layer.kind, None, 0.0)


def convert(
    layers: Mapping[str, Layer], to: str, rank: int | None = None, base: BaseWeights | None = None
) -> tuple[dict[str, Layer], list[Converted]]:
    """All layers as "lora" or "diff", and what became of each; see `as_lora` and `as_difference`."""
    new, reports = {}, []
    for name, layer in layers.items():
        weight = base.weight(name) if base else None
        new[name], report = as_lora(layer, rank, weight) if to == "lora" else as_difference(layer, weight)
        reports.append(report)
    return new, reports


def diffusers_tensors(family: str, layers: Mapping[str, Layer], shape: Any = None) -> dict[str, Tensor]:
    """The tensors of a file as diffusers' `save_lora_weights` writes it, of LoRA layers in kohya's names.

    The alpha is worked into the weights. Where the name stands for several layers (Flux), each gets its rows of `up` and
    shares `down`.

    Raises:
        AdapterError: a layer is no plain LoRA.
    """
    tensors: dict[str, Tensor] = {}
    for name, layer in layers.items():
        if layer.kind != "lora" or layer.dora or "lora_mid.weight" in layer.tensors:
            raise AdapterError(f"The layer {name} is no plain LoRA, which is all that diffusers reads: convert the file to LoRA first.")
        part, paths = keys.layers_of(family, name, shape)
        down, up = layer.tensors["lora_down.weight"], layer.tensors["lora_up.weight"]
        scale = 1.0 if layer.alpha is None else layer.alpha / down.shape[0]
        up = up if scale == 1 else (up.float() * scale).to(up.dtype)
        rows = up.shape[0]
        width = down.shape[1]
        sizes = [rows] if len(paths) == 1 else [width] * 3 + ([rows - 3 * width] if len(paths) == 4 else [])
        if name.endswith("final_layer_adaLN_modulation_1"):
            up = torch.cat(up.chunk(2)[::-1])
        for path, own in zip(paths, up.split(sizes), strict=True):
            tensors[f"{part}.{path}.lora_A.weight"] = down
            tensors[f"{part}.{path}.lora_B.weight"] = own.contiguous()
    return tensors
