"""Trained normalisations of a file on a base for a while. They change no weight matrix, so nothing is attached: their own numbers change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

from lorasmith.adapters.base_weights import BaseWeights
from lorasmith.adapters.kinds import norm
from lorasmith.adapters.layer import Layer
from lorasmith.errors import AdapterError


@contextmanager
def changed_norms(base: BaseWeights, layers: Mapping[str, Layer], strength: float) -> Iterator[None]:
    """Within the block the base's normalisations are w + strength * w_norm and b + strength * b_norm; then they are as before, bit for bit.

    Layers of other kinds are left alone.

    Raises:
        AdapterError: the base has no such normalisation, or one of another size.
    """
    before: list[tuple[torch.Tensor, torch.Tensor]] = []
    try:
        with torch.no_grad():
            for name, layer in layers.items():
                if layer.kind is not norm.KIND or (found := base.layers(name)) is None:
                    continue
                part, (path, *_) = found
                for suffix, kind in ((norm.W, "weight"), (norm.B, "bias")):
                    change = layer.tensors[suffix]
                    if not change.any():  # as the shift of a T5's, which has none
                        continue
                    own = getattr(base.parts[part].get_submodule(path), kind, None)
                    if own is None:
                        raise AdapterError(
                            f"The layer {name} changes the {kind} of a normalisation that has none: it was made for another base model.",
                            code="adapter.misfit",
                            layer=name,
                        )
                    if own.shape != change.shape:
                        raise AdapterError(
                            f"The layer {name} is not made for a normalisation of {own.numel()} numbers: it was made for another base model.",
                            code="adapter.misfit",
                            layer=name,
                        )
                    before.append((own, own.clone()))
                    own += (strength * change.float()).to(own.device, own.dtype)
        yield
    finally:
        with torch.no_grad():
            for own, numbers in before:
                own.copy_(numbers)
