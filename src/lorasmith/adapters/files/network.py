"""A network file as layers: what each is called, of which kind it is, its tensors and its alpha.

The layers of a file in kohya's layout are had by `layers_by_their_names`, those of any other dialect by
`dialects.read_network`; `file_tensors` goes back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from lorasmith.adapters import kinds
from lorasmith.adapters.files.lora_file import base_model_version, network_module
from lorasmith.errors import AdapterError


@dataclass(frozen=True)
class Layer:
    """One layer of a network file: its name in kohya's layout, its kind, its tensors by their ends, and its alpha."""

    name: str
    kind: str
    tensors: dict[str, Tensor]
    alpha: float | None = None
    """None: the file has none, which every reader takes as strength alpha / rank = 1."""
    written_as: tuple[str, ...] = ()
    """What the file calls it: the keys without their ends; several where it was fused."""

    @property
    def rank(self) -> int | None:
        """The rank, for the kinds that have one."""
        for end, axis in _RANKS:
            if end in self.tensors:
                return self.tensors[end].shape[axis]
        return None

    @property
    def dora(self) -> str | None:
        """Which axis the magnitude belongs to: "input" ([1, in]), "output" ([out, 1], or flat), None without one."""
        return None if "dora_scale" not in self.tensors else dora_axis(self.tensors["dora_scale"])


@dataclass(frozen=True)
class Network:
    """A network file as read: layers by name, what it is for, how it was written, and what could not be read."""

    family: str
    layers: dict[str, Layer]
    dialects: tuple[str, ...]
    unread: dict[str, str] = field(default_factory=dict)
    """Key -> why it could not be read."""
    notes: tuple[str, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)

    def whole(self) -> Network:
        """This network, if all of it could be read.

        Raises:
            AdapterError: something could not be read.
        """
        if self.unread:
            key, reason = next(iter(self.unread.items()))
            more = f" (and {len(self.unread) - 1} keys more)" if len(self.unread) > 1 else ""
            raise AdapterError(f"The file's {key}{more} cannot be read: {reason}.")
        return self


_RANKS = (("lora_down.weight", 0), ("hada_w1_b", 0), ("lokr_w2_b", 0), ("lokr_w1_b", 0), ("a1.weight", 1))


def kind_of(tensors: Mapping[str, Tensor]) -> str | None:
    """The kind of network that has just these tensors in a layer; None for no kind that is known."""
    if tensors.keys() == _NORM:
        return "norm"
    try:
        return kinds.read_layer({end: tensor for end, tensor in tensors.items() if end not in ("alpha", "rescale")}).kind.name
    except AdapterError:
        return None


_NORM = {"w_norm", "b_norm"}


def dora_axis(scale: Tensor) -> str:
    """Which axis of the weight a DoRA magnitude belongs to, by its shape: [1, in ...] "input"; [out, 1 ...] or [out] "output"."""
    return "input" if scale.dim() > 1 and scale.shape[0] == 1 else "output"


# ---- files in kohya's layout


def layers_by_their_names(tensors: Mapping[str, Tensor]) -> dict[str, Layer]:
    """The layers of a file in kohya's layout by the names that they have in it, whatever model they are for.

    Raises:
        AdapterError: a key is not in kohya's layout, or a layer is of no known kind.
    """
    found: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        name, _, end = key.partition(".")
        found.setdefault(name, {})[end] = tensor
    layers = {}
    for name, ends in found.items():
        stored = {end: tensor for end, tensor in ends.items() if end != "alpha"}
        kind = kind_of(stored)
        alpha = ends.get("alpha")
        if kind is None or (alpha is not None and alpha.numel() != 1):
            raise AdapterError(f"The file's layer {name} has {', '.join(sorted(ends))}: it is in another layout, or damaged.")
        layers[name] = Layer(name, kind, stored, None if alpha is None else float(alpha), (name,))
    return layers


def file_tensors(layers: Mapping[str, Layer]) -> dict[str, Tensor]:
    """The tensors of a file in kohya's layout with these layers. A missing alpha is written out, as all readers take it."""
    tensors: dict[str, Tensor] = {}
    for name, layer in layers.items():
        tensors |= {f"{name}.{end}": tensor for end, tensor in layer.tensors.items()}
        alpha = layer.rank if layer.alpha is None else layer.alpha
        if alpha is not None and layer.kind not in ("full", "ia3", "norm"):
            tensors[f"{name}.alpha"] = torch.tensor(float(alpha))
    return tensors


def file_metadata(layers: Mapping[str, Layer], family: str | None, metadata: Mapping[str, str]) -> dict[str, str]:
    """The metadata of a file that was made from others: what was known, and what the layers are now."""
    ranks = {layer.rank for layer in layers.values() if layer.rank is not None}
    alphas = {layer.rank if layer.alpha is None else layer.alpha for layer in layers.values() if layer.rank is not None}
    found = {layer.kind for layer in layers.values()} - {"norm"}
    kind = next(iter(found)) if len(found) == 1 else "full" if found else "lora"
    new = {key: value for key, value in metadata.items() if key not in ("lora_adapter_metadata", "format", "ss_network_args")}
    if family is not None:
        new["ss_network_module"] = network_module(kind, family)
        new.setdefault("ss_base_model_version", base_model_version(family, "epsilon"))
        new.setdefault("ss_v2", str(family == "sd2"))
    if found and (len(found) > 1 or kind != "lora"):
        new["ss_network_args"] = json.dumps({"algo": kind})
    new["ss_network_dim"] = str(next(iter(ranks))) if len(ranks) == 1 else "Dynamic"
    new["ss_network_alpha"] = str(float(next(iter(alphas)) or 0)) if len(alphas) == 1 else "Dynamic"
    return new
