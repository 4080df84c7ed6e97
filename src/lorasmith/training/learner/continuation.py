"""Continue from a finished LoRA: another training, perhaps slower and on other pictures, that starts where a file ended.

    check_weights(settings)                                  # before a new run: is there such a file, and for this family
    parent = open_parent(settings, run_folder, base)     # kept in the run's folder, so that resuming needs no other file
    adapters, warnings = start_from(adapters, parent, settings, base)

Any dialect is read. The new run's network must be of the file's kind; ranks, alphas and sizes must be the same too, or are taken from
the file with `network.dim_from_weights`. Layers that only one of the two has are told: those of the file alone are left behind, those
of the settings alone start by changing nothing.

This is no resuming: optimizer, schedule and steps begin anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from lorasmith.adapters.attach import AttachedAdapter, NetworkLayer
from lorasmith.adapters.files import names as keys
from lorasmith.adapters.files.dialects import read_network
from lorasmith.adapters.files.lora_file import load_tensors
from lorasmith.adapters.files.network import Layer, Network
from lorasmith.adapters.kinds import ALPHA, DORA_SCALE, StoredLayer, read_layer
from lorasmith.adapters.kinds.ia3 import ON_INPUT
from lorasmith.adapters.settings import TAKES
from lorasmith.adapters.state import attach_file
from lorasmith.atomic import write_atomically
from lorasmith.errors import AdapterError
from lorasmith.models.base import Base
from lorasmith.training.settings.tree import Settings

KEPT_AS = "parent.safetensors"
"""The file's name in the run's folder."""


@dataclass(frozen=True, eq=False)
class Parent:
    """A finished LoRA that a run goes on from."""

    path: Path
    """As the user gave it; for messages, it may be gone."""
    sha256: str
    network: Network

    @property
    def metadata(self) -> dict[str, str]:
        """What the new LoRA's file says of its descent; names without folders, since files are shared."""
        own = self.network.metadata
        told = {"name": self.path.name, "sha256": self.sha256}
        told |= {word: own[key] for word, key in (("title", "ss_output_name"), ("model_hash", "sshs_model_hash")) if key in own}
        return {"lorasmith_parent": json.dumps(told, sort_keys=True)}


# ---- the file


def check_weights(settings: Settings, family: str) -> None:
    """Raises AdapterError where the file does not exist, holds no network, or was made for another family; for a new run, at once."""
    if settings.network.weights is not None:
        _read(settings.network.weights, settings.network.weights, family, None)


def open_parent(settings: Settings, run_folder: Path, base: Base) -> Parent | None:
    """The LoRA to go on from; None where there is none. The first time a copy is put into the run's folder, and then that is read.

    Raises AdapterError where it cannot be used.
    """
    given = settings.network.weights
    if given is None:
        return None
    kept = run_folder / KEPT_AS
    shape = keys.denoiser_shape(base.family, base.parts)
    if not kept.exists():
        network = _read(given, given, base.family, shape)
        write_atomically(kept, given.read_bytes())
    else:
        network = _read(kept, given, base.family, shape)
    return Parent(given, hashlib.sha256(kept.read_bytes()).hexdigest(), network)


def _read(place: Path, named: Path, family: str, shape: Any) -> Network:
    """The network in the file at `place`, which messages call `named`."""
    file = load_tensors(place)
    try:
        network = read_network(file.tensors, file.metadata, shape=shape)
    except AdapterError:  # nothing in it tells its family, or there is no network in it
        return read_network(file.tensors, file.metadata, family, shape)
    # SD 1 and 2 have the same layers, and a file may not tell them apart: there the sizes of the layers decide.
    if network.family != family and {network.family, family} != {"sd1", "sd2"}:
        raise AdapterError(
            f"network.weights {named} was made for {network.family}, and the base is {family}; give a LoRA for {family}, or another base"
        )
    return network if network.family == family else read_network(file.tensors, file.metadata, family, shape)


# ---- the start


def start_from(
    adapters: Mapping[str, AttachedAdapter], parent: Parent, settings: Settings, base: Base
) -> tuple[dict[str, AttachedAdapter], list[str]]:
    """Adapters that hold the file's weights in their own number type, and warnings about layers that only one side has.

    With `network.dim_from_weights` the adapters are made anew with the file's sizes, and those given are taken off the model.

    Raises:
        AdapterError: no layer of the file is trained, or one does not fit; then nothing is copied.
    """
    layers = {name: layer for adapter in adapters.values() for name, layer in adapter.layers().items()}
    common = {name: _stored(parent, layer) for name, layer in parent.network.layers.items() if name in layers}
    if not common:
        raise AdapterError(
            f"network.weights {parent.path} has no layer that these settings train: it is for another base, or for parts that are switched off"
        )
    for name, stored in common.items():
        _check_kind(parent, name, stored, layers[name])
    if settings.network.dim_from_weights:
        made = {part: _made_anew(base.parts[part], adapter, common, parent) for part, adapter in adapters.items()}
    else:
        for name, stored in common.items():
            _check_size(parent, name, stored, layers[name])
        for name, stored in common.items():
            _copy(stored, layers[name])
        made = dict(adapters)
    return made, _warnings(parent, layers)


def _stored(parent: Parent, layer: Layer) -> StoredLayer:
    ends = {end: tensor for end, tensor in layer.tensors.items() if end != "rescale"}
    if "rescale" in layer.tensors or layer.kind == "norm":
        raise AdapterError(
            f"network.weights {parent.path}: {layer.name} cannot be trained further (an OFT with rescale); leave it out with a rule"
        )
    if not all(tensor.isfinite().all() for tensor in ends.values() if tensor.is_floating_point()):
        raise AdapterError(f"network.weights {parent.path}: {layer.name} has numbers that are not finite; give another file")
    return read_layer(ends if layer.alpha is None else {**ends, ALPHA: torch.tensor(layer.alpha)})


def _check_kind(parent: Parent, name: str, stored: StoredLayer, layer: NetworkLayer) -> None:
    found, wanted = stored.kind.name, layer.kind.name
    if found != wanted and {found, wanted} != {"lora", "dylora"}:
        raise AdapterError(
            f"network.weights {parent.path}: {name} is of the kind {found!r} there and {wanted!r} in the settings; "
            f"set network.kind (or the layer's rule) to {found!r}"
        )
    if (stored.dora_scale is not None) != layer.has_dora:
        has, switch = ("has", "on") if stored.dora_scale is not None else ("has no", "off")
        raise AdapterError(f"network.weights {parent.path}: {name} {has} lengths of its own (DoRA) there; switch network.dora {switch}")


def _check_size(parent: Parent, name: str, stored: StoredLayer, layer: NetworkLayer) -> None:
    """Rank, alpha and shapes as the settings have them."""
    way_out = "set network.dim_from_weights to take all sizes from the file"
    if stored.kind.rank(stored.tensors) != layer.rank:
        raise AdapterError(
            f"network.weights {parent.path}: {name} has rank {_number(stored.kind.rank(stored.tensors))} there and {_number(layer.rank)} in the "
            f"settings; {way_out}, or change the file's rank with: lorasmith lora resize"
        )
    if layer.rank is not None and layer.kind.name in TAKES["alpha"] and abs(stored.alpha - layer.alpha) > 1e-3 * layer.alpha:
        raise AdapterError(
            f"network.weights {parent.path}: {name} has alpha {stored.alpha:g} there and {layer.alpha:g} in the settings, so its change would get "
            f"another strength; {way_out}, or set network.alpha"
        )
    wanted, found = _all_tensors(layer.stored()), _all_tensors(stored)
    if ON_INPUT in wanted and bool(wanted[ON_INPUT]) != bool(found[ON_INPUT]):
        side = "inputs" if bool(found[ON_INPUT]) else "outputs"
        raise AdapterError(f"network.weights {parent.path}: {name} scales its {side} there; set network.on_input accordingly")
    for ending in sorted(wanted.keys() | found.keys()):
        if ending not in wanted or ending not in found or _squeezed(wanted[ending]) != _squeezed(found[ending]):
            shapes = [list(tensors[ending].shape) if ending in tensors else "nothing" for tensors in (found, wanted)]
            raise AdapterError(
                f"network.weights {parent.path}: {name}.{ending} is {shapes[0]} there and {shapes[1]} in the settings; {way_out}, "
                "or give a LoRA for this base"
            )


def _copy(stored: StoredLayer, layer: NetworkLayer) -> None:
    found = _all_tensors(stored)
    with torch.no_grad():
        for ending, tensor in _all_tensors(layer.stored()).items():
            tensor.copy_(found[ending].view(tensor.shape))


def _made_anew(module: torch.nn.Module, adapter: AttachedAdapter, common: Mapping[str, StoredLayer], parent: Parent) -> AttachedAdapter:
    """The adapter again, with those layers that the file has as they are there."""
    own = adapter.layers()
    tensors = {
        f"{name}.{ending}": tensor for name, stored in common.items() if name in own for ending, tensor in _file_tensors(stored).items()
    }
    adapter.detach()
    try:
        read = attach_file(module, adapter.targets, tensors)
    except AdapterError as error:
        raise AdapterError(f"network.weights {parent.path}: {error}") from None
    layers = dict(own)
    if read is not None:
        read.detach()
        for name, layer in read.layers().items():
            layer.kind = own[name].kind  # a DyLoRA is a LoRA in its file
            if layer.kind.name not in TAKES["alpha"]:
                layer.alpha = own[name].alpha  # for the rotations it is the constraint, which files do not carry
            layer.settings = replace(own[name].settings, rank=layer.rank or own[name].settings.rank)
            layers[name] = layer.to(next(own[name].parameters()).dtype)
    return AttachedAdapter(module, adapter.targets, layers)


def _warnings(parent: Parent, layers: Mapping[str, NetworkLayer]) -> list[str]:
    network, found = parent.network, []
    if unread := network.unread:
        key, reason = next(iter(unread.items()))
        found.append(
            f"network.weights {parent.path.name}: {len(unread)} of its tensors cannot be read and are left behind ({key}: {reason})"
        )
    if behind := [name for name in network.layers if name not in layers]:
        found.append(
            f"network.weights {parent.path.name}: {len(behind)} of its {len(network.layers)} layers are not trained by these settings and will "
            f"be missing from the new LoRA (such as {behind[0]})"
        )
    if fresh := [name for name in layers if name not in network.layers]:
        found.append(
            f"network.weights {parent.path.name}: it lacks {len(fresh)} of the {len(layers)} layers to train, which start by changing nothing "
            f"(such as {fresh[0]})"
        )
    return found


def _all_tensors(stored: StoredLayer) -> dict[str, torch.Tensor]:
    return dict(stored.tensors) if stored.dora_scale is None else {**stored.tensors, DORA_SCALE: stored.dora_scale}


def _file_tensors(stored: StoredLayer) -> dict[str, torch.Tensor]:
    return {**_all_tensors(stored), ALPHA: torch.tensor(stored.alpha)}


def _squeezed(tensor: torch.Tensor) -> list[int]:
    """The shape without what only fills it up: a 1x1 kernel may be written or left out."""
    shape = list(tensor.shape)
    while len(shape) > 2 and shape[-1] == 1:
        shape.pop()
    return shape


def _number(rank: int | None) -> str:
    return "none" if rank is None else str(rank)
