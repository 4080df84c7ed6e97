"""DoRA: a length for each column of the weight, trained apart from its direction (Liu et al. 2024, https://arxiv.org/abs/2402.09353).

    W' = m * (W + change) / ||W + change||          lengths of columns: over all outputs (and the kernel), one for each input

`change` is another kind's (LoRA, LoHa, LoKr); m, `dora_scale` in the file, is [1, in] or [1, in, 1, 1] and starts as ||W||,
so that W' = W. The columns are what the paper takes, and the only choice that ComfyUI, Forge and AUTOMATIC1111 draw as
it was trained. (LyCORIS and peft by default take the rows, [out, 1]; such files are read here as they were meant.)

As m and the length belong to the inputs, a layer is walked as the inner kind on x * g, with g = m / ||W + change||:

    W' x = (W + change) (g * x)

The length counts as a constant for the gradient (section 4.3 of the paper), so W + change is never kept. Strength is that of
the whole: W + s (W' - W).
"""

from __future__ import annotations

import torch
from torch import Tensor

from lorasmith.adapters.kinds.kind import Call, Kind, Tensors, through_weight

SCALE = "dora_scale"


def start(weight: Tensor) -> Tensor:
    """m as training begins, in fp32."""
    return column_lengths(weight.float())


def column_lengths(weight: Tensor) -> Tensor:
    """[1, in, 1, 1] for a weight [out, in, k, k]; [1, in] for one [out, in]."""
    return torch.linalg.vector_norm(weight, dim=[0, *range(2, weight.dim())], keepdim=True)


def row_lengths(weight: Tensor) -> Tensor:
    """[out, 1, 1, 1] or [out, 1]."""
    return torch.linalg.vector_norm(weight, dim=list(range(1, weight.dim())), keepdim=True)


def delta_weight(change: Tensor, scale: Tensor, weight: Tensor) -> Tensor:
    """W' - W in fp32, from the inner kind's change; `scale` along the inputs, or along the outputs as others have it."""
    weight, scale = weight.float(), scale.float().view(*scale.shape, *(1 for _ in range(weight.dim() - scale.dim())))
    changed = weight + change
    lengths = row_lengths(changed) if is_along_outputs(scale, weight) else column_lengths(changed)
    return changed * (scale / _not_zero(lengths)) - weight


def is_along_outputs(scale: Tensor, weight: Tensor) -> bool:
    return scale.shape[0] == weight.shape[0] and scale.numel() == weight.shape[0] and weight.shape[0] != 1


def _not_zero(lengths: Tensor) -> Tensor:
    return lengths.clamp_min(torch.finfo(lengths.dtype).eps)


def forward(kind: Kind, tensors: Tensors, scale: Tensor, alpha: float, call: Call) -> Tensor:
    """The layer's output with `kind`'s change inside the DoRA."""
    site, x = call.site, call.x
    assert kind.added is not None
    whole = site.whole_weight().detach()
    if is_along_outputs(scale, whole):
        names = tuple(tensors)

        def delta(own_scale: Tensor, *values: Tensor) -> Tensor:
            weight = site.whole_weight().detach()
            return delta_weight(kind.delta_weight(dict(zip(names, values, strict=True)), alpha, weight), own_scale, weight)

        return through_weight(delta, (scale, *tensors.values()), call)
    with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
        lengths = _not_zero(column_lengths(whole.float() + kind.delta_weight(tensors, alpha, whole)))
    gain = site.along_channels(scale.float() / lengths)
    inner = Call(x * gain.to(x.dtype), site, mask=call.mask)
    if site.exact and call.strength == 1:
        return kind.forward(tensors, alpha, inner)
    # In half precision a gain near 1 would drown in the rounding of x * gain, so that what it adds goes its own way.
    less = site.apply(x * (gain - 1).to(x.dtype), site.module.weight)
    return site.base(x) + call.strength * (less + kind.added(tensors, alpha, inner))
