"""The trained weights of attached adapters as the tensors of a file, and back; and a file's network put on a model as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from lorasmith.adapters.attach import AttachedAdapter, NetworkLayer, NetworkTarget, check_names, network_targets, sites_of
from lorasmith.adapters.files.lora_file import LoraFile
from lorasmith.adapters.kinds import ALPHA, DORA_SCALE, StoredLayer, read_layer
from lorasmith.adapters.kinds.kind import LayerSettings
from lorasmith.errors import AdapterError


def adapter_tensors(*adapters: AttachedAdapter) -> dict[str, Tensor]:
    """The tensors of a LoRA file for these adapters together (say U-Net and text encoder); weights are not copied."""
    tensors: dict[str, Tensor] = {}
    names: set[str] = set()
    for adapter in adapters:
        for name, layer in adapter.layers().items():
            if name in names:
                raise AdapterError(f"Two adapters both have a layer {name}: they cannot share a file.")
            names.add(name)
            tensors |= {f"{name}.{ending}": value for ending, value in layer_tensors(layer.stored()).items()}
    return tensors


def layer_tensors(stored: StoredLayer) -> dict[str, Tensor]:
    """One layer's tensors by their ending in a file, in the form in which its kind is written."""
    own, alpha = stored.kind.to_file({ending: value.detach() for ending, value in stored.tensors.items()}, stored.alpha)
    if stored.kind.has_alpha:
        own[ALPHA] = torch.tensor(float(alpha))
    if stored.dora_scale is not None:
        own[DORA_SCALE] = stored.dora_scale.detach()
    return own


def load_into(adapters: AttachedAdapter | Iterable[AttachedAdapter], file: LoraFile) -> None:
    """Copy a file's weights and alphas into attached adapters, which together must have exactly its layers.

    A layer without an alpha in the file gets its rank as alpha, as all consumers read it.

    Raises:
        AdapterError: a layer is missing, unknown, or of another kind or shape. Nothing is copied then.
    """
    together = [adapters] if isinstance(adapters, AttachedAdapter) else list(adapters)
    layers: dict[str, NetworkLayer] = {name: layer for adapter in together for name, layer in adapter.layers().items()}
    wanted: dict[str, Tensor] = {}
    for name, layer in layers.items():
        wanted |= {f"{name}.{ending}": value for ending, value in layer.tensors().items()}
        if layer.dora_lengths is not None:
            wanted[f"{name}.{DORA_SCALE}"] = layer.dora_lengths
    known = wanted.keys() | {f"{name}.{ALPHA}" for name in layers}
    if missing := sorted(wanted.keys() - file.tensors.keys()):
        raise AdapterError(f"The LoRA file lacks {_some(missing)}: it was made for another base model or for other layers.")
    if unexpected := sorted(file.tensors.keys() - known):
        raise AdapterError(
            f"The LoRA file has {_some(unexpected)}, unknown here: it was made for another base model or is another kind of network."
        )
    for key, value in wanted.items():
        found = file.tensors[key]
        if found.shape != value.shape:
            raise AdapterError(
                f"In the LoRA file {key} has the shape {list(found.shape)} where {list(value.shape)} is needed: "
                "its rank or its base model is another."
            )
    for name in layers:
        if f"{name}.{ALPHA}" in file.tensors and file.tensors[f"{name}.{ALPHA}"].numel() != 1:
            raise AdapterError(f"In the LoRA file {name}.{ALPHA} is not a single number: the file is damaged.")
    with torch.no_grad():
        for key, value in wanted.items():
            value.copy_(file.tensors[key])
        for name, layer in layers.items():
            alpha = file.tensors.get(f"{name}.{ALPHA}")
            layer.alpha = float(layer.rank or 0) if alpha is None else alpha.item()


def attach_file(
    module: nn.Module,
    targets: Mapping[str, str] | Mapping[str, tuple[str, ...]] | Iterable[NetworkTarget],
    tensors: Mapping[str, Tensor],
    dtype: torch.dtype = torch.float32,
) -> AttachedAdapter | None:
    """Put on `module` those layers of a file that `targets` name: of whatever kinds, ranks and alphas they are.

    Other layers of the file are left to other parts of the base. None where there is no layer for this one.

    Raises:
        AdapterError: a layer is of no kind known here, or does not fit the layer of the model.
    """
    of_layers: dict[str, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        name, _, ending = key.partition(".")
        of_layers.setdefault(name, {})[ending] = value
    wanted = tuple(target for target in network_targets(targets) if target.name in of_layers)
    if not wanted:
        return None
    check_names(wanted)
    layers = {}
    for target in wanted:
        site = sites_of(module, target)[0]
        try:
            stored = read_layer(of_layers[target.name])
        except AdapterError as error:
            raise AdapterError(f"{target.name}: {error}") from None
        rows = sum(part.weight.shape[0] for part in site.together)
        _check_fits(target.name, stored, torch.Size((rows, *site.module.weight.shape[1:])))
        if stored.delta_bias() is not None and any(part.bias is None for part in site.together):
            raise AdapterError(f"The LoRA file changes the bias of {target.name}, which has none here: it was made for another base model.")
        placed = {ending: _placed(value, site.module.weight.device, dtype) for ending, value in stored.tensors.items()}
        lengths = None if stored.dora_scale is None else _placed(stored.dora_scale, site.module.weight.device, dtype)
        settings = LayerSettings(kind=stored.kind.name, rank=stored.kind.rank(stored.tensors) or 1)
        layers[target.name] = NetworkLayer(StoredLayer(stored.kind, placed, stored.alpha, lengths), settings)
    return AttachedAdapter(module, wanted, layers)


def _placed(tensor: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    return tensor.to(device, dtype, copy=True) if tensor.is_floating_point() and tensor.numel() > 0 else tensor.to(device, copy=True)


def _check_fits(name: str, stored: StoredLayer, shape: torch.Size) -> None:
    """Whether the change has the weight's shape, told without computing it."""
    shapes = {key: value.to("meta") if value.dim() else value for key, value in stored.tensors.items()}
    lengths = None if stored.dora_scale is None else stored.dora_scale.to("meta")
    try:
        found = StoredLayer(stored.kind, shapes, stored.alpha, lengths).delta_weight(torch.empty(shape, device="meta")).shape
    except RuntimeError:
        found = None
    if found != shape:
        raise AdapterError(
            f"The layer {name} of the LoRA file does not fit a weight of shape {list(shape)}: it was made for another base model."
        )


def _some(keys: list[str]) -> str:
    return keys[0] if len(keys) == 1 else f"{keys[0]} and {len(keys) - 1} more"
