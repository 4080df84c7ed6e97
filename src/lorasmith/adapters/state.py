"""The trained weights of attached adapters as the tensors of a file, and back."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from lorasmith.adapters.attach import AttachedAdapter, LoraLayer
from lorasmith.adapters.file import ALPHA, DOWN, UP, LoraFile
from lorasmith.errors import AdapterError


def adapter_tensors(*adapters: AttachedAdapter) -> dict[str, Tensor]:
    """The tensors of a LoRA file for these adapters together (say U-Net and text encoder); weights are not copied."""
    tensors: dict[str, Tensor] = {}
    for adapter in adapters:
        for name, layer in adapter.layers().items():
            if name + DOWN in tensors:
                raise AdapterError(f"Two adapters both have a layer {name}: they cannot share a file.")
            tensors[name + DOWN] = layer.lora_down.weight.detach()
            tensors[name + UP] = layer.lora_up.weight.detach()
            tensors[name + ALPHA] = torch.tensor(layer.alpha)
    return tensors


def load_into(adapters: AttachedAdapter | Iterable[AttachedAdapter], file: LoraFile) -> None:
    """Copy a file's weights and alphas into attached adapters, which together must have exactly its layers.

    A layer without an alpha in the file gets its rank as alpha, as all consumers read it.

    Raises:
        AdapterError: a layer is missing, unknown, or of another shape. Nothing is copied then.
    """
    together = [adapters] if isinstance(adapters, AttachedAdapter) else list(adapters)
    layers: dict[str, LoraLayer] = {name: layer for adapter in together for name, layer in adapter.layers().items()}
    needed = {name + end for name in layers for end in (DOWN, UP)}
    known = needed | {name + ALPHA for name in layers}
    if missing := sorted(needed - file.tensors.keys()):
        raise AdapterError(f"The LoRA file lacks {_some(missing)}: it was made for another base model or for other layers.")
    if unexpected := sorted(file.tensors.keys() - known):
        raise AdapterError(
            f"The LoRA file has {_some(unexpected)}, unknown here: it was made for another base model or is another kind of network."
        )
    for name, layer in layers.items():
        for end, weight in ((DOWN, layer.lora_down.weight), (UP, layer.lora_up.weight)):
            found = file.tensors[name + end]
            if found.shape != weight.shape:
                raise AdapterError(
                    f"In the LoRA file {name + end} has the shape {list(found.shape)} where {list(weight.shape)} is needed: "
                    "its rank or its base model is another."
                )
        if name + ALPHA in file.tensors and file.tensors[name + ALPHA].numel() != 1:
            raise AdapterError(f"In the LoRA file {name + ALPHA} is not a single number: the file is damaged.")
    with torch.no_grad():
        for name, layer in layers.items():
            layer.lora_down.weight.copy_(file.tensors[name + DOWN])
            layer.lora_up.weight.copy_(file.tensors[name + UP])
            alpha = file.tensors.get(name + ALPHA)
            layer.alpha = float(layer.rank) if alpha is None else alpha.item()


def _some(keys: list[str]) -> str:
    return keys[0] if len(keys) == 1 else f"{keys[0]} and {len(keys) - 1} more"
