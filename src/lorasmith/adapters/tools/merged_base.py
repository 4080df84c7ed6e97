"""A base with LoRAs merged into its weights as it is opened, before they are quantised: training adapters, which make a distilled base train
like one that was not.

    described = with_merged(describe("z_image_turbo.safetensors"), [(Path("adapter.safetensors"), 1.0)])
    base = load_base(described, torch.bfloat16, "cuda", "int8")
    with without_merged(base, [(Path("adapter.safetensors"), 1.0)]):
        ...                                       # it predicts as the base without it

A merged LoRA is taken away again by what it adds to a layer's output, so that quantised weights stay as they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from torch import Tensor, nn

from lorasmith.adapters.base_weights import BaseWeights, base_on_disk
from lorasmith.adapters.files import names as keys
from lorasmith.adapters.kinds.formulas.target_layer import BaseLayer, Call, TargetLayer
from lorasmith.adapters.layer import Layer
from lorasmith.adapters.tools.base_changes import changed_tensors
from lorasmith.adapters.tools.opened import OpenedLora, open_lora
from lorasmith.errors import AdapterError
from lorasmith.models.base import Base
from lorasmith.models.description import Description
from lorasmith.models.files.hashes import sha256
from lorasmith.models.files.hub import source_of
from lorasmith.models.weight_changes import WeightChanges

Merged = Sequence[tuple[Path, float]]
"""LoRA files and their strengths."""


def with_merged(description: Description, loras: Merged) -> Description:
    """The base with these LoRAs in its weights, each at its strength.

    Raises AdapterError where a file cannot be read, is for another family, or has a layer that the base does not.
    """
    if not loras:
        return description
    base = base_on_disk(description)
    opened = [(open_lora(source_of(path), description.family, base), strength) for path, strength in loras]
    said = " ".join(f"{sha256(lora.path)} {strength!r}" for lora, strength in opened)
    changes = WeightChanges(changed_tensors(base, opened), hashlib.sha256(said.encode()).hexdigest())
    return replace(description, changes=changes)


def check_removable(family: str, path: Path) -> OpenedLora:
    """A LoRA file that `without_merged` can take away.

    Raises AdapterError where it changes more than the denoiser, or in a way that is not added to a layer's output.
    """
    lora = open_lora(source_of(path), family)
    denoiser = next(iter(keys.naming_of(family).parts))
    for name, layer in lora.layers.items():
        if keys.part_of(family, name)[0] != denoiser:
            raise _stays(path, f"it changes a text encoder ({name})", name)
        if layer.kind.formulas.added is None or layer.dora_scale is not None or layer.delta_bias() is not None:
            raise _stays(path, f"its layer {name} is a {layer.described}", name)
    return lora


def _stays(path: Path, why: str, layer: str) -> AdapterError:
    return AdapterError(
        f"The LoRA {path} cannot be taken away again for samples: {why}. Set in_samples for it, or merge a plain LoRA.",
        code="merge.not_removable",
        path=str(path),
        layer=layer,
    )


@contextmanager
def without_merged(base: Base, loras: Merged) -> Iterator[None]:
    """Within the block the base predicts without these LoRAs, which were merged into it; networks may be attached to it.

    Raises AdapterError as `check_removable` does.
    """
    weights = BaseWeights(base.family, {base.denoiser: base.parts[base.denoiser]})
    with ExitStack() as stack:
        for path, strength in loras:
            for layer in check_removable(base.family, path).layers.values():
                for target in _targets(weights, layer):
                    stack.callback(target.module.register_forward_hook(_less(layer, target, strength)).remove)
        yield


def _targets(weights: BaseWeights, layer: Layer) -> list[TargetLayer]:
    """The base's layers that a layer of a file changes."""
    found = weights.layers(layer.name)
    assert found is not None, "the denoiser is there"
    part, paths = found
    modules = tuple(cast(BaseLayer, weights.parts[part].get_submodule(path)) for path in paths)
    rows = [sum(module.weight.shape[0] for module in modules[:k]) for k in range(len(modules))]
    return [TargetLayer(module, row, modules) for module, row in zip(modules, rows, strict=True)]


def _less(layer: Layer, target: TargetLayer, strength: float) -> Callable[[nn.Module, Any, Tensor], Tensor]:
    """A hook that takes from a layer's output what the LoRA has added to it."""
    added = layer.kind.formulas.added
    assert added is not None, "seen by check_removable"
    placed = layer.placed(target.module.weight.device, target.module.weight.dtype)

    def hook(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        return output - strength * added(placed.tensors, placed.alpha_value, Call(inputs[0], target))

    return hook
