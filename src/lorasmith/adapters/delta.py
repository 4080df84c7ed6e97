"""The change of a layer's weight, W' - W, for a layer of any network: what merging and converting work on."""

from __future__ import annotations

import torch
from torch import Tensor

from lorasmith.adapters.layer import Layer
from lorasmith.errors import AdapterError


def delta(layer: Layer, weight: Tensor | None = None) -> Tensor:
    """W' - W in the weight's shape; in fp64 where it is a low-rank product, else in fp32.

    Without `weight` the shape follows from the tensors; the kernel of a convolution may then be flattened into its input.

    Raises:
        AdapterError: the layer cannot be computed with, needs the base's weight and there is none, does not fit it, or has numbers that are not finite.
    """
    layer.check_computable()
    if layer.needs_weight and (weight is None or weight.is_meta):
        raise AdapterError(
            f"The layer {layer.name} is of the kind {layer.described}, whose change depends on the base: give the base too.",
            code="adapter.needs_base",
            layer=layer.name,
        )
    if weight is None:
        assert layer.shape is not None, "a kind that does not need the weight knows its shape"
        weight = torch.empty(layer.shape, device="meta")
    else:
        layer.check_fits(tuple(weight.shape))
    product = layer.factors(weight)
    found = layer.delta_weight(weight) if product is None else (product[0] @ product[1]).reshape(weight.shape)
    if not found.isfinite().all():
        layer.check_finite()
        raise layer.refusal("Its change is too large for its numbers.", "adapter.not_finite")
    return found
