"""What LoRAs change in a base, tensor by tensor of its modules: their changes times their ratios, added."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from lorasmith.adapters.base_weights import BaseWeights
from lorasmith.adapters.delta import delta
from lorasmith.adapters.files import names as keys
from lorasmith.adapters.files.fuse import swapped
from lorasmith.adapters.kinds import norm
from lorasmith.adapters.layer import Layer
from lorasmith.adapters.tools.opened import OpenedLora
from lorasmith.errors import AdapterError

Weighted = tuple[Layer, float]
"""A layer and its ratio."""


def changed_tensors(base: BaseWeights, opened: Sequence[tuple[OpenedLora, float]]) -> dict[str, dict[str, Callable[[], Tensor]]]:
    """Part -> tensor of its module -> what computes its change, in fp64, when it is asked for.

    Raises AdapterError where a LoRA has a layer that the base does not.
    """
    changed: dict[str, dict[str, Callable[[], Tensor]]] = defaultdict(dict)
    for name in dict.fromkeys(name for lora, _ in opened for name in lora.layers):
        layers = [(lora.layers[name], ratio) for lora, ratio in opened if name in lora.layers]
        if (found := base.layers(name)) is None:
            part, _ = keys.part_of(base.family, name)
            raise AdapterError(
                f"The base has no {part}, which {next(lora.path for lora, _ in opened if name in lora.layers)} changes: give a complete one.",
                code="merge.part_missing",
                layer=name,
            )
        part, paths = found
        for slot, path in enumerate(paths):
            changed[part][f"{path}.weight"] = partial(_weight_change, base, layers, part, paths, slot)
            if any(_bias_of(layer) is not None for layer, _ in layers):
                if f"{path}.bias" not in base.readers[part].shapes:
                    raise AdapterError(
                        f"A LoRA changes the bias of {name}, which has none in the base: it was made for another base model.",
                        code="adapter.misfit",
                        layer=name,
                    )
                changed[part][f"{path}.bias"] = partial(_bias_change, base, layers, part, paths, slot)
    return changed


def _weight_change(base: BaseWeights, layers: Sequence[Weighted], part: str, paths: tuple[str, ...], slot: int) -> Tensor:
    """The change of one of the weights that a name covers, in fp64."""
    name, shapes = layers[0][0].name, base.readers[part].shapes
    if all(layer.kind is norm.KIND for layer, _ in layers):
        return _sum([ratio * layer.tensors[norm.W].double() for layer, ratio in layers])
    whole = (sum(shapes[f"{path}.weight"][0] for path in paths), *shapes[f"{paths[0]}.weight"][1:])
    weight = base.weight(name) if any(layer.needs_weight for layer, _ in layers) else torch.empty(whole, device="meta")
    return _own_rows(base, _sum([ratio * delta(layer, weight).double() for layer, ratio in layers]), part, paths, slot)


def _bias_change(base: BaseWeights, layers: Sequence[Weighted], part: str, paths: tuple[str, ...], slot: int) -> Tensor:
    """The change of one of the biases that a name covers, in fp64."""
    biases = [ratio * bias.double() for layer, ratio in layers if (bias := _bias_of(layer)) is not None]
    return _own_rows(base, _sum(biases), part, paths, slot)


def _bias_of(layer: Layer) -> Tensor | None:
    """None where it stays: also that of a normalisation without one, such as T5's, of which files say nothing."""
    if layer.kind is not norm.KIND:
        return layer.delta_bias()
    return layer.tensors[norm.B] if layer.tensors[norm.B].any() else None


def _own_rows(base: BaseWeights, whole: Tensor, part: str, paths: tuple[str, ...], slot: int) -> Tensor:
    """The rows of a change over all rows of a name that are those of one of its layers, in the module's order."""
    if keys.place(base.family, part, paths[0], base.shape).halves_swapped:
        whole = swapped(whole)
    return whole.split([base.readers[part].shapes[f"{path}.weight"][0] for path in paths])[slot]


def _sum(tensors: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(tensors)).sum(0)
