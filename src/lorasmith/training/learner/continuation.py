"""Continue from a finished LoRA: another training, perhaps slower and on other images, that starts where a file ended.

    check_weights(settings, family)                      # before a new run: is there such a file, and for this family
    parent = open_parent(settings, run_folder, base)     # kept in the run's folder, so that resuming needs no other file
    adapters, findings = start_from(adapters, parent, settings, base)

Any dialect is read. The new run's network must be of the file's kind; ranks, alphas and sizes must be the same too, or are taken from
the file with `network.dim_from_weights`. Layers that only one of the two has are reported: those of the file alone are left behind,
those of the settings alone start by changing nothing.

This is not resuming: optimizer, schedule and steps begin at zero.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from lorasmith.adapters.attach import AttachedAdapter, attach_layers
from lorasmith.adapters.files import names as keys
from lorasmith.adapters.files.dialects import read_network
from lorasmith.adapters.files.lora_file import load_tensors
from lorasmith.adapters.files.network import Network
from lorasmith.adapters.kinds.ia3 import ON_INPUT
from lorasmith.adapters.layer import Layer
from lorasmith.adapters.trained_layer import TrainedLayer
from lorasmith.atomic import write_atomically
from lorasmith.errors import AdapterError
from lorasmith.findings import Evidence, Finding
from lorasmith.models.base import Base
from lorasmith.pages.numbers import count
from lorasmith.training.settings.tree import Settings

KEPT_AS = "parent.safetensors"
"""The file's name in the run's folder."""


@dataclass(frozen=True, eq=False)
class Parent:
    """A finished LoRA that a run continues from."""

    path: Path
    """As the user gave it, for messages; it may not exist any more."""
    sha256: str
    network: Network

    @property
    def metadata(self) -> dict[str, str]:
        """What the new LoRA's file says about its parent; names without folders, since files are shared."""
        own = self.network.metadata
        parent = {"name": self.path.name, "sha256": self.sha256}
        parent |= {word: own[key] for word, key in (("title", "ss_output_name"), ("model_hash", "sshs_model_hash")) if key in own}
        return {"lorasmith_parent": json.dumps(parent, sort_keys=True)}


# ---- the file


def check_weights(settings: Settings, family: str) -> None:
    """Check, before a new run begins, that the file is there, has a network, and was made for this family.

    Raises:
        AdapterError: it is not, it has none, or it was made for another.
    """
    if settings.network.weights is not None:
        _read(settings.network.weights, settings.network.weights, family, None)


def open_parent(settings: Settings, run_folder: Path, base: Base) -> Parent | None:
    """The LoRA to continue from; None where there is none. The first time a copy is put into the run's folder; later that is read.

    Raises:
        AdapterError: it cannot be used.
    """
    given = settings.network.weights
    if given is None:
        return None
    kept = run_folder / KEPT_AS
    source = kept if kept.exists() else given
    network = _read(source, given, base.family, keys.denoiser_shape(base.family, base.parts))
    content = source.read_bytes()
    if source == given:
        write_atomically(kept, content)
    return Parent(given, hashlib.sha256(content).hexdigest(), network)


def forget_parent(run_folder: Path, before: Settings | None, settings: Settings) -> None:
    """Drop the copy of a run that starts again, where its file is there or is another one; `before` are the settings of its last start."""
    given = settings.network.weights
    if given is None or given.exists() or (before is not None and before.network.weights != given):
        (run_folder / KEPT_AS).unlink(missing_ok=True)


def _read(path: Path, named: Path, family: str, shape: Any) -> Network:
    """The network in the file at `path`, which messages call `named`."""
    file = load_tensors(path)
    try:
        network = read_network(file.tensors, file.metadata, shape=shape)
    except AdapterError:  # nothing in it shows its family, or there is no network in it
        return read_network(file.tensors, file.metadata, family, shape)
    # Where two families have the same layers, a file may not show which it is for: there the sizes of the layers decide.
    if not keys.same_names(network.family, family):
        raise AdapterError(
            f"network.weights {named} was made for {network.family}, and the base is {family}. Give a LoRA for {family}, or another base.",
            code="continuation.family", path=str(named),
        )  # fmt: skip
    return network if network.family == family else read_network(file.tensors, file.metadata, family, shape)


# ---- the start


def start_from(
    adapters: Mapping[str, AttachedAdapter], parent: Parent, settings: Settings, base: Base
) -> tuple[dict[str, AttachedAdapter], list[Finding]]:
    """Adapters with the file's weights in their own dtype, and findings about layers that only one side has.

    With `network.dim_from_weights` the adapters are replaced by new ones of the file's sizes.

    Raises:
        AdapterError: no layer of the file is trained, or one does not fit; then nothing is copied.
    """
    trained = {name: layer for adapter in adapters.values() for name, layer in adapter.layers().items()}
    common = {name: layer for name, layer in parent.network.layers.items() if name in trained}
    if not common:
        raise AdapterError(
            f"network.weights {parent.path} has no layer that these settings train. It is for another base, or for parts that are "
            "switched off.",
            code="continuation.no_layer",
        )
    for name, layer in common.items():
        _check_usable(parent, layer)
        _check_kind(parent, layer, trained[name])
    if settings.network.dim_from_weights:
        made = {part: _with_sizes_of(base.parts[part], adapter, common, parent) for part, adapter in adapters.items()}
    else:
        for name, layer in common.items():
            _check_size(parent, layer, trained[name])
        for name, layer in common.items():
            _copy(layer, trained[name])
        made = dict(adapters)
    return made, list(_findings(parent, trained))


def _check_usable(parent: Parent, layer: Layer) -> None:
    try:
        layer.check_computable()
        layer.check_finite()
    except AdapterError as error:
        raise AdapterError(f"network.weights {parent.path}: {error}", code=error.code, layer=layer.name) from None


def _refusal(parent: Parent, code: str, layer: str, reason: str) -> AdapterError:
    return AdapterError(f"network.weights {parent.path}: {layer}{reason}", code=f"continuation.{code}", layer=layer)


def _check_kind(parent: Parent, found: Layer, trained: TrainedLayer) -> None:
    """The kind, in DoRA or not, that a file of these settings has."""
    if found.kind is not (trained.kind.file_kind or trained.kind):
        raise _refusal(
            parent, "kind", found.name,
            f" is of the kind {found.kind.name!r} there and {trained.kind.name!r} in the settings. "
            f"Set network.kind (or the layer's rule) to {found.kind.name!r}.",
        )  # fmt: skip
    if (found.dora_scale is not None) != trained.has_dora:
        has, switch = ("has a", "on") if found.dora_scale is not None else ("has no", "off")
        raise _refusal(parent, "dora", found.name, f" {has} magnitude (DoRA) there. Switch network.dora {switch}.")


def _check_size(parent: Parent, found: Layer, trained: TrainedLayer) -> None:
    """Rank, alpha and shapes as the settings have them."""
    way_out = "Set network.dim_from_weights to take all sizes from the file"
    if found.rank != trained.rank:
        raise _refusal(
            parent, "rank", found.name,
            f" has rank {_number(found.rank)} there and {_number(trained.rank)} in the settings. {way_out}, or change the file's rank with: "
            "lorasmith lora resize.",
        )  # fmt: skip
    scaled = trained.rank is not None and "alpha" in trained.kind.settings
    if scaled and abs(found.alpha_value - trained.alpha) > 1e-3 * trained.alpha:
        raise _refusal(
            parent, "alpha", found.name,
            f" has alpha {found.alpha_value:g} there and {trained.alpha:g} in the settings, so its change would get another strength. "
            f"{way_out}, or set network.alpha.",
        )  # fmt: skip
    ours, theirs = trained.layer.all_tensors(), found.all_tensors()
    if ON_INPUT in ours and bool(ours[ON_INPUT]) != bool(theirs[ON_INPUT]):
        side = "inputs" if bool(theirs[ON_INPUT]) else "outputs"
        raise _refusal(parent, "on_input", found.name, f" scales its {side} there. Set network.on_input accordingly.")
    for suffix in sorted(ours.keys() | theirs.keys()):
        if suffix not in ours or suffix not in theirs or _squeezed(ours[suffix]) != _squeezed(theirs[suffix]):
            shapes = [list(tensors[suffix].shape) if suffix in tensors else "nothing" for tensors in (theirs, ours)]
            raise _refusal(
                parent, "shape", found.name,
                f".{suffix} is {shapes[0]} there and {shapes[1]} in the settings. {way_out}, or give a LoRA for this base.",
            )  # fmt: skip


def _copy(found: Layer, trained: TrainedLayer) -> None:
    theirs = found.all_tensors()
    with torch.no_grad():
        for suffix, tensor in trained.layer.all_tensors().items():
            tensor.copy_(theirs[suffix].view(tensor.shape))


def _with_sizes_of(module: torch.nn.Module, adapter: AttachedAdapter, common: Mapping[str, Layer], parent: Parent) -> AttachedAdapter:
    """The adapter again, with those layers that the file has as they are there."""
    own = adapter.layers()
    dtype = next(adapter.parameters()).dtype
    adapter.detach()
    try:
        read = attach_layers(module, adapter.targets, {name: layer for name, layer in common.items() if name in own}, dtype)
    except AdapterError as error:
        raise AdapterError(f"network.weights {parent.path}: {error}", code=error.code, **error.values) from None
    layers = dict(own)
    if read is not None:
        read.detach()
        for name, layer in read.layers().items():
            layer.kind = own[name].kind  # a DyLoRA is a LoRA in its file
            if "alpha" not in layer.kind.settings:
                layer.alpha = own[name].alpha  # for the rotations it is the constraint, which is not in files
            layer.settings = replace(own[name].settings, rank=layer.rank or own[name].settings.rank)
            layers[name] = layer
    return AttachedAdapter(module, adapter.targets, layers)


def _findings(parent: Parent, trained: Mapping[str, TrainedLayer]) -> Iterator[Finding]:
    network, name = parent.network, f"network.weights {parent.path.name}"
    if unread := network.unread:
        key, reason = next(iter(unread.items()))
        yield Finding(
            "continuation.unread", "warning", about="file", subjects=tuple(unread),
            message=f"{name}: {len(unread)} of its tensors cannot be read and are left behind ({key}: {reason}).",
            evidence=Evidence(len(unread), "tensors"),
        )  # fmt: skip
    if behind := [layer for layer in network.layers if layer not in trained]:
        yield Finding(
            "continuation.left_behind", "warning", about="layer", subjects=tuple(behind),
            message=f"{name}: {len(behind):,} of its {count(len(network.layers), 'layer')} {'is' if len(behind) == 1 else 'are'} not trained by these settings and will be missing from "
            f"the new LoRA (such as {behind[0]}).",
            evidence=Evidence(len(behind), "layers"),
        )  # fmt: skip
    if fresh := [layer for layer in trained if layer not in network.layers]:
        yield Finding(
            "continuation.new_layers", "note", about="layer", subjects=tuple(fresh),
            message=f"{name}: it lacks {len(fresh):,} of the {count(len(trained), 'layer')} to train, which start by changing nothing (such as "
            f"{fresh[0]}).",
            evidence=Evidence(len(fresh), "layers"),
        )  # fmt: skip


def _squeezed(tensor: torch.Tensor) -> list[int]:
    """The shape without the ones at its end: a 1x1 kernel may be written or left out."""
    shape = list(tensor.shape)
    while len(shape) > 2 and shape[-1] == 1:
        shape.pop()
    return shape


def _number(rank: int | None) -> str:
    return "none" if rank is None else str(rank)
