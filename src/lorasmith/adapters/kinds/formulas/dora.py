"""DoRA: a magnitude for each column of the weight, trained apart from its direction; see `kinds.dora`.

    W' = m * (W + delta) / ||W + delta||          norms of columns: over all outputs (and the kernel), one for each input

`delta` is another kind's change (LoRA, LoHa, LoKr); m, `dora_scale` in the file, is [1, in] or [1, in, 1, 1] and starts as ||W||,
so that W' = W. The columns are what the paper takes, and the only choice with which ComfyUI, Forge and AUTOMATIC1111 generate what
was trained. (LyCORIS and peft can take the rows, [out, 1]; such files are read here as they were meant, also where the magnitude is
written in one row, and are written with the axis in its place.)

As m and the norm belong to the inputs, a layer is computed as the inner kind on x * g, with g = m / ||W + delta||:

    W' x = (W + delta) (g * x)

The norm counts as a constant for the gradient (section 4.3 of the paper), so W + delta is never kept. Strength is that of
the whole: W + s (W' - W).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lorasmith.adapters.kinds.dora import axis_of
from lorasmith.adapters.kinds.formulas.formulas import Formulas, Tensors
from lorasmith.adapters.kinds.formulas.target_layer import Call
from lorasmith.adapters.kinds.formulas.through_weight import through_weight


def start(weight: Tensor) -> Tensor:
    """m as training begins, in fp32."""
    return column_norms(weight.float())


def column_norms(weight: Tensor) -> Tensor:
    """[1, in, 1, 1] for a weight [out, in, k, k]; [1, in] for one [out, in]."""
    return torch.linalg.vector_norm(weight, dim=[0, *range(2, weight.dim())], keepdim=True)


def row_norms(weight: Tensor) -> Tensor:
    """[out, 1, 1, 1] or [out, 1]."""
    return torch.linalg.vector_norm(weight, dim=list(range(1, weight.dim())), keepdim=True)


def delta_weight(delta: Tensor, scale: Tensor, weight: Tensor) -> Tensor:
    """W' - W in fp32, from the inner kind's change; `scale` along the inputs, or along the outputs as others have it."""
    weight = weight.float()
    changed = weight + delta
    norms = row_norms(changed) if axis_of(scale, weight.shape) == "output" else column_norms(changed)
    return changed * (in_its_place(scale.float(), weight.shape) / _not_zero(norms)) - weight


def in_its_place(scale: Tensor, shape: Sequence[int]) -> Tensor:
    """A magnitude of a weight [out, in, ...] as [1, in, 1, ...] or [out, 1, 1, ...], however the file has it; not copied."""
    start = (1, -1) if axis_of(scale, shape) == "input" else (-1, 1)
    return scale.reshape(*start, *(1 for _ in range(max(len(shape), scale.dim()) - 2)))


def _not_zero(norms: Tensor) -> Tensor:
    return norms.clamp_min(torch.finfo(norms.dtype).eps)


def forward(formulas: Formulas, tensors: Tensors, scale: Tensor, alpha: float, call: Call) -> Tensor:
    """The layer's output with the change of another kind inside the DoRA."""
    target, x = call.target, call.x
    assert formulas.added is not None
    whole = target.whole_weight().detach()
    if axis_of(scale, whole.shape) == "output":
        return _forward_along_outputs(formulas, tensors, scale, alpha, call)
    with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
        norms = _not_zero(column_norms(whole.float() + formulas.delta_weight(tensors, alpha, whole)))
    gain = target.along_channels(in_its_place(scale.float(), whole.shape) / norms)
    inner = Call(x * gain.to(x.dtype), target, mask=call.mask)
    if target.exact and call.strength == 1:
        return formulas.forward(tensors, alpha, inner)
    # In half precision a gain near 1 would drown in the rounding of x * gain, so what it adds is computed apart.
    less = target.apply(x * (gain - 1).to(x.dtype), target.module.weight)
    return target.base(x) + call.strength * (less + formulas.added(tensors, alpha, inner))


def _forward_along_outputs(formulas: Formulas, tensors: Tensors, scale: Tensor, alpha: float, call: Call) -> Tensor:
    names = tuple(tensors)

    def build(own_scale: Tensor, *values: Tensor) -> Tensor:
        weight = call.target.whole_weight().detach()
        return delta_weight(formulas.delta_weight(dict(zip(names, values, strict=True)), alpha, weight), own_scale, weight)

    return through_weight(build, (scale, *tensors.values()), call)
