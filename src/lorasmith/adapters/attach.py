"""Attach a network's layers to a model, and take them off again.

    adapter = attach_network(unet, targets, KINDS["lokr"].layer_settings(rank=16, factor=8), seed=1)
    optimizer = AdamW(adapter.parameters())
    with adapter.at_step(seed=1, step=7):    # dropouts, where there are some
        loss = ...
    with adapter.off():                      # the base, bit for bit
        ...
    with adapter.strength(0.5):              # W + 0.5 (W' - W), as in the UIs
        ...
    adapter.detach()                         # the model is as it was

The model itself keeps its modules, their paths and its `state_dict`: only `forward` of each target is shadowed on the
instance. The trained weights are in the adapter, whose `state_dict` has the names of the LoRA file. Attaching neither
freezes nor moves the base: that is the run's decision, and an adapter made before a move has to be moved too.

What a layer computes is its kind's business (`kinds`); everything here is written once for all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from lorasmith.adapters.kinds import KINDS
from lorasmith.adapters.kinds.formulas import dora
from lorasmith.adapters.kinds.formulas.dropouts import Draws, draws_for
from lorasmith.adapters.kinds.formulas.target_layer import TargetLayer
from lorasmith.adapters.kinds.layer_settings import LayerSettings
from lorasmith.adapters.layer import Layer, file_tensors
from lorasmith.adapters.targets import NetworkTarget, Targets, network_targets, target_layers_of
from lorasmith.adapters.trained_layer import TrainedLayer
from lorasmith.errors import AdapterError
from lorasmith.models.quantize import QuantizedWeight


@dataclass(frozen=True)
class WeightNorms:
    """Norms of the layers' changes after they were kept within a bound: how many were scaled, their mean and largest norm."""

    keys_scaled: int
    mean_norm: float
    max_norm: float


class AttachedAdapter(nn.Module):
    """A network's layers on a model. Made by `attach_network`, `attach` and `attach_layers`.

    `multiplier` is the strength: 1 as trained, 0 is the base bit for bit, anything between or beyond scales the change.
    """

    def __init__(self, base: nn.Module, targets: tuple[NetworkTarget, ...], layers: Mapping[str, TrainedLayer]) -> None:
        super().__init__()
        self.targets = targets
        self.multiplier = 1.0
        self._draws: dict[str, Draws] | None = None
        for target in targets:
            self.add_module(target.name, layers[target.name])
        # In a tuple, so that the base's weights do not become ours.
        self._target_layers = tuple((target.name, layer) for target in targets for layer in target_layers_of(base, target))
        for name, layer in self._target_layers:
            layer.module.forward = _Detour(self, name, layers[name], layer).forward  # type: ignore[method-assign]
        self._attached = True

    def __repr__(self) -> str:
        count = sum(p.numel() for p in self.parameters())
        return f"AttachedAdapter({len(self.targets)} layers, {count:,} parameters{'' if self._attached else ', detached'})"

    @property
    def attached(self) -> bool:
        """Whether the adapter acts on the model: False after `detach` and `merge_into_base`."""
        return self._attached

    def layers(self) -> dict[str, TrainedLayer]:
        """The trained layers by their name in the file."""
        return {target.name: cast(TrainedLayer, self._modules[target.name]) for target in self.targets}

    @property
    def target_modules(self) -> list[nn.Module]:
        """The model's layers that it is attached to."""
        return [target.module for _, target in self._target_layers]

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

    @contextmanager
    def at_step(self, seed: int, step: int) -> Iterator[None]:
        """Within the block (forward and backward) the layers are thinned out as their settings say; see `formulas.dropouts`.

        What is drawn depends on `seed`, `step` and a layer's name alone. Outside the block the whole network acts.
        """
        before, self._draws = self._draws, draws_for({name: layer.settings for name, layer in self.layers().items()}, seed, step)
        try:
            yield
        finally:
            self._draws = before

    def detach(self) -> None:
        """Take the adapter off: the model is as before `attach`. The trained weights stay here."""
        if self._attached:
            for _, layer in self._target_layers:
                del layer.module.forward
            self._attached = False

    @torch.no_grad()
    def merge_into_base(self) -> None:
        """Add the change, at the present strength, to the base's weights, and take the adapter off.

        The sum is made in fp32 and rounded once, but on a base in half precision it still loses small changes.

        Raises:
            AdapterError: the adapter is no longer attached, or the base is quantised; nothing is changed then.
        """
        if not self._attached:
            raise AdapterError("This adapter was taken off its model: attach it again before merging.", code="adapter.detached")
        if any(isinstance(target.module.weight, QuantizedWeight) for _, target in self._target_layers):
            raise AdapterError(
                "The base is quantised, so a LoRA cannot be merged into it: open it with base.quantize 'none'.", code="adapter.quantised"
            )
        targets: dict[str, list[TargetLayer]] = {}
        for name, target in self._target_layers:
            targets.setdefault(name, []).append(target)
        for name, trained in self.layers().items():
            layer = trained.layer
            # Built once for all rows, before the first of them changes.
            delta = self.multiplier * layer.delta_weight(targets[name][0].whole_weight())
            bias = layer.delta_bias()
            for target in targets[name]:
                weight, own_bias = target.module.weight, target.module.bias
                weight.copy_(weight.float() + target.own(delta))
                if bias is not None and own_bias is not None:
                    own_bias.copy_(own_bias.float() + self.multiplier * target.own(bias))
        self.detach()

    @torch.no_grad()
    def scale_weight_norms(self, most: float) -> WeightNorms:
        """Scale down every layer whose change has a Frobenius norm over `most`; to be called after each optimizer step.

        Keeps a network weak enough to be used beside others ("max norm", 1 is usual). DoRA's magnitudes do not count.

        Raises:
            AdapterError: a layer's kind is a rotation, whose change cannot be scaled.
        """
        norms, scaled = [], []
        target_of = dict(reversed(self._target_layers))
        for name, layer in self.layers().items():
            tensors, kind = layer.tensors(), layer.kind
            if not kind.scalable:
                raise AdapterError(f"The layer {name} is a {kind.title}, whose change cannot be scaled: leave scale_weight_norms out.")
            norm = layer.layer.norm(target_of[name].whole_weight())
            # As sd-scripts has it: a norm under half of the bound counts as half of it.
            counted = norm.clamp(min=most / 2)
            ratio = counted.clamp(max=most) / counted
            for suffix, tensor in tensors.items():
                if suffix not in kind.marks:
                    tensor.mul_(ratio ** (1 / kind.formulas.degree(tensors)))
            norms.append(norm * ratio)
            scaled.append(ratio != 1)
        all_norms = torch.stack(norms)
        return WeightNorms(int(torch.stack(scaled).sum()), all_norms.mean().item(), all_norms.max().item())


class _Detour:
    """What a target's `forward` becomes: a method of an object.

    Not a closure, so that a deep copy of the model is independent of it; nor the object itself, because torch.compile would then compile
    each block of the model again: it tells functions apart by their code, and other objects by their identity.
    """

    def __init__(self, adapter: AttachedAdapter, name: str, layer: TrainedLayer, target: TargetLayer) -> None:
        self.adapter, self.name, self.layer, self.target = adapter, name, layer, target

    def forward(self, input: Tensor) -> Tensor:
        adapter, layer, draws = self.adapter, self.layer, None
        if layer.random:
            draws = None if adapter._draws is None else adapter._draws[self.name]
            thinned = draws is not None or not (adapter.training and torch.is_grad_enabled())
            assert thinned, "a network with dropout trains within `adapter.at_step(seed, step)`"
        return layer.output(input, self.target, adapter.multiplier, draws)


def adapter_layers(*adapters: AttachedAdapter) -> dict[str, Layer]:
    """The layers of these adapters together (say U-Net and text encoder), by name; weights are not copied."""
    layers: dict[str, Layer] = {}
    for adapter in adapters:
        for name, trained in adapter.layers().items():
            if name in layers:
                raise AdapterError(f"Two adapters both have a layer {name}: they cannot share a file.")
            layers[name] = trained.layer
    return layers


def adapter_tensors(*adapters: AttachedAdapter) -> dict[str, Tensor]:
    """The tensors of a LoRA file for these adapters together; weights are not copied."""
    return file_tensors(adapter_layers(*adapters).values())


# ---- attaching


def attach_network(
    module: nn.Module,
    targets: Targets,
    settings: LayerSettings | Mapping[str, LayerSettings],
    seed: int,
    dtype: torch.dtype = torch.float32,
) -> AttachedAdapter:
    """Put a layer of a network on each target of `module`; the model's output does not change before training.

    `settings` are those of all layers, or of each by its name in the file. Each layer's start depends on `seed` and its own
    name alone: a target more or less does not change the others. Tensors are made in `dtype` on the device of their layer.

    Raises:
        AdapterError: a target that the model does not have or that is not a plain Linear or Conv2d, a name given twice, a
            layer that carries an adapter already, or settings that a layer cannot have. The model is untouched.
    """
    chosen = network_targets(targets)
    if not chosen:
        raise AdapterError("There is no layer for the LoRA to train: choose at least one.")
    layers = {}
    for target in chosen:
        own = settings if isinstance(settings, LayerSettings) else settings[target.name]
        layers[target.name] = TrainedLayer(_new_layer(target_layers_of(module, target)[0], target.name, own, seed, dtype), own)
    return AttachedAdapter(module, chosen, layers)


def attach(module: nn.Module, targets: Targets, rank: int, alpha: float, seed: int, dtype: torch.dtype = torch.float32) -> AttachedAdapter:
    """Put a plain LoRA of this rank and alpha on each target of `module`; see `attach_network`."""
    return attach_network(module, targets, LayerSettings(rank=rank, alpha=alpha), seed, dtype)


def attach_layers(
    module: nn.Module, targets: Targets, layers: Mapping[str, Layer], dtype: torch.dtype = torch.float32
) -> AttachedAdapter | None:
    """Put on `module` those layers of a file that `targets` name: copies of them, of whatever kinds, ranks and alphas they are.

    Other layers of the file are left to other parts of the base. None where there is no layer for this one.

    Raises:
        AdapterError: a layer cannot be computed with, or does not fit the layer of the model.
    """
    chosen = tuple(target for target in network_targets(targets) if target.name in layers)
    if not chosen:
        return None
    trained = {}
    for target in chosen:
        layer, of_base = layers[target.name], target_layers_of(module, target)[0]
        layer.check_computable()
        layer.check_fits(tuple(of_base.whole_shape))
        if layer.bias is not None:
            raise layer.refusal("It changes its bias beside its weight: convert the file to diff.", "adapter.bias_beside")
        if layer.delta_bias() is not None and not of_base.has_bias:
            raise AdapterError(
                f"The LoRA file changes the bias of {target.name}, which has none here: it was made for another base model.",
                code="adapter.misfit",
                layer=target.name,
            )
        settings = LayerSettings(kind=layer.kind.name, rank=layer.rank or 1)
        trained[target.name] = TrainedLayer(layer.placed(of_base.module.weight.device, dtype), settings)
    return AttachedAdapter(module, chosen, trained)


def _new_layer(target: TargetLayer, name: str, settings: LayerSettings, seed: int, dtype: torch.dtype) -> Layer:
    """A layer as training begins."""
    if settings.rank < 1:
        raise AdapterError(f"The rank of a LoRA is {settings.rank}: it must be 1 or more.")
    if not settings.alpha > 0:
        raise AdapterError(f"The alpha of a LoRA is {settings.alpha}: it must be more than 0; the rank itself or half of it is usual.")
    kind = KINDS[settings.kind]
    if settings.rank_dropout and "rank_dropout" not in kind.settings:
        raise AdapterError(f"rank_dropout has no effect on {name}, a {kind.title}: remove it.")
    if settings.dora and kind.formulas.added is None:
        *others, last = (other.title for other in KINDS.values() if "dora" in other.settings)
        raise AdapterError(f"DoRA goes around {', '.join(others)} and {last}, and {name} is a {kind.title}: switch dora off.")
    try:
        tensors = kind.formulas.start(target.whole_shape, target.has_bias, settings, _generator(seed, name))
    except AdapterError as error:
        raise AdapterError(f"{name}: {error}", code=error.code, layer=name) from None
    magnitude = dora.start(target.whole_weight().detach()) if settings.dora else None
    alpha = float(kind.alpha(settings, kind.rank(tensors)))
    return Layer(name, kind, tensors, alpha, magnitude).placed(target.module.weight.device, dtype)


def _generator(seed: int, name: str) -> torch.Generator:
    """A CPU generator whose draws depend on the seed and the layer's name, on every machine the same."""
    digest = hashlib.sha256(f"lora start\n{seed}\n{name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
