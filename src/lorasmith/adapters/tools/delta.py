"""The change of a layer's weight, W' - W, for a layer of any network file: what resizing, merging and converting work on.

Low rank is kept low: where the change is exactly a product of two thin matrices (`factors`) it is never built. Everything
else is built by its kind (`change`), which for some needs the base's weight.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lorasmith.adapters import kinds
from lorasmith.adapters.files.network import Layer
from lorasmith.adapters.kinds import glora
from lorasmith.adapters.tools.resize import lora_factors
from lorasmith.errors import AdapterError


def needs_weight(layer: Layer) -> bool:
    """Whether the change depends on the base's weight."""
    return layer.kind != "norm" and _stored(layer).needs_weight


def factors(layer: Layer, weight: Tensor | None = None) -> tuple[Tensor, Tensor, tuple[int, ...]] | None:
    """`left` [out, r] and `right` [r, in x kernel] in fp64 whose product is exactly the change, and the shape of the input.

    None where the change is no such product: DoRA, or another kind than LoRA and, on linear layers whose weight is given, GLoRA.
    """
    if layer.dora:
        return None
    if layer.kind == "lora":
        left, right, kernel = lora_factors(layer)
        return left * (1.0 if layer.alpha is None else layer.alpha / left.shape[1]), right, kernel
    if layer.kind == "glora" and weight is not None and weight.dim() == 2:
        a1, a2, b1, b2 = (layer.tensors[f"{name}.weight"].double() for name in ("a1", "a2", "b1", "b2"))
        scale = 1.0 if layer.alpha is None else layer.alpha / glora.rank_of(layer.tensors)
        return scale * torch.cat([weight.double() @ a1, b1], dim=1), torch.cat([a2, b2]), tuple(weight.shape[1:])
    return None


def change(layer: Layer, weight: Tensor | None = None) -> Tensor:
    """W' - W in the weight's shape; in fp64 where it is a low-rank product, else in fp32.

    Without `weight` the shape is told by the tensors; the kernel of a convolution may then be flattened into its input.

    Raises:
        AdapterError: the layer needs the base's weight and there is none, does not fit it, or has numbers that are not finite.
    """
    if layer.kind == "norm":
        raise AdapterError(f"The layer {layer.name} is a trained normalisation, which is no change of a weight matrix.")
    if "rescale" in layer.tensors:
        raise AdapterError(f"The layer {layer.name} has an OFT rescale, which every reader takes differently: train it without.")
    if needs_weight(layer) and (weight is None or weight.is_meta):
        what = f"a {layer.kind}" + (" with magnitude (DoRA)" if layer.dora else "")
        raise AdapterError(f"The layer {layer.name} is {what}, whose change depends on the base: give the base too.")
    product = factors(layer, weight)
    if product is not None:
        left, right, kernel = product
        found = (left @ right).view(left.shape[0], *kernel)
        if weight is not None and weight.shape != found.shape:
            raise AdapterError(
                f"The layer {layer.name} is made for a weight of {list(found.shape)}, and the base's is {list(weight.shape)}."
            )
    else:
        shaped = torch.empty(_shape(layer), device="meta") if weight is None else weight
        try:
            found = _stored(layer).delta_weight(shaped)
        except (RuntimeError, ValueError):
            raise AdapterError(f"The layer {layer.name} is not made for a weight of {list(shaped.shape)}, which is the base's.") from None
    if not found.isfinite().all():
        raise AdapterError(f"The layer {layer.name} has numbers that are not finite: the training went wrong, or the file is damaged.")
    return found


def _stored(layer: Layer) -> kinds.StoredLayer:
    alpha = {} if layer.alpha is None else {"alpha": torch.tensor(layer.alpha)}
    return kinds.read_layer({end: tensor for end, tensor in layer.tensors.items() if end != "rescale"} | alpha)


def _shape(layer: Layer) -> tuple[int, ...]:
    """The shape of the change of a layer that does not need its base, as far as the tensors tell it."""
    t = layer.tensors
    if layer.kind == "loha":
        if "hada_t1" in t:
            return (t["hada_w1_a"].shape[1], t["hada_w1_b"].shape[1], *t["hada_t1"].shape[2:])
        return (t["hada_w1_a"].shape[0], t["hada_w1_b"].shape[1])
    if layer.kind == "lokr":
        first = tuple(t["lokr_w1"].shape) if "lokr_w1" in t else (t["lokr_w1_a"].shape[0], t["lokr_w1_b"].shape[1])
        if "lokr_w2" in t:
            second = tuple(t["lokr_w2"].shape)
        elif "lokr_t2" in t:
            second = (t["lokr_w2_a"].shape[1], t["lokr_w2_b"].shape[1], *t["lokr_t2"].shape[2:])
        else:
            second = (t["lokr_w2_a"].shape[0], t["lokr_w2_b"].shape[1])
        return (first[0] * second[0], first[1] * second[1], *second[2:])
    return tuple(t["diff"].shape)
