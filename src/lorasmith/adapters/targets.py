"""Which layers of a model a network's layers act on: their names in the file, and the modules behind them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import nn

from lorasmith.adapters.kinds.formulas.target_layer import BaseLayer, TargetLayer
from lorasmith.errors import AdapterError


@dataclass(frozen=True)
class NetworkTarget:
    """One layer of the file to train: its name there, and the dotted paths of the model's layers that it stands for.

    Several paths are layers whose weights the file has stacked along the output, in this order (Flux).
    """

    paths: tuple[str, ...]
    name: str


Targets = Mapping[str, str] | Mapping[str, tuple[str, ...]] | Iterable[NetworkTarget]
"""{path: name in the file}, {name in the file: paths} (as `names.targets` gives them), or targets as they are."""


def network_targets(targets: Targets) -> tuple[NetworkTarget, ...]:
    """The targets of a network, each with a name of its own.

    Raises:
        AdapterError: a name given twice, or one that cannot be used in a file.
    """
    if isinstance(targets, Mapping):
        found = tuple(
            NetworkTarget((key,), value) if isinstance(value, str) else NetworkTarget(tuple(value), key) for key, value in targets.items()
        )
    else:
        found = tuple(targets)
    path_of: dict[str, str] = {}
    for target in found:
        shown = " and ".join(target.paths)
        if not target.name or "." in target.name:
            raise AdapterError(
                f"The layer {shown} was given the name '{target.name}': a name in a LoRA file needs letters and cannot have a dot."
            )
        if target.name in path_of:
            raise AdapterError(f"The layers {path_of[target.name]} and {shown} were both given the name {target.name}: give each its own.")
        path_of[target.name] = shown
    return found


def target_layers_of(model: nn.Module, target: NetworkTarget) -> list[TargetLayer]:
    """The model's layers behind a target, each with its rows.

    Raises:
        AdapterError: the model has no such layer, it is not a plain Linear or Conv2d, or it carries an adapter already.
    """
    modules = tuple(_base_layer(model, path) for path in target.paths)
    if len({tuple(module.weight.shape[1:]) for module in modules}) > 1:
        raise AdapterError(
            f"{target.name} stands for layers with inputs of different sizes: the LoRA's target names belong to another model.",
            code="adapter.misfit",
        )
    found, row = [], 0
    for module in modules:
        found.append(TargetLayer(module, row, modules))
        row += module.weight.shape[0]
    return found


def _base_layer(model: nn.Module, path: str) -> BaseLayer:
    try:
        layer = model.get_submodule(path)
    except AttributeError:
        raise AdapterError(
            f"The model has no layer {path}: the LoRA's target names belong to another kind of model.", code="adapter.misfit", path=path
        ) from None
    if "forward" in vars(layer):
        raise AdapterError(f"The layer {path} carries an adapter already: detach or merge that one first.")
    if isinstance(layer, nn.Linear) and type(layer).forward is nn.Linear.forward:
        return layer
    if isinstance(layer, nn.Conv2d) and type(layer).forward is nn.Conv2d.forward:
        if layer.groups != 1 or layer.padding_mode != "zeros" or isinstance(layer.padding, str):
            raise AdapterError(
                f"The layer {path} is a convolution with groups or special padding, which a LoRA cannot follow: leave it out."
            )
        return layer
    raise AdapterError(f"The layer {path} is a {type(layer).__name__}: a LoRA goes on plain Linear and Conv2d layers only.")
