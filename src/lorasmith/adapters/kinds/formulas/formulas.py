"""What a kind of network computes: pure functions over a layer's tensors, by their suffix in the file.

    formulas.start(weight_shape, has_bias, settings, generator)   the trained tensors as training begins; W' = W
    formulas.delta_weight(tensors, alpha, weight)                 W' - W in fp32 at strength 1
    formulas.forward(tensors, alpha, call)                        the layer's output at any strength, the cheap way

`alpha` is the number that a file carries beside the tensors. For most kinds the change is multiplied by alpha / rank;
for the rotations (diag-oft, boft) it is the constraint instead.

Strength s means the same everywhere, and the same as in the UIs: W + s (W' - W).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lorasmith.adapters.kinds.formulas.dropouts import Draws
from lorasmith.adapters.kinds.formulas.target_layer import Call
from lorasmith.adapters.kinds.layer_settings import LayerSettings
from lorasmith.errors import AdapterError

Tensors = Mapping[str, Tensor]

Factors = tuple[Tensor, Tensor, tuple[int, ...]]
"""`left` [out, r] and `right` [r, in x kernel] in fp64, whose product is a change, and the shape of one row of the weight."""


@dataclass(frozen=True, kw_only=True)
class Formulas:
    """The functions of one kind."""

    start: Callable[[torch.Size, bool, LayerSettings, torch.Generator], dict[str, Tensor]]
    """(weight's shape, whether there is a bias, settings, generator) -> tensors in fp32 on the CPU."""
    delta_weight: Callable[[Tensors, float, Tensor], Tensor]
    """(tensors, alpha, base weight) -> W' - W in fp32. A weight on the meta device serves where the kind does not need its values."""
    forward: Callable[[Tensors, float, Call], Tensor]
    added: Callable[[Tensors, float, Call], Tensor] | None = None
    """(W' - W) applied to x at strength 1: what DoRA goes around. None where DoRA makes no sense."""
    delta_bias: Callable[[Tensors], Tensor | None] = lambda tensors: None
    """b' - b in fp32 at strength 1; None where the bias stays."""
    factors: Callable[[Tensors, float, Tensor | None], Factors | None] = lambda tensors, alpha, weight: None
    """(tensors, alpha, base weight where there is one) -> the change as a product of two thin matrices, where it is exactly one."""
    norm: Callable[[Tensors, float], Tensor] | None = None
    """The Frobenius norm of the change, where there is a cheaper way than building it."""
    degree: Callable[[Tensors], int] = lambda tensors: 1
    """Of how many of its tensors the change is a product, so that each scaled by c ** (1 / degree) scales the change by c."""
    to_file: Callable[[Tensors, float], tuple[dict[str, Tensor], float]] = lambda tensors, alpha: (dict(tensors), alpha)
    """What is written for the tensors and alpha, where that is another form of the same change."""
    in_step: Callable[[Tensors, float, LayerSettings, Draws], tuple[dict[str, Tensor], float]] | None = None
    """The tensors and alpha that act in a training step, where these are not all."""


def as_weight(delta: Tensor, weight: Tensor) -> Tensor:
    """A change, whose kernel may be flattened into the input or left out where it is 1x1, in the weight's shape.

    Raises:
        AdapterError: it has other rows or columns than the weight.
    """
    found, needed = list(delta.flatten(1).shape), list(weight.flatten(1).shape)
    if found != needed:
        raise AdapterError(f"It is made for {found[0]} x {found[1]} numbers where the base has {needed[0]} x {needed[1]}.")
    return delta.reshape(weight.shape)
