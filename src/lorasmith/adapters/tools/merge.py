"""Several networks as one: the changes of their weights, each times its ratio, added.

The sum of low-rank changes is a low-rank change: with the factors side by side,

    r1 * up1 @ down1 + r2 * up2 @ down2  =  [r1 * up1, r2 * up2] @ [down1; down2]

exactly, at the sum of the ranks. With a rank given, the best approximation of that rank is taken instead (see `resize`), by a
singular value decomposition that never builds the product. Kinds that are not of low rank are added as whole matrices: they
are approximated where a rank is given, and else written as `diff`, which is exact and as large as the layers.

The ratio is on the change and on nothing else. (Tools that scale both factors get its square, and cross terms.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from lorasmith.adapters.base_weights import BaseWeights
from lorasmith.adapters.files.network import Layer
from lorasmith.adapters.tools.delta import change, factors
from lorasmith.adapters.tools.resize import SMALLEST, layer_from_svd, lora_layer, product_svd
from lorasmith.errors import AdapterError


def merge(
    networks: Sequence[tuple[Mapping[str, Layer], float]],
    rank: int | None = None,
    conv_rank: int | None = None,
    base: BaseWeights | None = None,
) -> dict[str, Layer]:
    """One network that does what these do together, each at its ratio. Layers that only some of them have are kept.

    `rank` approximates; `conv_rank` is for kernels wider than 1x1, `rank` where it is not given.

    Raises:
        AdapterError: layers that do not fit each other, or that need the base where it is not given; a rank under 1.
    """
    if not networks:
        raise AdapterError("No LoRA to merge was given: give two or more files.")
    if min(rank or 1, conv_rank or 1) < 1:
        raise AdapterError(f"A rank of {min(rank or 1, conv_rank or 1)} was asked for: it must be 1 or more.")
    names = dict.fromkeys(name for layers, _ in networks for name in layers)
    return {
        name: _merge_layer(name, [(layers[name], ratio) for layers, ratio in networks if name in layers], rank, conv_rank, base)
        for name in names
    }


def _merge_layer(name: str, layers: list[tuple[Layer, float]], rank: int | None, conv_rank: int | None, base: BaseWeights | None) -> Layer:
    if all(layer.kind == "norm" for layer, _ in layers):
        ends = ("w_norm", "b_norm")
        return Layer(name, "norm", {end: sum_of([ratio * layer.tensors[end].float() for layer, ratio in layers]) for end in ends})
    weight = base.weight(name) if base else None
    products = [factors(layer, weight) for layer, _ in layers]
    if all(product is not None for product in products):
        found = [product for product in products if product is not None]
        kernels = {(left.shape[0], *kernel) for left, _, kernel in found}
        if len(kernels) > 1:
            raise AdapterError(
                f"The files' layers {name} are for weights of other shapes, {sorted(kernels)}: they are for different bases."
            )
        left = torch.cat([ratio * left for (left, _, _), (_, ratio) in zip(found, layers, strict=True)], dim=1)
        right = torch.cat([right for _, right, _ in found])
        kernel = found[0][2]
        wanted = _rank_for(kernel, rank, conv_rank)
        if wanted is None:
            return lora_layer(name, left, right, float(left.shape[1]), kernel)
        return _approximate(name, *product_svd(left, right), wanted, kernel)
    dense = [ratio * change(layer, weight).double() for layer, ratio in layers]
    if len({tuple(each.shape) for each in dense}) > 1:
        raise AdapterError(
            f"The files' layers {name} are for weights of other shapes: they are for different bases, or a base must be given."
        )
    total = sum_of(dense)
    wanted = _rank_for(tuple(total.shape[1:]), rank, conv_rank)
    if wanted is None:
        tensors = {"diff": total.float()}
        biases = [ratio * layer.tensors["diff_b"].float() for layer, ratio in layers if "diff_b" in layer.tensors]
        return Layer(name, "full", tensors | ({"diff_b": sum_of(biases)} if biases else {}))
    if any("diff_b" in layer.tensors for layer, _ in layers):
        raise AdapterError(f"The layer {name} has a change of its bias, which no LoRA can hold: merge without a rank.")
    u, s, vh = torch.linalg.svd(total.flatten(1), full_matrices=False)
    return _approximate(name, u, s, vh, wanted, tuple(total.shape[1:]))


def sum_of(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """The sum of tensors of one shape."""
    return torch.stack(list(tensors)).sum(0)


def _rank_for(kernel: tuple[int, ...], rank: int | None, conv_rank: int | None) -> int | None:
    return conv_rank or rank if kernel[1:] not in ((), (1, 1)) else rank


def _approximate(name: str, u: torch.Tensor, s: torch.Tensor, vh: torch.Tensor, rank: int, kernel: tuple[int, ...]) -> Layer:
    # No more ranks than input or output channels: kohya's limit, also where a kernel would allow for more.
    rank = min(rank, u.shape[0], kernel[0]) if s[0] > SMALLEST else 1
    return layer_from_svd(name, u, s, vh, rank, 1.0, kernel)
