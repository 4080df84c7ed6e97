"""Attach LoRA layers to a model, and take them off again.

    adapter = attach(unet, unet_targets(unet), rank=16, alpha=8, seed=1)
    optimizer = AdamW(adapter.parameters())
    with adapter.off():                  # the base, bit for bit
        ...
    with adapter.strength(0.5):          # W + 0.5 (W' - W), as in the UIs
        ...
    adapter.detach()                     # the model is as it was

The model itself keeps its modules, their paths and its `state_dict`: only `forward` of each target is shadowed on the
instance. The trained weights live in the adapter, whose `state_dict` has the names of the LoRA file. Attaching neither
freezes nor moves the base: that is the run's decision, and an adapter made before a move has to be moved too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from lorasmith.adapters.kinds import lora
from lorasmith.errors import AdapterError


@dataclass(frozen=True)
class NetworkTarget:
    """One layer to train: its dotted path inside the model and its name in the LoRA file."""

    path: str
    name: str


class Factor(nn.Module):
    """One of a layer's two thin weights; a module only so that its key ends in `.weight`, as in the files."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)


class LoraLayer(nn.Module):
    """The trained weights of one layer. Shapes: see `lora`."""

    def __init__(self, down: Tensor, up: Tensor, alpha: float) -> None:
        super().__init__()
        self.lora_down = Factor(down)
        self.lora_up = Factor(up)
        self.alpha = alpha

    @property
    def rank(self) -> int:
        return self.lora_down.weight.shape[0]

    def delta_weight(self) -> Tensor:
        """What the layer adds to its base weight at strength 1, in fp32."""
        return lora.delta_weight(self.lora_down.weight.float(), self.lora_up.weight.float(), self.alpha / self.rank)


class AttachedAdapter(nn.Module):
    """LoRA layers that sit on a model. Made by `attach`.

    `multiplier` is the strength: 1 as trained, 0 is the base bit for bit, anything between or beyond scales the change.
    """

    def __init__(self, base: nn.Module, targets: tuple[NetworkTarget, ...], layers: Mapping[str, LoraLayer]) -> None:
        super().__init__()
        self.targets = targets
        self.multiplier = 1.0
        for target in targets:
            self.add_module(target.name, layers[target.name])
        # In a tuple, so that the base's weights do not become ours.
        self._sites = tuple((cast("nn.Linear | nn.Conv2d", base.get_submodule(t.path)), layers[t.name]) for t in targets)
        for module, layer in self._sites:
            module.forward = _Detour(self, module, layer)  # type: ignore[method-assign]
        self._attached = True

    @property
    def attached(self) -> bool:
        """Whether the model still feels this adapter: False after `detach` and `merge_into_base`."""
        return self._attached

    def layers(self) -> dict[str, LoraLayer]:
        """The trained layers by their name in the file."""
        return {target.name: layer for target, (_, layer) in zip(self.targets, self._sites, strict=True)}

    @contextmanager
    def strength(self, multiplier: float) -> Iterator[None]:
        """Within the block the adapter acts this strongly."""
        before, self.multiplier = self.multiplier, multiplier
        try:
            yield
        finally:
            self.multiplier = before

    def off(self) -> AbstractContextManager[None]:
        """Within the block the model gives the base's output, bit for bit."""
        return self.strength(0.0)

    def detach(self) -> None:
        """Take the adapter off: the model is as before `attach`. The trained weights stay here."""
        if self._attached:
            for module, _ in self._sites:
                del module.forward
            self._attached = False

    @torch.no_grad()
    def merge_into_base(self) -> None:
        """Add the change, at the present strength, to the base's weights, and take the adapter off.

        The sum is made in fp32 and rounded once, but on a base in half precision it still loses small changes.

        Raises:
            AdapterError: the adapter is not attached any more.
        """
        if not self._attached:
            raise AdapterError("This adapter was taken off its model: attach it again before merging.")
        for module, layer in self._sites:
            module.weight.copy_(module.weight.float() + self.multiplier * layer.delta_weight().to(module.weight.device))
        self.detach()


class _Detour:
    """What a target's `forward` becomes. An object and no closure, so that a deep copy of the model is independent of it."""

    def __init__(self, adapter: AttachedAdapter, module: nn.Linear | nn.Conv2d, layer: LoraLayer) -> None:
        self.adapter, self.module, self.layer = adapter, module, layer

    def __call__(self, input: Tensor) -> Tensor:
        module, layer = self.module, self.layer
        scale = self.adapter.multiplier * layer.alpha / layer.rank
        factors = (layer.lora_down.weight, layer.lora_up.weight)
        if isinstance(module, nn.Linear):
            if scale == 0:
                return nn.Linear.forward(module, input)
            return lora.linear(input, module.weight, module.bias, *factors, scale)
        if scale == 0:
            return nn.Conv2d.forward(module, input)
        how = cast("tuple[tuple[int, int], ...]", (module.stride, module.padding, module.dilation))
        return lora.conv2d(input, module.weight, module.bias, *factors, scale, *how)


def attach(
    module: nn.Module,
    targets: Mapping[str, str],
    rank: int,
    alpha: float,
    seed: int,
    dtype: torch.dtype = torch.float32,
) -> AttachedAdapter:
    """Put a LoRA layer on each target of `module`; the model's output does not change by a bit before training.

    `targets` maps dotted paths inside `module` to names in the file (see `keys`). Each layer's start depends on `seed`
    and its own name alone: a target more or less does not change the others. Weights are made in `dtype` on the
    device of their layer.

    Raises:
        AdapterError: a target that the model does not have or that is no plain Linear or Conv2d, a name given twice,
            a layer that carries an adapter already, or a rank or alpha that is not positive. The model is untouched.
    """
    if rank < 1:
        raise AdapterError(f"The rank of a LoRA is {rank}: it must be 1 or more.")
    if not alpha > 0:
        raise AdapterError(f"The alpha of a LoRA is {alpha}: it must be more than 0; the rank itself or half of it are usual.")
    if not targets:
        raise AdapterError("A LoRA without a layer to train was asked for: choose at least one.")
    wanted = tuple(NetworkTarget(path, name) for path, name in targets.items())
    _check_names(wanted)
    layers = {}
    for target in wanted:
        layer = _check_layer(module, target.path)
        down, up = lora.start(_weight_shape(layer), rank, _generator(seed, target.name))
        device = layer.weight.device
        layers[target.name] = LoraLayer(down.to(device, dtype), up.to(device, dtype), float(alpha))
    return AttachedAdapter(module, wanted, layers)


def _generator(seed: int, name: str) -> torch.Generator:
    """A CPU generator whose draws depend on the seed and the layer's name, on every machine the same."""
    digest = hashlib.sha256(f"lora start\n{seed}\n{name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def _check_names(targets: tuple[NetworkTarget, ...]) -> None:
    path_of: dict[str, str] = {}
    for target in targets:
        if not target.name or "." in target.name:
            raise AdapterError(f"The layer {target.path} was given the name '{target.name}': a name in a LoRA file has letters and no dot.")
        if target.name in path_of:
            raise AdapterError(
                f"The layers {path_of[target.name]} and {target.path} were both given the name {target.name}: give each its own."
            )
        path_of[target.name] = target.path


def _check_layer(module: nn.Module, path: str) -> nn.Linear | nn.Conv2d:
    try:
        layer = module.get_submodule(path)
    except AttributeError:
        raise AdapterError(f"The model has no layer {path}: the LoRA's target names belong to another kind of model.") from None
    kind = type(layer).__name__
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
    raise AdapterError(f"The layer {path} is a {kind}: a LoRA goes on plain Linear and Conv2d layers only.")


def _weight_shape(layer: nn.Linear | nn.Conv2d) -> tuple[int, ...]:
    return tuple(layer.weight.shape)
