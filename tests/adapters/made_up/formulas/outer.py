"""What the made-up kind computes."""

import torch

from lorasmith.adapters.kinds.formulas.formulas import Formulas, as_weight
from lorasmith.adapters.kinds.formulas.through_weight import through_weight
from tests.adapters.made_up.outer import LEFT, RIGHT, OuterSettings


def start(weight_shape, has_bias, settings, generator):
    right = torch.randn(weight_shape[1:].numel(), generator=generator)
    return {LEFT: torch.zeros(weight_shape[0]), RIGHT: settings.own_as(OuterSettings).spread * right}


def delta_weight(tensors, alpha, weight):
    return as_weight(alpha * torch.outer(tensors[LEFT].float(), tensors[RIGHT].float()), weight)


def forward(tensors, alpha, call):
    shape = call.target.shape_only()
    return through_weight(lambda left, right: delta_weight({LEFT: left, RIGHT: right}, alpha, shape), (tensors[LEFT], tensors[RIGHT]), call)


FORMULAS = Formulas(start=start, delta_weight=delta_weight, forward=forward, degree=len)
