"""Attach a network's layers to a model, and take them off again.

    adapter = attach_network(unet, targets, LayerSettings(kind="lokr", rank=16), seed=1)
    optimizer = AdamW(adapter.parameters())
    with adapter.at_step(seed=1, step=7):    # dropouts, where there are some
        loss = ...
    with adapter.off():                      # the base, bit for bit
        ...
    with adapter.strength(0.5):              # W + 0.5 (W' - W), as in the UIs
        ...
    adapter.detach()                         # the model is as it was

The model itself keeps its modules, their paths and its `state_dict`: only `forward` of each target is shadowed on the
instance. The trained weights live in the adapter, whose `state_dict` has the names of the LoRA file. Attaching neither
freezes nor moves the base: that is the run's decision, and an adapter made before a move has to be moved too.

What a layer computes is its kind's business (`kinds`); everything here is written once over all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from lorasmith.adapters.kinds import KINDS, StoredLayer, dora, dylora
from lorasmith.adapters.kinds.dropouts import Draws, draws_for
from lorasmith.adapters.kinds.kind import BaseLayer, Call, LayerSettings, Site
from lorasmith.errors import AdapterError
from lorasmith.models.quantize import QuantizedWeight


@dataclass(frozen=True)
class NetworkTarget:
    """One layer of the file to train: its name there, and the dotted paths of the model's layers that it stands for.

    Several paths are layers whose weights the file has stacked along the output, in this order (Flux).
    """

    paths: tuple[str, ...]
    name: str


def network_targets(targets: Mapping[str, str] | Mapping[str, tuple[str, ...]] | Iterable[NetworkTarget]) -> tuple[NetworkTarget, ...]:
    """Targets from {path: name in the file}, from {name in the file: paths} (as `keys.targets` gives them), or as they are."""
    if not isinstance(targets, Mapping):
        return tuple(targets)
    return tuple(
        NetworkTarget((key,), value) if isinstance(value, str) else NetworkTarget(tuple(value), key) for key, value in targets.items()
    )


# ---- one layer


class Factor(nn.Module):
    """One of a layer's tensors whose name in the file ends in `.weight`; a module only for that name's sake."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)


class NetworkLayer(nn.Module):
    """The trained tensors of one layer, under their names in the file; what they mean is the kind's business."""

    def __init__(self, stored: StoredLayer, settings: LayerSettings) -> None:
        super().__init__()
        self.kind, self.alpha, self.settings = stored.kind, stored.alpha, settings
        self.endings = tuple(stored.tensors)
        named = dict(stored.tensors) if stored.dora_scale is None else {**stored.tensors, dora.SCALE: stored.dora_scale}
        for ending, tensor in named.items():
            if not tensor.is_floating_point():
                self.register_buffer(ending, tensor)
            elif "." in ending:
                self.add_module(ending.partition(".")[0], Factor(tensor))
            else:
                self.register_parameter(ending, nn.Parameter(tensor))
        self.has_dora = stored.dora_scale is not None

    def tensors(self) -> dict[str, Tensor]:
        """The layer's tensors by their ending in the file, DoRA's lengths aside; not copied."""
        found = {}
        for ending in self.endings:
            owner, dot, _ = ending.partition(".")
            found[ending] = cast(Tensor, self._modules[owner].weight if dot else getattr(self, ending))  # type: ignore[union-attr]
        return found

    @property
    def dora_lengths(self) -> Tensor | None:
        return cast(Tensor, self.dora_scale) if self.has_dora else None

    @property
    def rank(self) -> int | None:
        return self.kind.rank(self.tensors())

    @property
    def random(self) -> bool:
        """Whether training this layer needs random draws."""
        s = self.settings
        return self.kind is dylora.KIND or s.dropout > 0 or s.rank_dropout > 0 or s.module_dropout > 0

    def stored(self) -> StoredLayer:
        """The layer as a file's layer; nothing is copied."""
        return StoredLayer(self.kind, self.tensors(), self.alpha, self.dora_lengths)

    def delta_weight(self, weight: Tensor) -> Tensor:
        """W' - W in fp32 at strength 1, for the base weight over all its rows."""
        return self.stored().delta_weight(weight)

    def output(self, x: Tensor, site: Site, strength: float, draws: Draws | None) -> Tensor:
        """What the model's layer at `site` gives for x."""
        settings, kind = self.settings, self.kind
        if strength == 0 or (draws is not None and draws.left_out):
            return site.base(x)
        tensors, alpha, mask = self.tensors(), self.alpha, None
        if draws is not None:
            if kind is dylora.KIND:
                tensors, alpha = dylora.cut(tensors, alpha, draws.cut_rank(settings, cast(int, self.rank)))
            if settings.rank_dropout and kind.ranked:
                ending = next(ending for ending in kind.ranked if ending in tensors)
                tensors[ending] = tensors[ending] * draws.rank_mask(settings, tensors[ending]).to(tensors[ending].dtype)
            elif settings.dropout or settings.rank_dropout:
                drawn = draws

                def mask(shape: torch.Size, axis: int) -> Tensor:
                    return drawn.mask(settings, shape, axis, x.device)

        call = Call(x, site, strength, mask)
        lengths = self.dora_lengths
        return kind.forward(tensors, alpha, call) if lengths is None else dora.forward(kind, tensors, lengths, alpha, call)


# ---- all layers


@dataclass(frozen=True)
class WeightNorms:
    """Sizes of the layers' changes after they were kept within a bound: how many were scaled, their mean and largest norm."""

    keys_scaled: int
    mean_norm: float
    max_norm: float


class AttachedAdapter(nn.Module):
    """A network's layers that sit on a model. Made by `attach_network`, `attach` and `state.attach_file`.

    `multiplier` is the strength: 1 as trained, 0 is the base bit for bit, anything between or beyond scales the change.
    """

    def __init__(self, base: nn.Module, targets: tuple[NetworkTarget, ...], layers: Mapping[str, NetworkLayer]) -> None:
        super().__init__()
        self.targets = targets
        self.multiplier = 1.0
        self._draws: dict[str, Draws] | None = None
        for target in targets:
            self.add_module(target.name, layers[target.name])
        # In a tuple, so that the base's weights do not become ours.
        self._sites = tuple((target.name, site) for target in targets for site in sites_of(base, target))
        for name, site in self._sites:
            site.module.forward = _Detour(self, name, layers[name], site)  # type: ignore[method-assign]
        self._attached = True

    @property
    def attached(self) -> bool:
        """Whether the model still feels this adapter: False after `detach` and `merge_into_base`."""
        return self._attached

    def layers(self) -> dict[str, NetworkLayer]:
        """The trained layers by their name in the file."""
        return {target.name: cast(NetworkLayer, self._modules[target.name]) for target in self.targets}

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
        """Within the block (forward and backward) the layers are thinned out as their settings say; see `kinds.dropouts`.

        What is drawn depends on `seed`, `step` and a layer's name alone. Outside all of the network acts.
        """
        before, self._draws = self._draws, draws_for({name: layer.settings for name, layer in self.layers().items()}, seed, step)
        try:
            yield
        finally:
            self._draws = before

    def detach(self) -> None:
        """Take the adapter off: the model is as before `attach`. The trained weights stay here."""
        if self._attached:
            for _, site in self._sites:
                del site.module.forward
            self._attached = False

    @torch.no_grad()
    def merge_into_base(self) -> None:
        """Add the change, at the present strength, to the base's weights, and take the adapter off.

        The sum is made in fp32 and rounded once, but on a base in half precision it still loses small changes.

        Raises:
            AdapterError: the adapter is not attached any more, or the base's weights are packed; nothing is changed then.
        """
        if not self._attached:
            raise AdapterError("This adapter was taken off its model: attach it again before merging.")
        if any(isinstance(site.module.weight, QuantizedWeight) for _, site in self._sites):
            raise AdapterError("The base is quantised, so a LoRA cannot be merged into it: open it with base.quantize 'none'.")
        sites: dict[str, list[Site]] = {}
        for name, site in self._sites:
            sites.setdefault(name, []).append(site)
        for name, layer in self.layers().items():
            # Built once for all rows, before the first of them changes.
            change = self.multiplier * layer.delta_weight(sites[name][0].whole_weight())
            bias = layer.stored().delta_bias()
            for site in sites[name]:
                weight, own_bias = site.module.weight, site.module.bias
                weight.copy_(weight.float() + site.own(change))
                if bias is not None and own_bias is not None:
                    own_bias.copy_(own_bias.float() + self.multiplier * site.own(bias))
        self.detach()

    @torch.no_grad()
    def scale_weight_norms(self, most: float) -> WeightNorms:
        """Scale down every layer whose change has a Frobenius norm over `most`; to be called after each optimizer step.

        Keeps a network tame beside others ("max norm", 1 is usual). DoRA's lengths do not count.

        Raises:
            AdapterError: a layer's kind is a rotation, whose change cannot be scaled.
        """
        norms, scaled = [], []
        site_of = dict(reversed(self._sites))
        for name, layer in self.layers().items():
            tensors, kind = layer.tensors(), layer.kind
            if kind.degree is None:
                raise AdapterError(f"The layer {name} is a {kind.title}, whose change cannot be scaled: leave scale_weight_norms out.")
            norm = kind.norm(tensors, layer.alpha, site_of[name].whole_weight())
            # As sd-scripts has it: a norm under half of the bound counts as half of it.
            counted = norm.clamp(min=most / 2)
            ratio = counted.clamp(max=most) / counted
            for tensor in tensors.values():
                if tensor.is_floating_point():
                    tensor.mul_(ratio ** (1 / kind.degree(tensors)))
            norms.append(norm * ratio)
            scaled.append(ratio != 1)
        all_norms = torch.stack(norms)
        return WeightNorms(int(torch.stack(scaled).sum()), all_norms.mean().item(), all_norms.max().item())


class _Detour:
    """What a target's `forward` becomes. An object and no closure, so that a deep copy of the model is independent of it."""

    def __init__(self, adapter: AttachedAdapter, name: str, layer: NetworkLayer, site: Site) -> None:
        self.adapter, self.name, self.layer, self.site = adapter, name, layer, site

    def __call__(self, input: Tensor) -> Tensor:
        adapter, layer, draws = self.adapter, self.layer, None
        if layer.random:
            draws = None if adapter._draws is None else adapter._draws[self.name]
            thinned = draws is not None or not (adapter.training and torch.is_grad_enabled())
            assert thinned, "a network with dropout trains within `adapter.at_step(seed, step)`"
        return layer.output(input, self.site, adapter.multiplier, draws)


# ---- attaching


def attach_network(
    module: nn.Module,
    targets: Mapping[str, str] | Mapping[str, tuple[str, ...]] | Iterable[NetworkTarget],
    settings: LayerSettings | Mapping[str, LayerSettings],
    seed: int,
    dtype: torch.dtype = torch.float32,
) -> AttachedAdapter:
    """Put a layer of a network on each target of `module`; the model's output does not change before training.

    `settings` are those of all layers, or of each by its name in the file. Each layer's start depends on `seed` and its own
    name alone: a target more or less does not change the others. Tensors are made in `dtype` on the device of their layer.

    Raises:
        AdapterError: a target that the model does not have or that is no plain Linear or Conv2d, a name given twice, a
            layer that carries an adapter already, or settings that a layer cannot have. The model is untouched.
    """
    wanted = network_targets(targets)
    if not wanted:
        raise AdapterError("A LoRA without a layer to train was asked for: choose at least one.")
    check_names(wanted)
    layers = {}
    for target in wanted:
        own = settings if isinstance(settings, LayerSettings) else settings[target.name]
        layers[target.name] = _new_layer(sites_of(module, target)[0], target, own, seed, dtype)
    return AttachedAdapter(module, wanted, layers)


def attach(
    module: nn.Module,
    targets: Mapping[str, str] | Mapping[str, tuple[str, ...]] | Iterable[NetworkTarget],
    rank: int,
    alpha: float,
    seed: int,
    dtype: torch.dtype = torch.float32,
) -> AttachedAdapter:
    """Put a plain LoRA of this rank and alpha on each target of `module`; see `attach_network`."""
    return attach_network(module, targets, LayerSettings(kind="lora", rank=rank, alpha=alpha), seed, dtype)


def _new_layer(site: Site, target: NetworkTarget, settings: LayerSettings, seed: int, dtype: torch.dtype) -> NetworkLayer:
    if settings.rank < 1:
        raise AdapterError(f"The rank of a LoRA is {settings.rank}: it must be 1 or more.")
    if not settings.alpha > 0:
        raise AdapterError(f"The alpha of a LoRA is {settings.alpha}: it must be more than 0; the rank itself or half of it are usual.")
    kind = KINDS[settings.kind]
    weight = site.module.weight
    modules = site.together or (site.module,)
    shape = torch.Size((sum(module.weight.shape[0] for module in modules), *weight.shape[1:]))
    try:
        tensors = kind.start(shape, all(module.bias is not None for module in modules), settings, _generator(seed, target.name))
    except AdapterError as error:
        raise AdapterError(f"{target.name}: {error}") from None
    if settings.rank_dropout and not kind.ranked and "rank_dropout" not in kind.options:
        raise AdapterError(f"rank_dropout has no effect on {target.name}, a {kind.title}: remove it.")
    alpha = kind.starting_alpha(settings, tensors)

    def placed(tensor: Tensor) -> Tensor:
        return tensor.to(weight.device, dtype if tensor.is_floating_point() else None)

    lengths = None
    if settings.dora:
        if kind.added is None:
            raise AdapterError(f"DoRA goes around LoRA, LoHa and LoKr, and {target.name} is a {kind.title}: switch dora off.")
        lengths = placed(dora.start(site.whole_weight().detach()))
    return NetworkLayer(StoredLayer(kind, {key: placed(value) for key, value in tensors.items()}, float(alpha), lengths), settings)


def _generator(seed: int, name: str) -> torch.Generator:
    """A CPU generator whose draws depend on the seed and the layer's name, on every machine the same."""
    digest = hashlib.sha256(f"lora start\n{seed}\n{name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def check_names(targets: tuple[NetworkTarget, ...]) -> None:
    path_of: dict[str, str] = {}
    for target in targets:
        shown = " and ".join(target.paths)
        if not target.name or "." in target.name:
            raise AdapterError(f"The layer {shown} was given the name '{target.name}': a name in a LoRA file has letters and no dot.")
        if target.name in path_of:
            raise AdapterError(f"The layers {path_of[target.name]} and {shown} were both given the name {target.name}: give each its own.")
        path_of[target.name] = shown


def sites_of(model: nn.Module, target: NetworkTarget) -> list[Site]:
    """The places of a target in the model, each with its rows."""
    modules = tuple(_check_layer(model, path) for path in target.paths)
    if len({tuple(module.weight.shape[1:]) for module in modules}) > 1:
        raise AdapterError(
            f"{target.name} stands for layers with inputs of different sizes: the LoRA's target names belong to another model."
        )
    sites, row = [], 0
    for module in modules:
        sites.append(Site(module, row, modules))
        row += module.weight.shape[0]
    return sites


def _check_layer(module: nn.Module, path: str) -> BaseLayer:
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
