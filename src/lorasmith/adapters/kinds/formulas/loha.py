"""LoHa: the change as the entrywise product of two low-rank matrices; see `kinds.loha`.

    W' = W + s * (w1_a @ w1_b) * (w2_a @ w2_b)          s = strength * alpha / rank,  * entry by entry

The product of two matrices of rank r can have rank r * r, so the same number of parameters reaches further than in
LoRA. Shapes for a weight [out, in] or, with the kernel flattened into the input, [out, in * k * k]:

    w1_a, w2_a [out, rank]     w1_b, w2_b [rank, in]

With a Tucker core (wide kernels only) each of the two is  t[p, q, y, x] w_a[p, out] w_b[q, in]  summed over p and q, with
t [rank, rank, k, k] and the factors' channels last:

    t1, t2 [rank, rank, k, k]     w1_a, w2_a [rank, out]     w1_b, w2_b [rank, in]

It starts with w1_a at zero and the others random, so W' = W. There is no detour around the layer: as a sum over pairs of ranks it
would be r * r wide. The change is built for the forward pass, dropped, and built again for the gradient.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from lorasmith.adapters.kinds.formulas.formulas import Formulas, Tensors, as_weight
from lorasmith.adapters.kinds.formulas.target_layer import Call
from lorasmith.adapters.kinds.formulas.through_weight import through_weight
from lorasmith.adapters.kinds.layer_settings import LayerSettings
from lorasmith.adapters.kinds.loha import T1, T2, W1A, W1B, W2A, W2B


def start(weight_shape: torch.Size, has_bias: bool, settings: LayerSettings, generator: torch.Generator) -> dict[str, Tensor]:
    out, width, *kernel = weight_shape
    rank, spread = settings.rank, {W1B: 1.0, W2A: 0.1, W2B: 1.0, T1: 0.1, T2: 0.1}
    shapes: dict[str, tuple[int, ...]] = {}
    if settings.use_tucker and any(side != 1 for side in kernel):
        shapes = {T1: (rank, rank, *kernel), W1A: (rank, out), W1B: (rank, width)}
        shapes |= {T2: (rank, rank, *kernel), W2A: (rank, out), W2B: (rank, width)}
    else:
        columns = width * math.prod(kernel)
        shapes = {W1A: (out, rank), W1B: (rank, columns), W2A: (out, rank), W2B: (rank, columns)}
    return {
        name: torch.zeros(shape) if name == W1A else torch.empty(shape).normal_(std=spread[name], generator=generator)
        for name, shape in shapes.items()
    }


def delta_weight(tensors: Tensors, alpha: float, weight: Tensor) -> Tensor:
    first, second = (_half(tensors.get(core), tensors[a].float(), tensors[b].float()) for core, a, b in ((T1, W1A, W1B), (T2, W2A, W2B)))
    return as_weight(alpha / tensors[W1B].shape[0] * first * second, weight)


def _half(core: Tensor | None, a: Tensor, b: Tensor) -> Tensor:
    return a @ b if core is None else torch.einsum("pqyx,po,qi->oiyx", core.float(), a, b)


def forward(tensors: Tensors, alpha: float, call: Call) -> Tensor:
    names, shape = tuple(tensors), call.target.shape_only()
    return through_weight(lambda *values: delta_weight(dict(zip(names, values, strict=True)), alpha, shape), tuple(tensors.values()), call)


def added(tensors: Tensors, alpha: float, call: Call) -> Tensor:
    names, target = tuple(tensors), call.target

    def built(x: Tensor, *values: Tensor) -> Tensor:
        delta = delta_weight(dict(zip(names, values, strict=True)), alpha, target.shape_only())
        return target.apply(x, target.own(delta).to(x.dtype))

    # Here, too, the change is not kept for the gradient.
    out: Tensor = checkpoint(built, call.x, *tensors.values(), use_reentrant=False, preserve_rng_state=False)
    return out


FORMULAS = Formulas(start=start, delta_weight=delta_weight, forward=forward, added=added, degree=len)
