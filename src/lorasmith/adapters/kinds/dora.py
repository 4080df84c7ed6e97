"""DoRA: a magnitude for each column of the weight, trained apart from its direction (Liu et al. 2024, https://arxiv.org/abs/2402.09353).

    W' = m * (W + delta) / ||W + delta||          norms of columns: over all outputs (and the kernel), one for each input

It goes around LoRA, LoHa and LoKr, whose change `delta` is. The magnitude m is `dora_scale` in the file. Along the inputs, as the paper
has it, it is [1, in] or [1, in, 1, 1]; LyCORIS and peft can take it along the outputs, [out, 1] or [out, 1, 1, 1]. Some programs write
the numbers of the outputs in one row, [out] or [1, out, 1, 1], which the programs that generate spread along the wrong axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Literal

from lorasmith.adapters.kinds.kind import Shaped
from lorasmith.adapters.kinds.programs import Form, refused, wrong
from lorasmith.models.lora_naming import LOADS, drops, readings

SCALE = "dora_scale"

Axis = Literal["input", "output"]

_PLAIN_PART_ONLY = wrong("it drops the DoRA magnitude and loads the rest as a plain LoRA")
_OTHER_AXIS = wrong("it takes a DoRA magnitude along the outputs as one along the inputs, or divides by the norm of W alone")
_SPREAD = wrong("it spreads a DoRA magnitude of the outputs that is written in one row along the inputs")
_NO_FIT = "a layer with a DoRA magnitude whose numbers are not along the axis that they belong to"

ALONG_INPUTS = Form("DoRA along the inputs", readings(LOADS, LOADS, LOADS, _PLAIN_PART_ONLY))
ALONG_OUTPUTS = Form(
    "DoRA along the outputs",
    readings(wrong("it always takes a DoRA magnitude along the inputs"), _OTHER_AXIS, _OTHER_AXIS, _PLAIN_PART_ONLY),
)
IN_ONE_ROW = Form("DoRA along the outputs, in one row", readings(_SPREAD, _SPREAD, _SPREAD, _PLAIN_PART_ONLY))
"""On a linear layer with as many inputs as outputs, where the row can be multiplied."""
MISPLACED = Form(
    "DoRA with a misplaced magnitude",
    readings(drops(f"it skips {_NO_FIT}"), refused(f"it stops at {_NO_FIT}"), drops(f"it skips {_NO_FIT}"), _PLAIN_PART_ONLY),
)
"""Numbers of outputs in one row, or of inputs in one column, of a layer with another number there: the programs cannot multiply them."""
FORMS = (ALONG_INPUTS, ALONG_OUTPUTS, IN_ONE_ROW, MISPLACED)


def axis_of(scale: Shaped, shape: Sequence[int] | None) -> Axis:
    """Which axis of a weight [out, in, ...] a magnitude belongs to, by how many numbers it has.

    Where outputs and inputs are equally many, its own shape decides: [1, in, ...] is "input", [out, 1, ...] and [out] are "output".
    So it does where the weight's shape is not known, or has the kernel flattened into the inputs.
    """
    axes, numbers = len(scale.shape), prod(scale.shape)
    by_its_shape: Axis = "input" if axes > 1 and scale.shape[0] == 1 else "output"
    if shape is None:
        return by_its_shape
    if numbers != shape[0]:
        return "input"
    flattened = axes > len(shape)
    return by_its_shape if numbers == shape[1] or flattened else "output"


def form_of(scale: Shaped, shape: Sequence[int] | None) -> Form:
    """The form of a layer with this magnitude and a weight of this shape, whatever kind is inside."""
    axis, in_one_row, linear = axis_of(scale, shape), len(scale.shape) == 1, shape is None or len(shape) == 2
    if axis == "input" and (scale.shape[0] == 1 or (in_one_row and linear)):
        return ALONG_INPUTS
    if axis == "output" and not in_one_row and scale.shape[0] != 1:
        return ALONG_OUTPUTS
    square = shape is None or shape[0] == shape[1]
    return IN_ONE_ROW if square and linear else MISPLACED
